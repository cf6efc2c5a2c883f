package engine

import (
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

func required(m v1alpha1.Method) v1alpha1.Method {
	m.Requirement = v1alpha1.Required
	return m
}

// Each is a way in that some server somewhere left open.
func TestNothingIsAllowedThat(t *testing.T) {
	good := header("authorization", "Bearer "+tokenOf(t, idp))
	stranger := header("authorization", "Bearer "+tokenOf(t, "https://evil.example.com"))
	key, wrongKey := header("x-api-key", robotKey), header("x-api-key", robotKey+"x")
	scoped := partners(idp)
	scoped.JWT.Scopes = []string{"read", "admin"}
	inQuery := partners(idp)
	inQuery.JWT.From = []v1alpha1.Place{
		{Header: &v1alpha1.HeaderPlace{Name: "authorization", Scheme: "Bearer"}},
		{Query: &v1alpha1.NamedPlace{Name: "access_token"}}, {Cookie: &v1alpha1.NamedPlace{Name: "session"}},
	}
	methods := func(m ...v1alpha1.Method) *v1alpha1.AgentAuthPolicy { return onHost("p", "api.example.com", m...) }
	rule := func(when, require string) *v1alpha1.AgentAuthPolicy {
		p := methods(partners(idp))
		p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "r", When: v1alpha1.Expression(when), Require: v1alpha1.Expression(require)}}}
		return p
	}
	for name, c := range map[string]struct {
		policy  *v1alpha1.AgentAuthPolicy
		path    string
		headers []authz.Header
		outcome authz.Outcome
		status  int
		reason  authz.Reason
	}{
		"comes without a credential":                               {methods(partners(idp)), "/", nil, authz.Deny, 401, authz.NoCredential},
		"comes from another issuer":                                {methods(partners(idp)), "/", []authz.Header{stranger}, authz.Deny, 401, authz.IssuerMismatch},
		"has a bad token beside anonymous":                         {methods(partners(idp), anonymous()), "/", []authz.Header{stranger}, authz.Deny, 401, authz.IssuerMismatch},
		"has a bad key beside anonymous":                           {methods(keys("a"), anonymous()), "/", []authz.Header{wrongKey}, authz.Deny, 401, authz.UnknownCredential},
		"has another scheme beside anonymous":                      {methods(partners(idp), anonymous()), "/", []authz.Header{header("authorization", "Negotiate abc")}, authz.Deny, 401, authz.UnknownCredential},
		"has a malformed scheme beside anonymous":                  {methods(partners(idp), anonymous()), "/", []authz.Header{header("authorization", "Bearer")}, authz.Deny, 401, authz.CredentialMalformed},
		"has a key where a token is Required":                      {methods(required(partners(idp)), keys("a")), "/", []authz.Header{key}, authz.Deny, 401, authz.NoCredential},
		"has a token where a key is needed as well":                {methods(required(partners(idp)), keys("a")), "/", []authz.Header{good}, authz.Deny, 401, authz.NoCredential},
		"has one of two Required":                                  {methods(required(partners(idp)), required(keys("a"))), "/", []authz.Header{good}, authz.Deny, 401, authz.NoCredential},
		"lacks a scope of a Required method beside a key":          {methods(required(scoped), keys("a")), "/", []authz.Header{good, key}, authz.Deny, 403, authz.InsufficientScope},
		"has a JWT for a key":                                      {methods(keys("a")), "/", []authz.Header{header("x-api-key", tokenOf(t, idp))}, authz.Deny, 401, authz.IssuerMismatch},
		"has a token in two places":                                {methods(inQuery), "/?access_token=" + tokenOf(t, idp), []authz.Header{good}, authz.Deny, 400, authz.BadRequest},
		"has a token in the query and the cookie":                  {methods(inQuery), "/?access_token=x", []authz.Header{header("cookie", "session=y")}, authz.Deny, 400, authz.BadRequest},
		"has the query's token twice":                              {methods(inQuery), "/?access_token=x&access%5ftoken=y", nil, authz.Deny, 400, authz.BadRequest},
		"has two Authorization fields":                             {methods(partners(idp)), "/", []authz.Header{good, good}, authz.Deny, 400, authz.BadRequest},
		"has two tokens that a proxy joined":                       {methods(partners(idp)), "/", []authz.Header{header("authorization", good.Value+","+good.Value)}, authz.Deny, 400, authz.BadRequest},
		"has two keys that a proxy joined":                         {methods(keys("a")), "/", []authz.Header{header("x-api-key", robotKey+","+robotKey)}, authz.Deny, 400, authz.BadRequest},
		"has a password over plaintext":                            {methods(staff("staff")), "/plain", []authz.Header{header("authorization", "Basic YWxpY2U6c2VzYW1l")}, authz.Deny, 403, authz.PlaintextRefused},
		"has a method for which the Secret is missing":             {methods(staff("nowhere")), "/", []authz.Header{header("authorization", "Basic YWxpY2U6c2VzYW1l")}, authz.Error, 503, authz.Unavailable},
		"breaks a rule":                                            {rule("", "false"), "/", []authz.Header{good}, authz.Deny, 403, authz.RuleDenied},
		"makes a rule fail":                                        {rule("", `identity.claims.nothing == "x"`), "/", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"makes the condition of a rule fail":                       {rule(`identity.claims.nothing == "x"`, "true"), "/", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"has a parameter twice that a rule reads":                  {rule("", `request.query["tenant"] == "mine"`), "/?tenant=mine&tenant=victim", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"has a parameter under another spelling that a rule reads": {rule("", `request.query["tenant"] == "mine"`), "/?tenant=mine&t%65nant=victim", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"makes a header of a value that no header can have":        {setting(methods(partners(idp)), "x-agent", `request.query["v"]`), "/?v=a%0d%0ab", []authz.Header{good}, authz.Error, 503, authz.ExpressionFailed},
		"makes a header of a value with a line break behind":       {setting(methods(partners(idp)), "x-agent", `request.query["v"]`), "/?v=a%0a", []authz.Header{good}, authz.Error, 503, authz.ExpressionFailed},
		"has a header twice that a rule reads":                     {rule("", `request.headers["x-tenant"] == "mine"`), "/", []authz.Header{good, header("x-tenant", "mine"), header("x-tenant", "victim")}, authz.Deny, 403, authz.ExpressionFailed},
		"has a header twice that a condition of a rule reads":      {rule(`request.headers[?"x-tenant"].orValue("") == "victim"`, "false"), "/", []authz.Header{good, header("x-tenant", "victim"), header("x-tenant", "mine")}, authz.Deny, 403, authz.ExpressionFailed},
		"has a header under an alias that a condition reads":       {rule(`"x-tenant" in request.headers`, "false"), "/", []authz.Header{good, header("X_Tenant", "victim")}, authz.Deny, 403, authz.ExpressionFailed},
		"has a header that a condition names in capitals":          {rule(`"X-Impersonate-User" in request.headers`, "false"), "/", []authz.Header{good, header("x-impersonate-user", "root")}, authz.Deny, 403, authz.RuleDenied},
		"has a parameter in a list that a rule reads":              {rule("", `request.query["tenant"] == "mine"`), "/?tenant=mine&tenant[]=victim", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"has a parameter in a list that a rule lists":              {rule("", `!request.query.exists(k, request.query[k] == "victim")`), "/?tenant%5B%5D=victim", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"has a parameter behind a semicolon that a rule lists":     {rule("", `request.query != {"tenant": "victim"}`), "/?x=1;tenant=victim", []authz.Header{good}, authz.Deny, 403, authz.ExpressionFailed},
		"has a connection that names a header":                     {methods(partners(idp)), "/", []authz.Header{good, header("connection", "Upgrade, x-agent-id"), header("upgrade", "websocket")}, authz.Deny, 400, authz.BadRequest},
		"makes a header fail":                                      {setting(methods(partners(idp)), "x-agent", "string(identity.claims.nothing)"), "/", []authz.Header{good}, authz.Error, 503, authz.ExpressionFailed},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{c.policy}, Secrets: []*Object{robot("robot", "a", robotKey), alice("staff")}})
			e.Swap(s)
			raw := get("api.example.com", c.path, c.headers...)
			raw.TLS = c.path != "/plain"
			d := e.Decide(t.Context(), raw)
			decided(t, d, c.outcome, c.status, c.reason)
			if len(d.Set)+len(d.Remove)+len(d.RemoveQuery)+len(d.Metadata) > 0 {
				t.Errorf("a refusal changes the request: %+v", d)
			}
			challenged := slices.ContainsFunc(d.Headers, func(h authz.Header) bool { return h.Name == "www-authenticate" })
			if (d.Status == 401) && !challenged {
				t.Error("a 401 has no challenge")
			}
		})
	}
}

func TestWhatTheUpstreamMustNotSeeIsRemoved(t *testing.T) {
	good := "Bearer " + tokenOf(t, idp)
	both := setting(onHost("p", "api.example.com", partners(idp), keys("a")), "x-agent-id", "identity.subject")
	forward := both.DeepCopy()
	forward.Spec.Response.Upstream.Credentials = v1alpha1.Forward
	places := partners(idp)
	places.JWT.From = []v1alpha1.Place{
		{Header: &v1alpha1.HeaderPlace{Name: "authorization", Scheme: "Bearer"}},
		{Cookie: &v1alpha1.NamedPlace{Name: "session"}}, {Query: &v1alpha1.NamedPlace{Name: "access_token"}},
	}
	for name, c := range map[string]struct {
		policy  *v1alpha1.AgentAuthPolicy
		headers []authz.Header
		set     []authz.Header
		remove  []string
		query   []string
	}{
		"every place of a credential, used or not": {both, []authz.Header{header("authorization", good)},
			[]authz.Header{header("x-agent-id", "agent")}, []string{"authorization", "x-api-key"}, nil},
		"other spellings of a place": {both, []authz.Header{header("authorization", good), header("X_Api_Key", "forged"), header("x.api.key", "forged")},
			[]authz.Header{header("x-agent-id", "agent")}, []string{"authorization", "x-api-key", "x.api.key", "x_api_key"}, nil},
		"other spellings of a header that is set": {both, []authz.Header{header("authorization", good), header("X_Agent_Id", "root"), header("x-agent-id", "root")},
			[]authz.Header{header("x-agent-id", "agent")}, []string{"authorization", "x-api-key", "x_agent_id"}, nil},
		"a forged token beside a good key that is forwarded": {forward, []authz.Header{header("authorization", "Bearer "+tokenOf(t, "https://evil.example.com")), header("x-api-key", robotKey)},
			[]authz.Header{header("x-agent-id", "robot")}, []string{"authorization"}, nil},
		"nothing that is forwarded and succeeded": {forward, []authz.Header{header("authorization", good)},
			[]authz.Header{header("x-agent-id", "agent")}, []string{"x-api-key"}, nil},
		"a cookie among others and a parameter": {onHost("p", "api.example.com", places), []authz.Header{header("authorization", good), header("cookie", "a=1; session=; b=2")},
			[]authz.Header{header("cookie", "a=1; b=2")}, []string{"authorization"}, []string{"access_token"}},
		"the cookie header where nothing is left": {onHost("p", "api.example.com", places), []authz.Header{header("cookie", "session="+tokenOf(t, idp))},
			nil, []string{"authorization", "cookie"}, []string{"access_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{c.policy}, Secrets: []*Object{robot("robot", "a", robotKey)}})
			d := e.Decide(t.Context(), get("api.example.com", "/?access_token=", c.headers...))
			decided(t, d, authz.Allow, 0, authz.Allowed)
			if !slices.Equal(d.Set, c.set) || !slices.Equal(d.Remove, c.remove) || !slices.Equal(d.RemoveQuery, c.query) {
				t.Errorf("expected to set %v and to remove %v and %v, got %v, %v and %v", c.set, c.remove, c.query, d.Set, d.Remove, d.RemoveQuery)
			}
		})
	}
}

// A header means the same on every path of a host, whichever policy sets it.
func TestAHeaderThatANeighbourSetsCannotBeSentByTheCaller(t *testing.T) {
	foreign := setting(under(onHost("foreign", "api.example.com", anonymous()), "/foreign"), "x-tenant", "'t'")
	foreign.Namespace = "bank"
	e, _ := newWorld(Options{AllowUnmatched: true, OneTenant: true})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{
		setting(under(onHost("private", "api.example.com", partners(idp)), "/private"), "X-Agent-Id", "identity.subject"),
		under(onHost("public", "api.example.com", anonymous()), "/public"), foreign,
		setting(under(onHost("wide", "*.example.com", anonymous()), "/wide"), "x-wide", "'w'"),
	}})
	spoofed := []authz.Header{header("x-agent-id", "root"), header("X_Agent_Id", "root"), header("x!agent!id", "root"), header("x-tenant", "root"), header("x-wide", "root")}
	for path, want := range map[string][]string{
		"/public":  {"x!agent!id", "x-agent-id", "x-tenant", "x-wide", "x_agent_id"},
		"/foreign": {"x!agent!id", "x-agent-id", "x-wide", "x_agent_id"}, // what it sets it overwrites
		"/nobody":  {"x!agent!id", "x-agent-id", "x-tenant", "x-wide", "x_agent_id"},
	} {
		d := e.Decide(t.Context(), get("api.example.com", path, spoofed...))
		if d.Outcome != authz.Allow {
			t.Fatalf("%s: got %+v", path, d)
		}
		if !slices.Equal(d.Remove, want) {
			t.Errorf("%s: expected %v to be removed, got %v", path, want, d.Remove)
		}
	}
}
