package find

import (
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// Options are the operator's choices.
type Options struct {
	// AllowUnmatched lets requests through that no policy claims.
	AllowUnmatched bool
	// OneTenant: all policies are one owner's. Their namespaces do not keep
	// them apart, and the context extension agentauth.dev/policy names one.
	OneTenant bool
	// HostnameGrants, without OneTenant, say which namespace may use which hosts.
	// Those of an Input are added.
	HostnameGrants HostnameGrants
	// GatewayClasses are those whose Gateways count. Without any, the Gateways of
	// all classes count that the Input says are accepted; with OneTenant those of
	// every class.
	GatewayClasses []string
	// TrustForwarded leaves the headers in a request that say of its host, path or
	// method otherwise than it does, as x-forwarded-host.
	TrustForwarded bool
	// TrustPrincipal and TrustXFCC believe what proxies say of the client of a
	// connection: its name, and its certificate in x-forwarded-client-cert.
	TrustPrincipal, TrustXFCC bool
	// TrustMCPMetadata takes the word of Envoy's mcp filter for a message whose body is
	// not handed on.
	TrustMCPMetadata bool
	// ExactCase: no server behind the proxy takes paths that differ in letter case
	// for one.
	ExactCase bool
	// ContextPolicy reads the context extension also without OneTenant: where
	// no tenant writes the configuration of proxies.
	ContextPolicy bool
}

// Input is everything that a Snapshot is made of beside its policies.
type Input struct {
	// Objects are those of Gateway API that say which route serves a request.
	attach.Objects
	// HostnameGrants are the ConfigMaps of hostname grants. Once there is one,
	// grants are in force, whatever it holds.
	HostnameGrants []*objects.Object
	// GatewayClasses say whose Gateways count. NoGatewayClasses says that there are
	// Gateways and no kind of GatewayClasses, so that nothing is known of any class.
	GatewayClasses   []GatewayClass
	NoGatewayClasses bool
	// Unreadable: some object of Gateway API cannot be read and is left out.
	Unreadable bool
}

// GatewayClass is a GatewayClass, and whether its controller accepted it.
type GatewayClass struct {
	Name     string
	Accepted bool
}
