package engine

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// listener is one of a Gateway, or of a ListenerSet that the Gateway allows.
// Who may attach to it follows from specs, never from a status, which comes
// late; where that is in doubt, it admits.
type listener struct {
	gateway  types.NamespacedName
	owner    string // the namespace that "Same" means
	name     string
	port     int32
	hostname string // "*" for every host
	protocol gatewayv1.ProtocolType
	allowed  *gatewayv1.AllowedRoutes
	// gone: no spec has it any more, and a policy targets it still.
	gone bool
}

// listeners are those of Gateways and of ListenerSets, by whose they are.
type listeners struct {
	namespaces map[string]labels.Set
	// known are the Gateways that exist, in order.
	known map[types.NamespacedName]*gatewayv1.Gateway
	// own are a Gateway's own; sets those of a ListenerSet.
	own, sets map[types.NamespacedName][]*listener
	parent    map[types.NamespacedName]types.NamespacedName // of a ListenerSet
}

func newListeners(in Input) *listeners {
	l := &listeners{
		namespaces: map[string]labels.Set{},
		known:      map[types.NamespacedName]*gatewayv1.Gateway{},
		own:        map[types.NamespacedName][]*listener{},
		sets:       map[types.NamespacedName][]*listener{},
		parent:     map[types.NamespacedName]types.NamespacedName{},
	}
	for _, n := range in.Namespaces {
		set := labels.Set{"kubernetes.io/metadata.name": n.Name}
		for k, v := range n.Labels {
			set[k] = v
		}
		l.namespaces[n.Name] = set
	}
	for _, g := range in.Gateways {
		key := nameIn(g.Namespace, g.Name)
		l.known[key] = g
		for i := range g.Spec.Listeners {
			s := &g.Spec.Listeners[i]
			l.own[key] = append(l.own[key], &listener{gateway: key, owner: key.Namespace, name: string(s.Name), port: s.Port,
				hostname: hostnameOf(s.Hostname), protocol: s.Protocol, allowed: s.AllowedRoutes})
		}
	}
	for _, set := range in.ListenerSets {
		l.addSet(set)
	}
	return l
}

// addSet counts a ListenerSet's listeners as its Gateway's, if that allows it.
func (l *listeners) addSet(set *gatewayv1.ListenerSet) {
	key, ref := nameIn(set.Namespace, set.Name), set.Spec.ParentRef
	if deref(ref.Group, gatewayv1.Group(v1alpha1.GatewayGroup)) != v1alpha1.GatewayGroup || deref(ref.Kind, "Gateway") != "Gateway" {
		return
	}
	parent := nameIn(string(deref(ref.Namespace, gatewayv1.Namespace(key.Namespace))), string(ref.Name))
	g := l.known[parent]
	if g == nil || g.Spec.AllowedListeners == nil || g.Spec.AllowedListeners.Namespaces == nil {
		return // by default a Gateway allows none
	}
	allowed := g.Spec.AllowedListeners.Namespaces
	if !l.selected(deref(allowed.From, gatewayv1.NamespacesFromNone), allowed.Selector, parent.Namespace, key.Namespace) {
		return
	}
	l.parent[key] = parent
	for i := range set.Spec.Listeners {
		s := &set.Spec.Listeners[i]
		l.sets[key] = append(l.sets[key], &listener{gateway: parent, owner: key.Namespace, name: string(s.Name), port: s.Port,
			hostname: hostnameOf(s.Hostname), protocol: s.Protocol, allowed: s.AllowedRoutes})
	}
}

// has says whether a Gateway has a listener of this name, of its own or of a
// ListenerSet.
func (l *listeners) has(gateway types.NamespacedName, name string) bool {
	named := func(one *listener) bool { return one.name == name && !one.gone }
	if slices.ContainsFunc(l.own[gateway], named) {
		return true
	}
	for set, parent := range l.parent {
		if parent == gateway && slices.ContainsFunc(l.sets[set], named) {
			return true
		}
	}
	return false
}

// addGone stands in for a listener that a policy targets and no spec has.
func (l *listeners) addGone(gateway types.NamespacedName, name string) {
	if !slices.ContainsFunc(l.own[gateway], func(one *listener) bool { return one.name == name }) {
		l.own[gateway] = append(l.own[gateway], &listener{gateway: gateway, owner: gateway.Namespace, name: name, hostname: "*", gone: true})
	}
}

// admits says whether a listener's spec lets a route attach.
func (l *listeners) admits(at *listener, kind, namespace string) bool {
	if at.gone {
		return true
	}
	kinds := at.allowed != nil && len(at.allowed.Kinds) > 0
	switch {
	case kinds && !slices.ContainsFunc(at.allowed.Kinds, func(k gatewayv1.RouteGroupKind) bool {
		return string(k.Kind) == kind && deref(k.Group, gatewayv1.Group(v1alpha1.GatewayGroup)) == v1alpha1.GatewayGroup
	}):
		return false
	case !kinds && (at.protocol == gatewayv1.TCPProtocolType || at.protocol == gatewayv1.UDPProtocolType || at.protocol == gatewayv1.TLSProtocolType):
		return false
	case at.allowed == nil || at.allowed.Namespaces == nil:
		return namespace == at.owner
	}
	from := at.allowed.Namespaces
	return l.selected(deref(from.From, gatewayv1.NamespacesFromSame), from.Selector, at.owner, namespace)
}

// selected says whether a namespace is among those that are meant. What cannot
// be told counts as yes.
func (l *listeners) selected(from gatewayv1.FromNamespaces, selector *metav1.LabelSelector, same, namespace string) bool {
	switch from {
	case gatewayv1.NamespacesFromSame:
		return namespace == same
	case gatewayv1.NamespacesFromNone:
		return false
	case gatewayv1.NamespacesFromSelector:
		set, known := l.namespaces[namespace]
		s, err := metav1.LabelSelectorAsSelector(selector)
		return !known || selector == nil || err != nil || s.Matches(set)
	case gatewayv1.NamespacesFromAll:
	}
	return true // what is not known here, too
}

// hostnameOf is the pattern of a listener.
func hostnameOf(h *gatewayv1.Hostname) string {
	if h == nil || *h == "" {
		return "*"
	}
	return strings.ToLower(string(*h))
}

// shared are the hostnames that a route has in common with a listener, and
// which of the route's each is from, the most specific one; a route without
// hostnames takes the listener's.
func shared(hostnames []gatewayv1.Hostname, pattern string) (hosts, own []string) {
	add := func(h, from string) {
		switch i := slices.Index(hosts, h); {
		case match.Check(match.Entry{Hostname: h}) != nil:
		case i < 0:
			hosts, own = append(hosts, h), append(own, from)
		case match.CompareHostnames(from, own[i]) > 0:
			own[i] = from
		}
	}
	if len(hostnames) == 0 {
		add(pattern, "*")
	}
	for _, h := range hostnames {
		switch h := strings.ToLower(string(h)); {
		case match.Within(h, pattern):
			add(h, h)
		case match.Within(pattern, h):
			add(pattern, h)
		}
	}
	return hosts, own
}

func nameIn(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(namespace, "default"), Name: name}
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
