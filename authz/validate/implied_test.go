package validate

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

func TestAnImpliedScopeThatImpliesOthersIsWarnedOf(t *testing.T) {
	for name, c := range map[string]struct {
		implied v1alpha1.ImpliedScopes
		want    string
	}{
		"a chain":            {v1alpha1.ImpliedScopes{"admin": {"write"}, "write": {"read"}}, `"admin" holds "write", but not what that holds, "read"`},
		"all are listed":     {v1alpha1.ImpliedScopes{"admin": {"write", "read"}, "write": {"read"}}, ""},
		"two for each other": {v1alpha1.ImpliedScopes{"a": {"b"}, "b": {"a"}}, ""},
		"itself":             {v1alpha1.ImpliedScopes{"a": {"a", "b"}}, ""},
		"nothing":            {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, m := range []v1alpha1.Method{
				{Name: "a", JWT: &v1alpha1.JWT{Issuer: "https://idp.example.com", AnyAudience: true, ImpliedScopes: c.implied}},
				{Name: "a", Introspection: &v1alpha1.Introspection{Endpoint: "https://idp.example.com/i", AnyAudience: true, ImpliedScopes: c.implied,
					ClientCredentials: v1alpha1.ClientCredentials{SecretRef: v1alpha1.ObjectReference{Name: "c"}}}},
			} {
				p := &v1alpha1.AgentAuthPolicy{Spec: v1alpha1.PolicySpec{Routes: []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{"a.example.com"}}},
					Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{m}}}}
				p.Name = "p"
				got := Policy(Default(p))
				if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0].Lint != authz.ImpliesNoFurther || got[0].Severity != authz.Warning ||
					!strings.HasPrefix(got[0].Message, c.want) || !strings.HasSuffix(got[0].Field, ".impliedScopes[admin]")) {
					t.Errorf("got %v", got)
				}
			}
		})
	}
}
