package attach

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// listener is a listener of a Gateway, or of a ListenerSet that the Gateway
// allows. Its spec says which routes attach to it, never its status, which comes
// late. In doubt it admits a route.
type listener struct {
	gateway  types.NamespacedName
	owner    string // the namespace that "Same" means
	name     string
	port     int32
	hostname string // "*" for every host
	protocol gatewayv1.ProtocolType
	allowed  *gatewayv1.AllowedRoutes
}

// listeners are the listeners of all Gateways and ListenerSets.
type listeners struct {
	labels map[string]labels.Set // of each namespace
	// known are the Gateways that exist and count. uncounted has the GatewayClass of
	// each of the others, which are as if they were not there.
	known     map[types.NamespacedName]*gatewayv1.Gateway
	uncounted map[types.NamespacedName]string
	// own are the listeners of each Gateway, sets those of each ListenerSet.
	own, sets map[types.NamespacedName][]*listener
	parent    map[types.NamespacedName]types.NamespacedName // the Gateway of a ListenerSet
}

func newListeners(objects Objects, counts func(class string) bool) *listeners {
	l := &listeners{
		labels: map[string]labels.Set{},
		known:  map[types.NamespacedName]*gatewayv1.Gateway{}, uncounted: map[types.NamespacedName]string{},
		own:    map[types.NamespacedName][]*listener{},
		sets:   map[types.NamespacedName][]*listener{},
		parent: map[types.NamespacedName]types.NamespacedName{},
	}
	for _, n := range objects.Namespaces {
		set := labels.Set{"kubernetes.io/metadata.name": n.Name}
		for k, v := range n.Labels {
			set[k] = v
		}
		l.labels[n.Name] = set
	}
	for _, g := range objects.Gateways {
		key := nameIn(g.Namespace, g.Name)
		if class := string(g.Spec.GatewayClassName); counts != nil && !counts(class) {
			l.uncounted[key] = class
			continue
		}
		l.known[key] = g
		for i := range g.Spec.Listeners {
			s := &g.Spec.Listeners[i]
			l.own[key] = append(l.own[key], &listener{gateway: key, owner: key.Namespace, name: string(s.Name), port: s.Port,
				hostname: hostnameOf(s.Hostname), protocol: s.Protocol, allowed: s.AllowedRoutes})
		}
	}
	for _, set := range objects.ListenerSets {
		l.addSet(set)
	}
	return l
}

// addSet adds the listeners of a ListenerSet to its Gateway, if the Gateway
// allows the ListenerSet.
func (l *listeners) addSet(set *gatewayv1.ListenerSet) {
	key, ref := nameIn(set.Namespace, set.Name), set.Spec.ParentRef
	if ptr.Deref(ref.Group, v1alpha1.GatewayGroup) != v1alpha1.GatewayGroup || ptr.Deref(ref.Kind, "Gateway") != "Gateway" {
		return
	}
	parent := nameIn(string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(key.Namespace))), string(ref.Name))
	g := l.known[parent]
	if g == nil || g.Spec.AllowedListeners == nil || g.Spec.AllowedListeners.Namespaces == nil {
		return // by default a Gateway allows none
	}
	allowed := g.Spec.AllowedListeners.Namespaces
	if !l.selected(ptr.Deref(allowed.From, gatewayv1.NamespacesFromNone), allowed.Selector, parent.Namespace, key.Namespace) {
		return
	}
	l.parent[key] = parent
	for i := range set.Spec.Listeners {
		s := &set.Spec.Listeners[i]
		l.sets[key] = append(l.sets[key], &listener{gateway: parent, owner: key.Namespace, name: string(s.Name), port: s.Port,
			hostname: hostnameOf(s.Hostname), protocol: s.Protocol, allowed: s.AllowedRoutes})
	}
}

// has says whether a Gateway, or a ListenerSet of it, has a listener of this
// name.
func (l *listeners) has(gateway types.NamespacedName, name string) bool {
	return l.any(gateway, func(one *listener) bool { return one.name == name })
}

// any says whether some listener of a Gateway, or of a ListenerSet of it, is as
// wanted.
func (l *listeners) any(gateway types.NamespacedName, wanted func(*listener) bool) bool {
	if slices.ContainsFunc(l.own[gateway], wanted) {
		return true
	}
	for set, parent := range l.parent {
		if parent == gateway && slices.ContainsFunc(l.sets[set], wanted) {
			return true
		}
	}
	return false
}

// admits says whether a listener's spec lets a route attach.
func (l *listeners) admits(at *listener, kind, namespace string) bool {
	kinds := at.allowed != nil && len(at.allowed.Kinds) > 0
	switch {
	case kinds && !slices.ContainsFunc(at.allowed.Kinds, func(k gatewayv1.RouteGroupKind) bool {
		return string(k.Kind) == kind && ptr.Deref(k.Group, v1alpha1.GatewayGroup) == v1alpha1.GatewayGroup
	}):
		return false
	case !kinds && (at.protocol == gatewayv1.TCPProtocolType || at.protocol == gatewayv1.UDPProtocolType || at.protocol == gatewayv1.TLSProtocolType):
		return false
	case at.allowed == nil || at.allowed.Namespaces == nil:
		return namespace == at.owner
	}
	from := at.allowed.Namespaces
	return l.selected(ptr.Deref(from.From, gatewayv1.NamespacesFromSame), from.Selector, at.owner, namespace)
}

// selected says whether a listener or Gateway selects a namespace. In doubt it
// does.
func (l *listeners) selected(from gatewayv1.FromNamespaces, selector *metav1.LabelSelector, same, namespace string) bool {
	switch from {
	case gatewayv1.NamespacesFromSame:
		return namespace == same
	case gatewayv1.NamespacesFromNone:
		return false
	case gatewayv1.NamespacesFromSelector:
		set, known := l.labels[namespace]
		s, err := metav1.LabelSelectorAsSelector(selector)
		return !known || selector == nil || err != nil || s.Matches(set)
	case gatewayv1.NamespacesFromAll:
	}
	return true // a value of a later version of Gateway API too
}

// hostnameOf is the hostname pattern of a listener.
func hostnameOf(h *gatewayv1.Hostname) string {
	if h == nil || *h == "" {
		return "*"
	}
	return strings.ToLower(string(*h))
}

// sharedHostnames are the hostnames that a route and a listener share. own has,
// for each, the most specific hostname of the route that leads to it. A route
// without hostnames takes the listener's.
func sharedHostnames(hostnames []gatewayv1.Hostname, pattern string) (hosts, own []string) {
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
