package main

import (
	"encoding/json"
	"slices"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// otherGround says why a decision of the policy after does not follow from a record of
// the policy before: what established the identity, or would refuse the request before,
// is another thing now. recorded is nil where nobody was authenticated.
func otherGround(before, after *v1alpha1.AgentAuthPolicy, d *authz.Decision, recorded *authz.Identity) string {
	if before == nil || after == nil {
		return ""
	}
	if a, b := after.Spec.MCP, before.Spec.MCP; a != nil && (b == nil || !slices.Equal(a.AllowedOrigins, b.AllowedOrigins) || a.Resource != b.Resource) {
		return "mcp.resource or mcp.allowedOrigins of policy " + d.Policy + " is another than it was: neither the origin of the request nor the audiences of its token are in the record"
	}
	had, has := methodsOf(before), methodsOf(after)
	if d.Identity == nil {
		if slices.Contains(authz.Unauthenticated(), d.Reason) && mayTakeMore(had, has) {
			return "the methods of policy " + d.Policy + " are others than they were: whether they take what was refused is not in the record"
		}
		return "" // nobody was asked
	}
	i := slices.IndexFunc(has, func(m method) bool { return m.name == d.Identity.Method })
	if i < 0 || !slices.ContainsFunc(has, func(m method) bool { return m.kind != anonymous }) {
		return "" // it takes every request, whatever credential came
	}
	by := has[i]
	for _, m := range has {
		if !slices.Contains(had, m) && m.matters(by, recorded) {
			return "the method " + m.name + " of policy " + d.Policy + " is another than it was, or new: whether it takes the credential is not in the record"
		}
	}
	return ""
}

// method is a method of a policy, in plain values.
type method struct {
	name, kind, issuer string
	required           bool
	// rest is all of it but the scopes that it requires, which the recorded identity has
	// or lacks.
	rest string
}

const anonymous = "anonymous"

// asking are the kinds that ask others about a token that no other method knows.
var asking = []string{"oauth2Introspection", "kubernetesToken"}

// mayTakeMore says whether methods may take a request that others refused: one is new or
// another, or one that had to succeed is gone.
func mayTakeMore(had, has []method) bool {
	sufficient := func(m method) bool { return !m.required }
	return slices.ContainsFunc(has, func(m method) bool { return m.kind != anonymous && !slices.Contains(had, m) }) ||
		slices.ContainsFunc(had, func(m method) bool { return m.required && !slices.Contains(has, m) }) ||
		slices.ContainsFunc(had, sufficient) && !slices.ContainsFunc(has, sufficient)
}

// matters says whether a method that the record knows nothing of may take the request
// from the method that took it, or refuse it.
func (m method) matters(by method, recorded *authz.Identity) bool {
	switch {
	case m.kind == anonymous && by.kind != anonymous:
		return false // it takes no request with a credential
	case m == by && m.kind == anonymous:
		return recorded != nil // of another method of this name
	case m == by, m.required, by.kind == anonymous:
		return true
	case slices.Contains(asking, m.kind):
		return slices.Contains(asking, by.kind)
	case m.kind == "jwt":
		return by.kind == m.kind && (m.issuer == "" || recorded == nil || recorded.Issuer == "" || recorded.Issuer == m.issuer)
	}
	return m.kind == by.kind
}

func methodsOf(p *v1alpha1.AgentAuthPolicy) []method {
	var out []method
	for i := range p.Spec.Authentication.Methods {
		m := &p.Spec.Authentication.Methods[i]
		out = append(out, plainMethod(m))
	}
	return out
}

// plainMethod reads a method as JSON: its kind is the field that is no other.
func plainMethod(m *v1alpha1.Method) method {
	out := method{name: m.Name, required: m.Requirement == v1alpha1.Required}
	data, _ := json.Marshal(m) // each of them can be written
	var fields map[string]any
	_ = json.Unmarshal(data, &fields)
	for name, value := range fields {
		if value, ok := value.(map[string]any); ok {
			out.kind = name
			out.issuer, _ = value["issuer"].(string)
			delete(value, "scopes")
		}
	}
	data, _ = json.Marshal(fields)
	out.rest = string(data)
	return out
}
