package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// The plain way to make the answer of a denial.

type plainDetails struct {
	Type   string `json:"type"`
	Title  string `json:"title,omitempty"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Rule   string `json:"rule,omitempty"`
}

func plainProblem(status int, detail, rule string) string {
	b, err := json.Marshal(plainDetails{Type: "about:blank", Title: titles[status], Status: status, Detail: detail, Rule: rule})
	if err != nil {
		return "{}"
	}
	return string(b)
}

func plainAnswer(d *authz.Decision, detail, rule string, override *v1alpha1.Denial) {
	if override != nil && override.Status != 0 {
		d.Status = int(override.Status)
	}
	contentType := "application/problem+json"
	d.Body = plainProblem(d.Status, detail, rule)
	if override == nil {
		d.Headers = append(d.Headers, authz.Header{Name: "content-type", Value: contentType})
		return
	}
	if override.Body != nil {
		d.Body, contentType = *override.Body, "text/plain; charset=utf-8"
	}
	for _, h := range override.Headers {
		name := strings.ToLower(h.Name)
		if name == "content-type" {
			contentType = h.Value
			continue
		}
		d.Headers = append(d.Headers, authz.Header{Name: name, Value: h.Value})
	}
	if d.Body != "" {
		d.Headers = append(d.Headers, authz.Header{Name: "content-type", Value: contentType})
	}
}

func FuzzProblemsAreTheSameJSONAsMarshalled(f *testing.F) {
	f.Add(401, "Nothing allows this request.", "")
	f.Add(418, "a \"quoted\" \\ <text> \u2028 of \x00 \x1f \x7f é 𝄞", "a/rule")
	f.Add(503, "\xff", "\xc3\x28")
	f.Add(-1, "", "\ufffd")
	f.Fuzz(func(t *testing.T, status int, detail, rule string) {
		got := problem(status, detail, rule)
		if want := plainProblem(status, detail, rule); got != want {
			t.Errorf("expected %s, got %s", want, got)
		}
	})
}

func TestAnswersThatAreMadeOnceAreThoseThatAreMadeForEachRequest(t *testing.T) {
	empty, text := "", "no"
	header := func(name, value string) v1alpha1.DenialHeader { return v1alpha1.DenialHeader{Name: name, Value: value} }
	overrides := []*v1alpha1.Denial{nil, {}, {Status: 404}, {Body: &empty}, {Body: &text}, {Status: 302, Body: &empty, Headers: []v1alpha1.DenialHeader{header("Location", "/login")}},
		{Headers: []v1alpha1.DenialHeader{header("X-A", "1"), header("Content-Type", "text/html")}, Body: &text}, {Headers: []v1alpha1.DenialHeader{header("content-type", "a/b")}}}
	challenge := []authz.Header{{Name: "www-authenticate", Value: "Bearer"}}
	for _, of := range []changeable{sendCredential, sendAnother, useHTTPS, lacksScope, noRuleAllows} {
		for i, override := range overrides {
			for _, headers := range [][]authz.Header{nil, challenge} {
				want := authz.Decision{Status: of.plain.status, Headers: slices.Clone(headers)}
				plainAnswer(&want, of.detail, "", override)
				for range 2 { // what was answered first changes nothing
					got := authz.Decision{Headers: slices.Clone(headers)}
					of.of(override).answer(&got)
					got.Headers = append(got.Headers, authz.Header{})
					got.Headers = got.Headers[:len(got.Headers)-1]
					if got.Status != want.Status || got.Body != want.Body || !slices.Equal(got.Headers, want.Headers) {
						t.Errorf("%d: expected %+v, got %+v", i, want, got)
					}
				}
			}
		}
	}
}
