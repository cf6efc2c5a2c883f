package engine

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// protecting says that a policy protects a resource.
func protecting(p *v1alpha1.AgentAuthPolicy, resource string) *v1alpha1.AgentAuthPolicy {
	p.Spec.MCP = &v1alpha1.MCP{Resource: resource, AuthorizationServers: []string{"https://" + p.Namespace + ".example.net"}}
	return p
}

// metadataOf asks for the metadata at a path, "" for the root form.
func metadataOf(t *testing.T, e *Engine, host, path string) authz.Decision {
	t.Helper()
	return e.Decide(t.Context(), get(host, policy.WellKnown+path))
}

func served(t *testing.T, e *Engine, host, path, by string) {
	t.Helper()
	d := metadataOf(t, e, host, path)
	if decided(t, d, authz.Respond, 200, authz.MetadataServed); d.Policy != by {
		t.Errorf("%s%s: expected the metadata of %s, got that of %s", host, path, by, d.Policy)
	}
}

func unserved(t *testing.T, e *Engine, host, path string, status int, reason authz.Reason) {
	t.Helper()
	d := metadataOf(t, e, host, path)
	if d.Status != status || d.Reason != reason {
		t.Errorf("%s%s: expected %d %s, got %s %d %s (%s)", host, path, status, reason, d.Outcome, d.Status, d.Reason, d.Detail)
	}
}

// protected lets some policies of a world say of a resource, or of none.
func (d dice) protected(in Input) Input {
	in.Policies = slices.Clone(in.Policies)
	for i, p := range in.Policies {
		if p.Spec.MCP != nil == d.often(85) {
			continue
		}
		p = p.DeepCopy()
		p.Generation++
		if in.Policies[i] = p; p.Spec.MCP != nil {
			p.Spec.MCP = nil
			continue
		}
		host := pick(d, "a.example.com", "b.example.com", "c.bank.test")
		if len(p.Spec.Routes) > 0 {
			h := p.Spec.Routes[0].Hostnames[0]
			host = strings.Replace(strings.Replace(string(h), "*.", "a.", 1), "*", "b.example.com", 1)
		}
		protecting(p, "https://"+host+pick(d, "", "/a", "/a", "/a/b"))
	}
	return in
}

func (d dice) metadataRequest() authz.Raw {
	raw := get(pick(d, "a.example.com", "a.example.com", "b.example.com", "c.bank.test", "a.bank.test"), policy.WellKnown+pick(d, "", "/a", "/a", "/a/b"))
	if d.often(30) {
		raw.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: pick(d, "shop", "other"), Name: pick(d, "h0", "h1")}
	}
	return raw
}

func TestTheMetadataOfAResourceComesAndGoesWithItsPolicy(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	first := protecting(under(onHost("first", "mcp.example.com", anonymous()), "/first"), "https://mcp.example.com/first")
	second := protecting(under(onHost("second", "mcp.example.com", anonymous()), "/second"), "https://mcp.example.com/second")
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{first}})
	served(t, e, "mcp.example.com", "/first", "shop/first")
	served(t, e, "mcp.example.com", "", "shop/first")

	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{first, second}})
	served(t, e, "mcp.example.com", "/first", "shop/first")
	served(t, e, "mcp.example.com", "/second", "shop/second")
	unserved(t, e, "mcp.example.com", "", 404, authz.NoPolicy)

	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{second}})
	unserved(t, e, "mcp.example.com", "/first", 403, authz.NoPolicy)
	served(t, e, "mcp.example.com", "", "shop/second")

	moved := second.DeepCopy()
	moved.Generation++
	protecting(moved, "https://mcp.example.com/second/sub")
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{moved}})
	unserved(t, e, "mcp.example.com", "/second", 403, authz.NoPolicy)
	served(t, e, "mcp.example.com", "/second/sub", "shop/second")

	load(t, e, Input{})
	unserved(t, e, "mcp.example.com", "/second/sub", 403, authz.NoPolicy)
	unserved(t, e, "mcp.example.com", "", 403, authz.NoPolicy)
}

// The policy that takes the requests for a resource takes its metadata too.
func TestTheMetadataOfAResourceFollowsItsRequests(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	wide := protecting(onHost("wide", "*.example.com", anonymous()), "https://mcp.example.com/mcp")
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{wide}}
	load(t, e, in)
	served(t, e, "mcp.example.com", "/mcp", "shop/wide")

	in.Policies = append(in.Policies, under(onHost("narrow", "mcp.example.com", anonymous()), "/other"))
	s, reports := e.Compile(in)
	e.Swap(s)
	unserved(t, e, "mcp.example.com", "/mcp", 403, authz.NoPolicy)
	if !warned(named(reports, "wide"), authz.MetadataUnreachable) {
		t.Errorf("expected the warning %s, got %v", authz.MetadataUnreachable, named(reports, "wide").Problems)
	}

	s, reports = e.Compile(Input{Policies: in.Policies[:1]})
	e.Swap(s)
	served(t, e, "mcp.example.com", "/mcp", "shop/wide")
	if warned(named(reports, "wide"), authz.MetadataUnreachable) {
		t.Error("expected no warning")
	}
}

func warned(r Report, lint authz.Lint) bool {
	return slices.ContainsFunc(r.Problems, func(p authz.Problem) bool { return p.Lint == lint && p.Severity == authz.Warning })
}

func TestAHostThatTwoNamespacesClaimHasNoMetadata(t *testing.T) {
	mine := of("mine", protecting(onHost("tools", "mcp.example.com", anonymous()), "https://mcp.example.com/mcp"))
	yours := of("yours", protecting(onHost("tools", "mcp.example.com", anonymous()), "https://mcp.example.com/mcp"))
	e, _ := tenants(t, Options{}, mine, yours)
	unserved(t, e, "mcp.example.com", "/mcp", 503, authz.HostDisputed)
	unserved(t, e, "mcp.example.com", "", 503, authz.HostDisputed)
}

func TestADisputedHostHasNoMetadataThoughItsRoutesDoNotMatchTheWellKnownPath(t *testing.T) {
	mine := of("mine", protecting(under(onHost("tools", "mcp.example.com", anonymous()), "/mcp"), "https://mcp.example.com/mcp"))
	yours := of("yours", protecting(under(onHost("tools", "*.example.com", anonymous()), "/mcp"), "https://mcp.example.com/mcp"))
	e, _ := tenants(t, Options{}, mine, yours)
	unserved(t, e, "mcp.example.com", "/mcp", 503, authz.HostDisputed)
}

// Who was not granted a host claims nothing there: no metadata, no place in the count.
func TestATenantWithoutAGrantNeitherServesNorShadowsMetadata(t *testing.T) {
	mine := of("mine", protecting(under(onHost("tools", "mcp.example.com", anonymous()), "/mcp"), "https://mcp.example.com/mcp"))
	same := of("yours", protecting(onHost("same", "mcp.example.com", anonymous()), "https://mcp.example.com/mcp"))
	other := of("yours", protecting(onHost("other", "mcp.example.com", anonymous()), "https://mcp.example.com/other"))
	root := of("yours", protecting(onHost("root", "mcp.example.com", anonymous()), "https://mcp.example.com"))
	for _, p := range []*v1alpha1.AgentAuthPolicy{same, other, root} {
		p.CreationTimestamp = metav1.NewTime(clock.Add(-1e9)) // older
	}
	e, _ := tenants(t, granted("mine=mcp.example.com"), mine, same, other, root)
	served(t, e, "mcp.example.com", "/mcp", "mine/tools")
	served(t, e, "mcp.example.com", "", "mine/tools")
	unserved(t, e, "mcp.example.com", "/other", 403, authz.NoPolicy)
}

// A wildcard's owner has nothing to say on a host of another one.
func TestTheOwnerOfAWildcardServesNoMetadataOfAnothersHost(t *testing.T) {
	mine := of("mine", under(onHost("api", "api.example.com", anonymous()), "/v1"))
	yours := of("yours", protecting(onHost("tools", "*.example.com", anonymous()), "https://api.example.com/mcp"))
	e, _ := tenants(t, granted("mine=api.example.com", "yours=*.example.com"), mine, yours)
	unserved(t, e, "api.example.com", "/mcp", 403, authz.NoPolicy)
}

// Routes of Gateway API have their host before `routes` of policies of others.
func TestTheHostOfATenantsRoutesHasNoMetadataOfAnother(t *testing.T) {
	e, _ := newWorld(Options{})
	in := gatewayInput("mine", "mcp.example.com")
	in.Policies = []*v1alpha1.AgentAuthPolicy{of("yours", protecting(onHost("tools", "mcp.example.com", anonymous()), "https://mcp.example.com/mcp"))}
	s, _ := e.Compile(in)
	e.Swap(s)
	if d := metadataOf(t, e, "mcp.example.com", "/mcp"); d.Outcome == authz.Respond || d.Outcome == authz.Allow {
		t.Errorf("expected no metadata, got %+v", d)
	}
	mine := of("mine", protecting(targeting(onHost("tools", "", anonymous()), "HTTPRoute", "route", ""), "https://mcp.example.com/mcp"))
	mine.Spec.Routes = nil
	in.Policies = append(in.Policies, mine)
	s, _ = e.Compile(in)
	e.Swap(s)
	served(t, e, "mcp.example.com", "/mcp", "mine/tools")
}

// gatewayInput has a Gateway, and a route of a namespace for POST /mcp on a host.
func gatewayInput(namespace, host string) Input {
	kind, value, post := gatewayv1.PathMatchPathPrefix, "/mcp", gatewayv1.HTTPMethodPost
	return Input{Objects: attach.Objects{
		Namespaces: []Namespace{{Name: namespace}},
		Gateways: []*gatewayv1.Gateway{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "edge"},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: class, Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}}}}},
		HTTPRoutes: []*gatewayv1.HTTPRoute{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "route"},
			Spec: gatewayv1.HTTPRouteSpec{
				CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "edge"}}},
				Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(host)},
				Rules: []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}, Method: &post,
					Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-env", Value: "prod"}}}}}},
			}}},
	}}
}

// Envoy Gateway names the route that serves the request for metadata, which is often
// another one than that of the resource.
func TestTheRouteThatTheProxyNamesDoesNotMatterToMetadata(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	in := gatewayInput("shop", "mcp.example.com")
	p := protecting(targeting(onHost("tools", "", anonymous()), "HTTPRoute", "route", ""), "https://mcp.example.com/mcp")
	p.Spec.Routes = nil
	in.Policies = []*v1alpha1.AgentAuthPolicy{p}
	s, reports := e.Compile(in)
	e.Swap(s)
	served(t, e, "mcp.example.com", "/mcp", "shop/tools")
	raw := get("mcp.example.com", policy.WellKnown+"/mcp")
	raw.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "well-known"}
	decided(t, e.Decide(t.Context(), raw), authz.Respond, 200, authz.MetadataServed)
	if !warned(named(reports, "tools"), authz.MetadataUnreachable) {
		t.Errorf("expected a warning, since no route serves the well-known path, got %v", named(reports, "tools").Problems)
	}

	value := policy.WellKnown
	route := in.HTTPRoutes[0].DeepCopy()
	kind := gatewayv1.PathMatchPathPrefix
	route.Generation++
	route.Spec.Rules = append(route.Spec.Rules, gatewayv1.HTTPRouteRule{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}}})
	in.HTTPRoutes = []*gatewayv1.HTTPRoute{route}
	_, reports = e.Compile(in)
	if warned(named(reports, "tools"), authz.MetadataUnreachable) {
		t.Errorf("expected no warning, got %v", named(reports, "tools").Problems)
	}
}

func TestTheMetadataOfAnInvalidPolicyIs503(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true, AllowUnmatched: true})
	p := protecting(under(onHost("tools", "mcp.example.com"), "/mcp"), "https://mcp.example.com/mcp") // without methods
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	e.Swap(s)
	unserved(t, e, "mcp.example.com", "/mcp", 503, authz.PolicyInvalid)
	if d := metadataOf(t, e, "mcp.example.com", "/mcp"); d.Policy != "shop/tools" {
		t.Errorf("expected the policy, got %q", d.Policy)
	}
	decided(t, e.Decide(t.Context(), get("mcp.example.com", "/other")), authz.Allow, 0, authz.Unmatched)
}

// Anybody may ask as often as they like.
func TestAnAnswerWithMetadataAllocatesNextToNothing(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{protecting(onHost("tools", "mcp.example.com", anonymous()), "https://mcp.example.com/mcp")}})
	raw := get("mcp.example.com", policy.WellKnown+"/mcp")
	if n := testing.AllocsPerRun(100, func() { e.Decide(t.Context(), raw) }); n > 4 {
		t.Errorf("expected at most 4 allocations, got %v", n)
	}
}

func TestExplainSaysWhoseMetadataIsTheAnswer(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{protecting(onHost("tools", "mcp.example.com", anonymous()), "https://mcp.example.com/mcp")}})
	_, steps := e.Explain(t.Context(), get("mcp.example.com", policy.WellKnown+"/mcp"))
	if len(steps) != 1 || steps[0].Name != "shop/tools" || !strings.Contains(steps[0].Detail, "metadata") {
		t.Errorf("expected a step, got %+v", steps)
	}
}

// A route that no Gateway admits is a tenant's own word: it has no host of others.
func TestARouteThatNoGatewayAdmitsGivesNoMetadataOfAHost(t *testing.T) {
	in := gatewayInput("yours", "api.example.com")
	in.HTTPRoutes[0].Spec.ParentRefs[0].Name = "gone"
	yours := protecting(targeting(onHost("tools", "", anonymous()), "HTTPRoute", "route", ""), "https://api.example.com/mcp")
	yours.Namespace = "yours"
	in.Policies = []*v1alpha1.AgentAuthPolicy{of("mine", onHost("api", "api.example.com", anonymous())), yours}
	e, _ := newWorld(Options{})
	s, _ := e.Compile(in)
	e.Swap(s)
	for _, route := range []*authz.RouteRef{nil, {Kind: "HTTPRoute", Namespace: "mine", Name: "any"}} {
		raw := get("api.example.com", policy.WellKnown+"/mcp")
		raw.Route = route
		if d := e.Decide(t.Context(), raw); d.Outcome == authz.Respond {
			t.Errorf("%v: expected no metadata, got that of %s", route, d.Policy)
		}
	}
	raw := get("api.example.com", policy.WellKnown+"/mcp")
	raw.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: "yours", Name: "route"}
	if d := e.Decide(t.Context(), raw); d.Outcome != authz.Respond || d.Policy != "yours/tools" {
		t.Errorf("expected the metadata where the proxy names a route of the namespace, got %+v", d)
	}
}

// Who has one path of a host that is shared does not speak for its root.
func TestTheRootFormIsNotHisWhoHasAPathOfAnothersHost(t *testing.T) {
	in := gatewayInput("mine", "mcp.example.com")
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	in.HTTPRoutes[0].Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}}}}
	from := gatewayv1.NamespacesFromAll
	in.Gateways[0].Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &from}}
	theirs := gatewayInput("yours", "mcp.example.com").HTTPRoutes[0]
	theirs.Spec.ParentRefs[0].Namespace = new(gatewayv1.Namespace("mine"))
	in.HTTPRoutes = append(in.HTTPRoutes, theirs)
	in.Namespaces = append(in.Namespaces, Namespace{Name: "yours"})
	yours := protecting(targeting(onHost("tools", "", anonymous()), "HTTPRoute", "route", ""), "https://mcp.example.com/mcp")
	yours.Namespace = "yours"
	in.Policies = []*v1alpha1.AgentAuthPolicy{yours}
	e, _ := newWorld(Options{})
	s, _ := e.Compile(in)
	e.Swap(s)
	served(t, e, "mcp.example.com", "/mcp", "yours/tools")
	unserved(t, e, "mcp.example.com", "", 403, authz.NoPolicy)

	mine := protecting(targeting(onHost("all", "", anonymous()), "HTTPRoute", "route", ""), "https://mcp.example.com/")
	mine.Namespace = "mine"
	in.Policies = append(in.Policies, mine)
	s, _ = e.Compile(in)
	e.Swap(s)
	served(t, e, "mcp.example.com", "/mcp", "yours/tools")
	served(t, e, "mcp.example.com", "", "mine/all")
}
