package engine

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// Input is everything that a snapshot is made of, as plain values. A source makes
// a new Input whenever anything changes, and never changes one.
type Input struct {
	Policies   []*v1alpha1.AgentAuthPolicy
	Secrets    []*Object
	ConfigMaps []*Object

	// Objects are those of Gateway API that say which route serves a request.
	attach.Objects

	// HostnameGrants are the ConfigMaps of hostname grants, of agentauth's own
	// namespace alone: nobody else grants anything. Once there is one, grants are in
	// force, whatever it holds.
	HostnameGrants []*Object

	// GatewayClasses say whose Gateways count. NoGatewayClasses says that there are
	// Gateways and no kind of GatewayClasses, so that nothing is known of any class.
	GatewayClasses   []GatewayClass
	NoGatewayClasses bool

	// ReferenceGrants let policies refer to Secrets and ConfigMaps of the
	// namespaces that the grants are in.
	ReferenceGrants []*gatewayv1.ReferenceGrant
}

// AddGateway adds an object of Gateway API, if it is of a kind that an Input
// holds.
func (in *Input) AddGateway(o any) {
	switch o := o.(type) {
	case *gatewayv1.HTTPRoute:
		in.HTTPRoutes = append(in.HTTPRoutes, o)
	case *gatewayv1.GRPCRoute:
		in.GRPCRoutes = append(in.GRPCRoutes, o)
	case *gatewayv1.Gateway:
		in.Gateways = append(in.Gateways, o)
	case *gatewayv1.ListenerSet:
		in.ListenerSets = append(in.ListenerSets, o)
	case *gatewayv1.ReferenceGrant:
		in.ReferenceGrants = append(in.ReferenceGrants, o)
	case *gatewayv1beta1.ReferenceGrant: // the same in both versions
		in.ReferenceGrants = append(in.ReferenceGrants, (*gatewayv1.ReferenceGrant)(o))
	}
}

// Namespace is a namespace and the labels by which listeners select it.
type Namespace = attach.Namespace

// GatewayClass is a GatewayClass, and whether its controller accepted it.
type GatewayClass struct {
	Name     string
	Accepted bool
}

// Object is a Secret or a ConfigMap. It holds digests instead of API keys
// ([apikey.Digest]): no source keeps the keys.
type Object struct {
	Namespace, Name     string
	Labels, Annotations map[string]string
	// Type is the type of a Secret.
	Type string
	Data map[string][]byte
	// Omitted says why the source holds no Data of the object, and what to do; ""
	// is the normal case.
	Omitted string
}

// Use is the use that the owner labelled the object for; "" if there is none.
func (o *Object) Use() string { return o.Labels[v1alpha1.LabelUse] }
