package policy_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// Whatever comes, a trace tells what it is and never the credential itself.
func TestWhatCameIsToldWithoutTheCredential(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString
	token := func(header, payload string) string {
		return part([]byte(header)) + "." + part([]byte(payload)) + "." + part([]byte("the-signature-of-it"))
	}
	jwt := &authn.JWT{
		Method: "idp", Issuer: "https://idp.example.com", Audiences: []string{"orders"}, Algorithms: []string{"HS256"}, NoType: true,
		Secret: []byte("0123456789abcdef0123456789abcdef"), Map: policy.Mapping{},
		From: []authn.Place{
			{In: authn.InHeader, Name: "authorization", Scheme: "Bearer"}, {In: authn.InHeader, Name: "sec-websocket-protocol", Scheme: "bearer"},
			{In: authn.InCookie, Name: "session"}, {In: authn.InQuery, Name: "access_token"},
		},
	}
	methods := []policy.Method{{Name: "idp", Authenticator: jwt}, {Name: "badges", Authenticator: &badge{}}}
	mine := `{"iss":"https://idp.example.com","aud":"orders","exp":1}`
	credentials := []string{
		"opaque-0123456789", "one.dot-0123456789", "a.b.c-0123456789", `"quoted-0123456789"`, "eve:wrong-0123456789",
		token(`{"alg":"HS256"}`, mine), token(`{"alg":"none"}`, mine), token(`{"alg":"HS256","kid":"k"}`, `{"iss":"x"}`),
		token(`{"alg":"HS256","alg":"x"}`, mine), token(`{"alg":"HS256"}`, mine) + "==", token(`{"alg":"HS256","crit":null}`, mine),
		token(`{"alg":"HS256","typ":"dpop+jwt"}`, mine), token(`{"alg":"HS256"}`, `{"iss":7}`), token(`{"alg":"HS256"}`, `{`),
	}
	for _, c := range credentials {
		for _, came := range []authz.Header{
			{Name: "authorization", Value: "Bearer " + c}, {Name: "authorization", Value: c}, {Name: "authorization", Value: "Token " + c},
			{Name: "authorization", Value: c + " " + c}, {Name: "authorization", Value: "Bearer  " + c + " x"}, {Name: "x-badge", Value: c},
			{Name: "sec-websocket-protocol", Value: "bearer, " + c}, {Name: "cookie", Value: "session=" + c}, {Name: ":path", Value: "/?access_token=" + c},
		} {
			raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "a.example.com", Path: "/", Time: noon}
			if came.Name == ":path" {
				raw.Path = came.Value
			} else {
				raw.Headers = []authz.Header{came}
			}
			r, err := authz.NewRequest(raw)
			if err != nil {
				continue // a quote in a path
			}
			trace := &authz.Trace{}
			d := policy.New(policy.Config{Name: "shop/p", Methods: methods}).Decide(t.Context(), r, policy.Host{}, trace)
			told := fmt.Sprintf("%+v %s %s", trace.Steps, d.Detail, d.Body)
			for _, secret := range append(strings.FieldsFunc(c, func(c rune) bool { return strings.ContainsRune(`.:"=`, c) }), c) {
				if len(secret) > 10 && strings.Contains(told, secret) {
					t.Errorf("%s %q: told is %s", came.Name, c, told)
				}
			}
			if d.Outcome == authz.Allow || !strings.Contains(told, "Came:") {
				t.Errorf("%s %q: got %s", came.Name, c, told)
			}
		}
	}
}

func TestWithoutATraceNothingIsMadeOfWhatCame(t *testing.T) {
	raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "a.example.com", Path: "/", Time: noon,
		Headers: []authz.Header{{Name: "x-badge", Value: "eve:x"}}}
	r, err := authz.NewRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	p := policy.New(policy.Config{Name: "shop/p", Methods: []policy.Method{{Name: "badges", Authenticator: &badge{}}}})
	if d := p.Decide(t.Context(), r, policy.Host{}, nil); d.Reason != authz.UnknownCredential || strings.Contains(d.Detail, "badges") {
		t.Errorf("got %s: %s", d.Reason, d.Detail)
	}
}
