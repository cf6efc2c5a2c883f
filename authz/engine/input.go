package engine

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/revoke"
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

	// Revocations are the ConfigMaps of revocations. No compile reads them: whoever keeps
	// the engine calls Revoke before.
	Revocations []revoke.ConfigMap

	// GatewayClasses say whose Gateways count. NoGatewayClasses says that there are
	// Gateways and no kind of GatewayClasses, so that nothing is known of any class.
	GatewayClasses   []GatewayClass
	NoGatewayClasses bool

	// Unreadable: some route, Gateway or ListenerSet cannot be read and is left out.
	// Nobody knows its hosts.
	Unreadable bool

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

// find is what the policy of a request is found by, beside the policies.
func (in *Input) find() find.Input {
	return find.Input{Objects: in.Objects, HostnameGrants: in.HostnameGrants, GatewayClasses: in.GatewayClasses, NoGatewayClasses: in.NoGatewayClasses, Unreadable: in.Unreadable}
}

// ByKey are the Secrets and ConfigMaps by their keys.
func (in *Input) ByKey() map[objects.Key]*Object {
	out := make(map[objects.Key]*Object, len(in.Secrets)+len(in.ConfigMaps))
	for _, o := range in.Secrets {
		out[objects.KeyOf(objects.Secret, o)] = o
	}
	for _, o := range in.ConfigMaps {
		out[objects.KeyOf(objects.ConfigMap, o)] = o
	}
	return out
}

// Namespace is a namespace and the labels by which listeners select it.
type Namespace = attach.Namespace

// GatewayClass is a GatewayClass, and whether its controller accepted it.
type GatewayClass = find.GatewayClass

// Object is a Secret or a ConfigMap.
type Object = objects.Object
