package engine

import (
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// lintsOf are the words of the warnings of a policy, with their fields.
func lintsOf(t *testing.T, p *v1alpha1.AgentAuthPolicy) (out []string) {
	t.Helper()
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	for _, p := range reports[0].Problems {
		if p.Lint == "" && p.Severity.Fatal() {
			t.Errorf("expected a valid policy, got %v", p)
		} else if p.Lint != "" && p.Severity != authz.Warning {
			t.Errorf("expected a warning, got %+v", p)
		} else if p.Lint != "" {
			out = append(out, p.Field+" "+string(p.Lint)+" "+p.Message)
		}
	}
	return out
}

func TestRulesThatLeaveMethodsOpenAreWarnedOf(t *testing.T) {
	const reads, writes = `request.method == "GET"`, `request.method in ["POST", "PUT", "DELETE"]`
	for name, c := range map[string]struct {
		whens     []string
		otherwise v1alpha1.Otherwise
		only      []string
		open      string
	}{
		"readers and writers":               {whens: []string{reads, writes}, open: "HEAD, PATCH, OPTIONS"},
		"the other way round":               {whens: []string{`"GET" == request.method`, `["POST","PUT","DELETE"].exists(m, m == request.method)`}, open: "HEAD, PATCH, OPTIONS"},
		"beside a condition on the path":    {whens: []string{reads + ` && pathPrefix(request.path, "/v1")`, writes}, open: "HEAD, PATCH, OPTIONS"},
		"refused otherwise":                 {whens: []string{reads, writes}, otherwise: v1alpha1.OtherwiseDeny},
		"beside a rule without a condition": {whens: []string{reads, writes, ""}},
		"with a rule for the rest":          {whens: []string{reads, `request.method != "GET"`}},
		"of paths":                          {whens: []string{`pathPrefix(request.path, "/v1")`, `pathPrefix(request.path, "/v2")`}},
		"that name what they leave out":     {whens: []string{`!(request.method in ["GET", "HEAD", "OPTIONS"])`}},
		"of matches for these methods":      {whens: []string{reads, writes}, only: []string{"GET", "POST"}},
		"of a match for another":            {whens: []string{reads, writes}, only: []string{"GET", "PATCH"}, open: "PATCH"},
		"for some that write":               {whens: []string{writes}, open: "PATCH"},
		"for one that writes":               {whens: []string{`request.method == "DELETE"`}},
		"for reading alone":                 {whens: []string{reads}, open: "HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
		"for all that write":                {whens: []string{`request.method in ["POST", "PUT", "PATCH", "DELETE"]`}},
		"with one rule for any method":      {whens: []string{reads, `identity.subject == "x"`}},
	} {
		p := onHost("p", "api.example.com", anonymous())
		p.Spec.Authorization = &v1alpha1.Authorization{Otherwise: c.otherwise}
		for i, when := range c.whens {
			p.Spec.Authorization.Rules = append(p.Spec.Authorization.Rules,
				v1alpha1.Rule{Name: "r" + string(rune('a'+i)), When: v1alpha1.Expression(when), Require: "false"})
		}
		for _, m := range c.only {
			p.Spec.Routes[0].Matches = append(p.Spec.Routes[0].Matches, gatewayv1.HTTPRouteMatch{Method: new(gatewayv1.HTTPMethod(m))})
		}
		switch got := lintsOf(t, p); {
		case c.open == "" && len(got) > 0:
			t.Errorf("rules %s: expected no warning, got %q", name, got)
		case c.open != "" && (len(got) != 1 || !strings.HasPrefix(got[0], "spec.authorization.rules RulesLeaveMethodsOpen ") ||
			!strings.Contains(got[0], "methods "+c.open+", so") || !strings.Contains(got[0], "otherwise: Deny")):
			t.Errorf("rules %s: expected a warning of %s, got %q", name, c.open, got)
		}
	}
}

func TestExpressionsAreWarnedOfWhereverTheyStand(t *testing.T) {
	p := onHost("p", "api.example.com", anonymous())
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{
		{Name: "a", When: `request.path.startsWith("/admin")`, Require: `identities["nope"].subject == "x"`}}}
	p.Spec.Response = &v1alpha1.Response{
		Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{{Name: "x-a", Value: `request.method == "get" ? "a" : "b"`}}},
		Metadata: map[string]v1alpha1.Expression{"a": `identity.method == "other"`},
	}
	got := strings.Join(lintsOf(t, p), "\n")
	for _, want := range []string{
		"spec.authorization.rules[0].when PrefixWithoutSlash 1:25: ", `pathPrefix(request.path, "/admin")`,
		"spec.authorization.rules[0].require UnknownMethodName 1:12: ", "the methods are " + p.Spec.Authentication.Methods[0].Name,
		"spec.response.upstream.headers[0].value NeverTrue 1:19: ", "spec.response.metadata[a] UnknownMethodName 1:20: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("expected %q in the warnings, got\n%s", want, got)
		}
	}
}

func TestMatchesThatMatchNothingAreWarnedOf(t *testing.T) {
	match := func(kind gatewayv1.PathMatchType, value string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}
	}
	const exact, prefix, pattern = gatewayv1.PathMatchExact, gatewayv1.PathMatchPathPrefix, gatewayv1.PathMatchRegularExpression
	get := match(prefix, "/v1")
	get.Method = new(gatewayv1.HTTPMethodGet)
	header := func(kind gatewayv1.HeaderMatchType, value string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Type: &kind, Name: "x-a", Value: value}}}
	}
	headers := func(names ...string) (m gatewayv1.HTTPRouteMatch) {
		for _, n := range names {
			m.Headers = append(m.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(n), Value: "v"})
		}
		return m
	}
	for name, c := range map[string]struct {
		matches []gatewayv1.HTTPRouteMatch
		want    string
	}{
		"a wildcard of an Ingress":      {[]gatewayv1.HTTPRouteMatch{match(prefix, "/v1/*")}, "spec.routes[0].matches[0].path.value LiteralWildcard"},
		"a wildcard under Exact":        {[]gatewayv1.HTTPRouteMatch{match(exact, "/v1/*")}, "spec.routes[0].matches[0].path.value LiteralWildcard"},
		"a wildcard in the middle":      {[]gatewayv1.HTTPRouteMatch{match(prefix, "/v1/*/x")}, "spec.routes[0].matches[0].path.value LiteralWildcard"},
		"a pattern":                     {[]gatewayv1.HTTPRouteMatch{match(pattern, "/v1/[a-z]*")}, ""},
		"the same twice":                {[]gatewayv1.HTTPRouteMatch{match(prefix, "/v1"), match(prefix, "/v2"), match(prefix, "/v1")}, "spec.routes[0].matches[2] NeverDecides routes[0].matches[0] is equal"},
		"the same of one method":        {[]gatewayv1.HTTPRouteMatch{get, get}, "spec.routes[0].matches[1] NeverDecides routes[0].matches[0] is equal"},
		"headers in another order":      {[]gatewayv1.HTTPRouteMatch{headers("x-a", "x-b"), headers("X-B", "X-A")}, "spec.routes[0].matches[1] NeverDecides"},
		"other headers":                 {[]gatewayv1.HTTPRouteMatch{headers("x-a"), headers("x-b")}, ""},
		"one more method, which counts": {[]gatewayv1.HTTPRouteMatch{get, match(prefix, "/v1")}, ""},
		"a prefix of a prefix, which comes before a match of another policy between them": {[]gatewayv1.HTTPRouteMatch{match(prefix, "/v1"), match(prefix, "/v1/x")}, ""},
		"a path that no request has":    {[]gatewayv1.HTTPRouteMatch{match(exact, "/%2541")}, "spec.routes[0].matches[0].path.value NeverDecides every request"},
		"a control character":           {[]gatewayv1.HTTPRouteMatch{match(prefix, "/a%00b")}, "spec.routes[0].matches[0].path.value NeverDecides every request"},
		"a space that is encoded":       {[]gatewayv1.HTTPRouteMatch{match(prefix, "/a%20b")}, ""},
		"a pattern without its slash":   {[]gatewayv1.HTTPRouteMatch{match(pattern, "v1/.*")}, "spec.routes[0].matches[0].path.value NeverDecides \"v1/.*\" matches no path"},
		"a pattern of a URL":            {[]gatewayv1.HTTPRouteMatch{match(pattern, "^https://api.example.com/.*")}, "spec.routes[0].matches[0].path.value NeverDecides"},
		"a pattern with a query":        {[]gatewayv1.HTTPRouteMatch{match(pattern, `/v1\?a=.*`)}, "spec.routes[0].matches[0].path.value NeverDecides"},
		"a pattern that goes on":        {[]gatewayv1.HTTPRouteMatch{match(pattern, "/v1$/.*")}, "spec.routes[0].matches[0].path.value NeverDecides"},
		"a pattern that may do without": {[]gatewayv1.HTTPRouteMatch{match(pattern, "/?v1(/.*)?")}, ""},
		"a header with a space behind":  {[]gatewayv1.HTTPRouteMatch{header(gatewayv1.HeaderMatchExact, "a ")}, "spec.routes[0].matches[0].headers[0].value NeverDecides"},
		"a header of two lines":         {[]gatewayv1.HTTPRouteMatch{header(gatewayv1.HeaderMatchRegularExpression, `a\nb`)}, "spec.routes[0].matches[0].headers[0].value NeverDecides"},
		"a header with a space":         {[]gatewayv1.HTTPRouteMatch{header(gatewayv1.HeaderMatchExact, "a b")}, ""},
		"a parameter that cannot be":    {[]gatewayv1.HTTPRouteMatch{{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Type: new(gatewayv1.QueryParamMatchRegularExpression), Name: "a", Value: "a^b"}}}}, "spec.routes[0].matches[0].queryParams[0].value NeverDecides"},
		"other methods":                 {[]gatewayv1.HTTPRouteMatch{get, match(prefix, "/v2")}, ""},
		"the beginning of a word":       {[]gatewayv1.HTTPRouteMatch{match(prefix, "/v1"), match(prefix, "/v10")}, ""},
		"a prefix behind one of GET":    {[]gatewayv1.HTTPRouteMatch{get, match(prefix, "/v1/x")}, ""},
	} {
		p := onHost("p", "api.example.com", anonymous())
		p.Spec.Routes[0].Matches = c.matches
		switch got := lintsOf(t, p); {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: expected no warning, got %q", name, got)
		case c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)):
			t.Errorf("%s: expected %s, got %q", name, c.want, got)
		}
	}
}

func TestAMatchOfAnEarlierRouteIsWarnedOfOnlyIfItHasTheHosts(t *testing.T) {
	for name, c := range map[string]struct {
		first, second []v1alpha1.Hostname
		warned        bool
	}{
		"the same host":         {[]v1alpha1.Hostname{"a.example.com"}, []v1alpha1.Hostname{"a.example.com"}, true},
		"one of the hosts":      {[]v1alpha1.Hostname{"a.example.com", "b.example.com"}, []v1alpha1.Hostname{"b.example.com"}, true},
		"one host more":         {[]v1alpha1.Hostname{"a.example.com"}, []v1alpha1.Hostname{"a.example.com", "b.example.com"}, false},
		"a wildcard and a host": {[]v1alpha1.Hostname{"*.example.com"}, []v1alpha1.Hostname{"a.example.com"}, false},
	} {
		p := onHost("p", "api.example.com", anonymous())
		of := func(hosts []v1alpha1.Hostname) v1alpha1.Route {
			return v1alpha1.Route{Hostnames: hosts, Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: new("/v1")}}}}
		}
		p.Spec.Routes = []v1alpha1.Route{of(c.first), of(c.second)}
		got := lintsOf(t, p)
		if warned := len(got) == 1 && strings.HasPrefix(got[0], "spec.routes[1].matches[0] NeverDecides routes[0].matches[0] is equal"); warned != c.warned || len(got) > 1 {
			t.Errorf("%s: expected %v, got %q", name, c.warned, got)
		}
	}
}
