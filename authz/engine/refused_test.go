package engine

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

func TestADecisionSaysTheVersionThatDecided(t *testing.T) {
	e, _ := newWorld(Options{})
	p := onHost("p", "api.example.com", anonymous())
	p.Generation = 7
	decide := func(p *v1alpha1.AgentAuthPolicy) *authz.PolicyVersion {
		t.Helper()
		s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
		e.Swap(s)
		d := e.Decide(t.Context(), get("api.example.com", "/"))
		if d.Policy != "shop/p" || d.Version == nil || *d.Version != *policy.VersionOf(p) {
			t.Fatalf("got %+v", d)
		}
		return d.Version
	}
	first := decide(p)
	if first.Generation != 7 {
		t.Errorf("got %+v", first)
	}
	if again := decide(p.DeepCopy()); again != first {
		t.Error("expected one version for all decisions of a policy")
	}
	edited := p.DeepCopy()
	edited.Generation, edited.Spec.Authentication.Methods[0].Name = 8, "another"
	if second := decide(edited); second.Generation != 8 || second.Digest == first.Digest {
		t.Errorf("got %+v after %+v", second, first)
	}
	back := p.DeepCopy()
	back.Generation = 9
	if third := decide(back); third.Generation != 9 || third.Digest != first.Digest {
		t.Errorf("got %+v after %+v", third, first)
	}
	invalid := p.DeepCopy()
	invalid.Generation, invalid.Spec.Authentication.Methods[0].Name = 10, "No Name"
	if last := decide(invalid); last.Generation != 10 {
		t.Errorf("got %+v", last)
	}
}

// A request is one text, whose buffer is used again once it was decided.
func TestNothingThatIsSaidOfWhoWasRefusedIsAPartOfTheRequest(t *testing.T) {
	w := newProviders(t)
	p := onHost("p", "api.example.com", partners(idp), staff("staff"), v1alpha1.Method{Name: "keys", APIKey: &v1alpha1.APIKey{
		Selector: v1alpha1.KeySelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "a"}}}})
	users := object("staff", v1alpha1.UseBasic, map[string]string{"username": "alice", "password": "a password of alice"})
	users.Type = "kubernetes.io/basic-auth"
	e := w.engine(w.cache())
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Secrets: []*Object{users}})
	claims := fmt.Sprintf(`{"iss":%q,"aud":"b","sub":"agent","jti":"token 1","act":{"sub":"actor"},"exp":%d}`, idp, clock.Unix()+3600)
	for name, c := range map[string]struct {
		value  string
		reason authz.Reason
		want   string
	}{
		"verified":       {"Bearer " + signedBy(t, "one", claims), authz.AudienceMismatch, "agent"},
		"forged":         {"Bearer " + signedBy(t, "two", claims), authz.KeyUnknown, "agent"},
		"of nobody":      {"Bearer " + signedBy(t, "one", strings.Replace(claims, "idp", "pdi", 1)), authz.IssuerMismatch, "agent"},
		"wrong password": {"Basic " + base64.StdEncoding.EncodeToString([]byte("mallory@b.example.com:a password of her")), authz.PasswordMismatch, "mallory@b.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := w.get("")
			raw.ID = "the id of the request"
			var buffers [][]byte
			for _, text := range []*string{&raw.ID, &raw.Host, &raw.Path, &raw.Method, &raw.Headers[0].Value} {
				if text == &raw.Headers[0].Value {
					*text = c.value
				}
				b := []byte(*text)
				buffers = append(buffers, b)
				*text = unsafe.String(&b[0], len(b))
			}
			d := e.Decide(t.Context(), raw)
			said := func() string {
				text := d.Body
				if d.Refused != nil {
					text += fmt.Sprintf("%+v %+v", *d.Refused, d.Refused.Actor)
				}
				if d.Claimed != nil {
					text += fmt.Sprintf("%+v", *d.Claimed)
				}
				return text
			}
			before := strings.Clone(said())
			for _, b := range buffers {
				for i := range b {
					b[i] = '!'
				}
			}
			if after := said(); d.Reason != c.reason || after != before || !strings.Contains(before, c.want) {
				t.Errorf("%s: got %s, and %s once the buffer is used again", d.Reason, before, after)
			}
		})
	}
}

func TestARefusedCredentialIsNotKept(t *testing.T) {
	w := newProviders(t)
	cache := w.cache()
	e := w.engine(cache)
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{api(partners(idp))}})
	token := signedBy(t, "one", fmt.Sprintf(`{"iss":%q,"aud":"b","sub":"agent","exp":%d}`, idp, clock.Unix()+3600))
	for range 2 {
		if d := e.Decide(t.Context(), w.get(token)); d.Reason != authz.AudienceMismatch || d.Refused == nil || d.Refused.Subject != "agent" {
			t.Errorf("got %+v", d)
		}
	}
	if s := cache.Stats(); s.Entries != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestEveryProblemDocumentNamesTheRequest(t *testing.T) {
	literal := `{"type":"about:blank","status":401}`
	own := onHost("own", "own.example.com", partners(idp))
	own.Spec.Response = &v1alpha1.Response{Unauthenticated: &v1alpha1.Denial{Body: &literal,
		Headers: []v1alpha1.DenialHeader{{Name: "content-type", Value: "application/problem+json"}}}}
	status := onHost("status", "status.example.com", partners(idp))
	status.Spec.Response = &v1alpha1.Response{Unauthenticated: &v1alpha1.Denial{Status: 404}}
	ruled := onHost("ruled", "ruled.example.com", anonymous())
	ruled.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "never", Require: "false"}}}
	invalid := onHost("invalid", "invalid.example.com", v1alpha1.Method{Name: "nothing"})
	e, _ := newWorld(Options{})
	ask := func(host, path, id string, headers ...authz.Header) authz.Decision {
		raw := get(host, path, headers...)
		raw.ID = id
		return e.Decide(t.Context(), raw)
	}
	named := func(what string, d authz.Decision, id string) {
		t.Helper()
		var document struct {
			Type      string `json:"type"`
			Status    int    `json:"status"`
			RequestID string `json:"requestId"`
		}
		if err := json.Unmarshal([]byte(d.Body), &document); err != nil || document.Type != "about:blank" || document.Status != d.Status || document.RequestID != id {
			t.Errorf("%s: got %s (%v)", what, d.Body, err)
		}
	}
	named("before the first load", ask("api.example.com", "/", "r-0"), "r-0")
	snapshot, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{own, status, ruled, invalid, onHost("api", "api.example.com", partners(idp))}})
	e.Swap(snapshot)
	named("without a credential", ask("api.example.com", "/", "r-1"), "r-1")
	named("of no policy", ask("nobody.example.com", "/", "r-2"), "r-2")
	named("of a path with two readings", ask("api.example.com", "//", "r-3"), "r-3")
	named("of another status", ask("status.example.com", "/", "r-4"), "r-4")
	named("of a rule", ask("ruled.example.com", "/", "r-5"), "r-5")
	named("of an invalid policy", ask("invalid.example.com", "/", "r-6"), "r-6")
	if d := ask("own.example.com", "/", "r-7"); d.Body != literal {
		t.Errorf("got %s", d.Body)
	}
	for id, want := range map[string]string{
		"": "", `a"b\c</script>`: `a"b\c</script>`, strings.Repeat("a", 128): strings.Repeat("a", 128), strings.Repeat("a", 129): "",
		"a b": "", "a\nb": "", "a\x00": "", "é": "", "\xff": "", "\x7f": "",
	} {
		named(fmt.Sprintf("the id %q", id), ask("api.example.com", "/", id), want)
	}
	e.deps.Stale = func() bool { panic("a defect") }
	named("of a panic", ask("api.example.com", "/", "r-8"), "r-8")
}
