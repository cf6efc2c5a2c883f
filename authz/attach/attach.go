package attach

import (
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
)

// Objects are the objects of Gateway API that say which route serves which
// request. An unlisted Namespace has unknown labels.
type Objects struct {
	HTTPRoutes   []*gatewayv1.HTTPRoute
	GRPCRoutes   []*gatewayv1.GRPCRoute
	Gateways     []*gatewayv1.Gateway
	ListenerSets []*gatewayv1.ListenerSet
	Namespaces   []Namespace
	// Absent are the kinds of targets that a cluster has not, in order: their CRD is
	// not installed.
	Absent []v1alpha1.TargetKind
}

// Namespace is a namespace and the labels by which listeners select it.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Policy is what attachment reads of a policy. Policies are listed in order of
// age: the older one, with the lower number, holds a target that both name.
type Policy struct {
	Namespace, Name string
	TargetRefs      []v1alpha1.TargetReference
	Precedence      v1alpha1.Precedence
}

func (p Policy) String() string { return p.Namespace + "/" + p.Name }

// Tenancy keeps the namespaces of a cluster apart, by the operator's word. With the
// zero value all namespaces are one tenant: every Gateway counts, and no grants are
// in force.
type Tenancy struct {
	// Counts says whether the Gateways of a GatewayClass count; nil: those of every
	// class do. A Gateway that does not count has no listeners here.
	Counts func(class string) bool
	// Grants bind the hostnames of routes too. A host that was granted is looked up
	// among the routes of the namespaces that it was granted to.
	Grants *hostgrant.Table
}

// Attachments are the routes of Gateway API and the policies attached to them.
// They never change.
type Attachments struct {
	*listeners
	routes []*route // the older first
	byKey  map[routeKey]*route
	ports  []*port
	// grants are nil where none are in force. regions are the hosts of grants: see
	// makeRegions.
	grants  *hostgrant.Table
	regions map[string]*region

	holders map[target]Holder
	// lostRules are the holders of rules that a route does not have (any more).
	// Such a policy answers 503 for the whole route: it may mean any of its rules.
	lostRules map[*route]Holder

	// shares are what the routes of each namespace have of its bounds.
	shares map[string]*shares
	// routeNamespaces are the namespaces that have routes.
	routeNamespaces map[string]bool
	// namespaces are the namespaces whose routes have a hostname, and hostnames
	// are the hostnames that the routes of a namespace have.
	namespaces map[string]map[string]bool
	hostnames  map[string][]string
	// guards are the namespaces whose policies guard a hostname on which they cannot
	// decide: see guard.
	guards map[string]map[string]bool
	// unattached are the hostnames of routes that no listener admits, and above the
	// patterns that cover a hostname of any route.
	unattached, above map[string]bool
	// routesAt are the routes of a namespace that have a hostname.
	routesAt map[HostUse][]*route
	// onGateways are the routes of each Gateway.
	onGateways map[types.NamespacedName][]*route

	// hosts and statuses are those of each policy.
	hosts    []map[HostUse]bool
	statuses []*Status
}

// New attaches policies to the routes of Gateway API.
func New(objects Objects, policies []Policy, tenancy Tenancy) *Attachments {
	routes := allRoutes(objects)
	size := len(routes)
	a := &Attachments{
		listeners: newListeners(objects, tenancy.Counts), routes: routes, byKey: make(map[routeKey]*route, size), grants: tenancy.Grants,
		holders: make(map[target]Holder, len(policies)), lostRules: map[*route]Holder{},
		routeNamespaces: map[string]bool{}, namespaces: make(map[string]map[string]bool, size), hostnames: map[string][]string{},
		unattached: map[string]bool{}, above: make(map[string]bool, size), routesAt: make(map[HostUse][]*route, size),
		hosts: make([]map[HostUse]bool, len(policies)), statuses: make([]*Status, len(policies)),
	}
	for _, r := range a.routes {
		a.byKey[r.key] = r
		a.routeNamespaces[r.key.namespace] = true
	}
	for number := range policies {
		a.holdTargets(number, policies)
		a.statuses[number].note(objects.Absent)
	}
	for _, r := range a.routes { // after the policies, which may name listeners that are gone
		a.attachRoute(r)
		for _, at := range r.attached {
			a.noteHostnames(r, at.hostnames)
		}
		if len(r.attached) == 0 {
			a.noteUnattached(r)
		}
	}
	a.guard(objects)
	a.boundRoutes()
	attached := a.attachedRoutes()
	a.ports = a.makePorts(a.permitted(attached))
	a.makeRegions(attached)
	a.judgeTargets(policies)
	a.judgeOverlaps()
	return a
}

// holdTargets gives a policy its targets, unless an older policy holds them. An
// invalid policy holds its targets too.
func (a *Attachments) holdTargets(number int, policies []Policy) {
	p := policies[number]
	if len(p.TargetRefs) == 0 {
		return
	}
	st := &Status{gateways: map[types.NamespacedName]bool{}}
	a.statuses[number] = st
	for _, ref := range p.TargetRefs {
		key := targetOf(p, ref)
		t := targetStatus{ref: ref, key: key}
		if ref.Kind == v1alpha1.TargetGateway {
			a.findListener(&t, key)
		} else {
			a.findRule(&t, key, number)
		}
		if holder, held := a.holders[key]; !held {
			a.holders[key] = Holder{number, ref.Kind == v1alpha1.TargetGateway && (t.missing || t.gone)}
		} else if holder.Policy != number {
			t.lostTo = policies[holder.Policy].String()
		}
		st.targets = append(st.targets, t)
	}
}

func (a *Attachments) findListener(t *targetStatus, key target) {
	gateway := nameIn(key.namespace, key.name)
	t.missing = a.known[gateway] == nil
	t.uncounted = a.uncounted[gateway]
	t.gone = !t.missing && key.section != "" && !a.has(gateway, key.section)
}

func (a *Attachments) findRule(t *targetStatus, key target, number int) {
	r := a.byKey[routeKey{string(key.kind), key.namespace, key.name}]
	t.missing = r == nil
	t.gone = !t.missing && key.section != "" && !r.hasRule(key.section)
	if _, lost := a.lostRules[r]; t.gone && !lost {
		a.lostRules[r] = Holder{number, true}
	}
}

// Status is the outcome of the targetRefs of a policy; nil if it has none.
func (a *Attachments) Status(policy int) *Status { return a.statuses[policy] }
