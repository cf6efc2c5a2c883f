package validate

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// validPolicy has one of everything. The files in testdata/invalid, and the
// tests beside the CRD, break each rule of it.
func validPolicy() *v1alpha1.AgentAuthPolicy {
	secret := v1alpha1.ObjectKeyReference{Name: "shared"}
	body := "no"
	return &v1alpha1.AgentAuthPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "orders"},
		Spec: v1alpha1.PolicySpec{
			Routes: []v1alpha1.Route{
				{Hostnames: []v1alpha1.Hostname{"orders.example.com", "*.orders.example.com", "*"}},
				{Hostnames: []v1alpha1.Hostname{"localhost"}, Matches: []gatewayv1.HTTPRouteMatch{{
					Path:        &gatewayv1.HTTPPathMatch{Value: new("/v1")},
					Headers:     []gatewayv1.HTTPHeaderMatch{{Name: "x-env", Value: "prod"}},
					QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "debug", Value: "1"}},
				}}},
			},
			Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{
				{Name: "staff", Basic: &v1alpha1.Basic{Users: v1alpha1.Users{SecretRef: secret}}},
				{Name: "partners", Requirement: v1alpha1.Required, JWT: &v1alpha1.JWT{
					Issuer: "https://idp.example.com", Audiences: []string{"orders"}, Algorithms: []v1alpha1.Algorithm{"ES256"},
					From: []v1alpha1.Place{
						{Header: &v1alpha1.HeaderPlace{Name: "authorization", Scheme: "Bearer"}},
						{Header: &v1alpha1.HeaderPlace{Name: "authorization", Scheme: "Token"}},
						{Cookie: &v1alpha1.NamedPlace{Name: "token"}}, {Query: &v1alpha1.NamedPlace{Name: "token"}},
					},
				}},
				{Name: "inside", JWT: &v1alpha1.JWT{
					AnyIssuer: true, AnyAudience: true, HMAC: &v1alpha1.HMAC{SecretRef: secret}, TokenTypes: []string{"at+jwt"},
				}},
				{Name: "keys", APIKey: &v1alpha1.APIKey{Selector: v1alpha1.KeySelector{
					MatchLabels: map[string]v1alpha1.LabelValue{"app.kubernetes.io/name": "orders"},
				}}},
				{Name: "public", Anonymous: &v1alpha1.Anonymous{}},
			}},
			Authorization: &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "managers", Require: "true"}}},
			Response: &v1alpha1.Response{
				Upstream:        &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{{Name: "x-agent-id", Value: "identity.subject"}}},
				Metadata:        map[string]v1alpha1.Expression{"agent": "identity.subject"},
				Unauthenticated: &v1alpha1.Denial{Status: 404, Body: &body},
				Unauthorized:    &v1alpha1.Denial{Headers: []v1alpha1.DenialHeader{{Name: "x-help", Value: "ask us"}}},
			},
		},
	}
}

func TestOfAValidPolicyOnlyAMethodThatNeverAppliesIsTold(t *testing.T) {
	problems := Policy(Default(validPolicy()))
	if len(problems) != 1 || problems[0].Severity != authz.Warning || problems[0].Field != "spec.authentication.methods[4].anonymous" {
		t.Error(problems)
	}
}

// What a schema cannot see.
func TestValidateSeesWhatTheSchemaCannot(t *testing.T) {
	regex := gatewayv1.PathMatchRegularExpression
	for name, c := range map[string]struct {
		change      func(*v1alpha1.PolicySpec)
		path, wants string
	}{
		"a pattern that is no regular expression": {func(s *v1alpha1.PolicySpec) {
			s.Routes[1].Matches[0].Path = &gatewayv1.HTTPPathMatch{Type: &regex, Value: new("/(")}
		}, "spec.routes[1].matches[0].path.value", "RE2 syntax"},
		"a path that every request spells otherwise": {func(s *v1alpha1.PolicySpec) {
			s.Routes[1].Matches[0].Path.Value = new("/%61dmin")
		}, "spec.routes[1].matches[0].path.value", `"/admin"`},
		"a header that some upstreams take for another": {func(s *v1alpha1.PolicySpec) {
			s.Response.Upstream.Headers = append(s.Response.Upstream.Headers, v1alpha1.UpstreamHeader{Name: "X_Agent.Id", Value: "''"})
		}, "spec.response.upstream.headers[1].name", `"X_Agent.Id"`},
		"an issuer that is no URL to Go": {func(s *v1alpha1.PolicySpec) {
			s.Authentication.Methods[1].JWT.Issuer = "https://idp.example.com:https"
		}, "spec.authentication.methods[1].jwt", `"https://idp.example.com:https"`},
		"a key set at what is no URL to Go": {func(s *v1alpha1.PolicySpec) {
			s.Authentication.Methods[1].JWT.JWKS = &v1alpha1.JWKS{URI: "https://:443/keys"}
		}, "spec.authentication.methods[1].jwt.jwks.uri", `"https://:443/keys"`},
		"a field that only a newer version knows": {func(s *v1alpha1.PolicySpec) {
			s.Unread = []string{"spec.routes[0].countries"}
		}, "spec.routes[0].countries", "upgrade agentauth"},
	} {
		t.Run(name, func(t *testing.T) {
			p := validPolicy()
			c.change(&p.Spec)
			errs := Policy(Default(p))
			if len(errs) != 1 || errs[0].Field != c.path || !strings.Contains(errs[0].Message, c.wants) {
				t.Errorf("expected %s: %s, got %v", c.path, c.wants, errs)
			}
		})
	}
}

func TestAFindingIsShortHoweverLongTheValue(t *testing.T) {
	p := validPolicy()
	p.Name = strings.Repeat("N", 10_000)
	p.Spec.Routes[1].Matches[0].Path.Value = new(strings.Repeat("x", 10_000))
	p.Spec.Authentication.Methods[0].Basic.Realm = strings.Repeat(`"`, 100)
	p.Spec.Authentication.Methods[1].JWT.Issuer = strings.Repeat("é", 2000)
	p.Spec.Response.Metadata = map[string]v1alpha1.Expression{strings.Repeat(" ", 10_000): "''"}
	p.Spec.Response.Upstream.Headers[0].Name = strings.Repeat(" ", 10_000)
	errs := Policy(Default(p))
	if len(errs) < 6 {
		t.Errorf("expected six findings, got %v", errs)
	}
	for _, err := range errs {
		if len(err.Message) > 600 {
			t.Errorf("expected at most 600 bytes, got %d: %.700s…", len(err.Message), err.Message)
		}
	}
}

func TestAPolicyWithoutNamespaceIsInDefault(t *testing.T) {
	p := validPolicy()
	if got := Default(p).Namespace; got != "default" {
		t.Errorf("expected default, got %q", got)
	}
	p.Namespace = "shop"
	if got := Default(p).Namespace; got != "shop" {
		t.Errorf("expected shop, got %q", got)
	}
}

func TestDefaultLeavesItsArgumentAlone(t *testing.T) {
	p := validPolicy()
	Default(p)
	if p.Namespace != "" || p.Spec.Routes[0].Matches != nil || p.Spec.Routes[1].Matches[0].Path.Type != nil ||
		p.Spec.Authentication.Methods[1].JWT.ClockSkew != nil || p.Spec.Response.Upstream.Credentials != "" {
		t.Error("expected a copy to be changed, got the original")
	}
}
