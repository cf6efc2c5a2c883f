package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/signing"
)

func newSigningKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func signedPolicy(name, host, secret string) *v1alpha1.AgentAuthPolicy {
	p := setting(onHost(name, host, anonymous()), "x-a", `"a"`)
	ttl := gatewayv1.Duration("60s")
	p.Spec.Response.Upstream.Token = &v1alpha1.UpstreamToken{Signed: &v1alpha1.SignedToken{
		SecretRef: v1alpha1.ObjectKeyReference{Name: secret}, Audience: "orders", TTL: &ttl}}
	return p
}

func signingSecret(name string, entries map[string]string) *Object {
	return object(name, v1alpha1.UseSigning, entries)
}

func setOf(t *testing.T, e *Engine, namespace, secret string) (set jose.JSONWebKeySet) {
	t.Helper()
	if err := json.Unmarshal(signing.Set(e.Published(namespace, secret)), &set); err != nil {
		t.Fatal(err)
	}
	return set
}

// verifies says whether a key set that somebody holds verifies a token.
func verifies(t *testing.T, set jose.JSONWebKeySet, token string) bool {
	t.Helper()
	signed, err := jose.ParseSignedCompact(strings.TrimPrefix(token, "Bearer "), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	_, err = signed.Verify(set)
	return err == nil
}

// The recipe of docs/upstream-tokens.md, minute by minute: every token that is not yet
// over verifies with every key set that an upstream may still hold.
func TestWhileKeysRotateEveryTokenVerifiesWithEveryKeySetThatIsHeld(t *testing.T) {
	const maxAge, ttl, step = 5 * time.Minute, time.Minute, 30 * time.Second
	first, second := newSigningKey(t), newSigningKey(t)
	recipe := []struct {
		entries map[string]string
		lasts   time.Duration
	}{
		{map[string]string{"tls.key": first}, 3 * maxAge},
		{map[string]string{"tls.key": first, "next.key": second}, maxAge + step},
		{map[string]string{"tls.key": second, "previous.key": first}, maxAge + ttl},
		{map[string]string{"tls.key": second}, 3 * maxAge},
	}
	type at[T any] struct {
		when time.Time
		what T
	}
	var sets []at[jose.JSONWebKeySet]
	var tokens []at[string]
	e, _ := newWorld(Options{})
	now, signers := time.Unix(1_800_000_000, 0), map[string]bool{}
	for n, stage := range recipe {
		s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{signedPolicy("a", "a.example.com", "keys")}, Secrets: []*Object{signingSecret("keys", stage.entries)}})
		e.Swap(s)
		for end := now.Add(stage.lasts); now.Before(end); now = now.Add(step) {
			token := tokenOn(t, e, "a.example.com")
			sets, tokens = append(sets, at[jose.JSONWebKeySet]{now, setOf(t, e, "shop", "keys")}), append(tokens, at[string]{now, token})
			signers[strings.Split(token, ".")[0]] = true
			for _, set := range sets {
				for _, token := range tokens {
					if now.Sub(set.when) <= maxAge && now.Sub(token.when) <= ttl && !verifies(t, set.what, token.what) {
						t.Fatalf("stage %d: a token of %s ago does not verify with the keys of %s ago", n, now.Sub(token.when), now.Sub(set.when))
					}
				}
			}
		}
	}
	if len(signers) != 2 {
		t.Errorf("expected that both keys signed, got %d", len(signers))
	}
	if last := sets[len(sets)-1].what; len(last.Keys) != 1 || verifies(t, last, tokens[0].what) {
		t.Error("expected that the old key is published no more")
	}
}

func TestOnlyKeysOfSecretsThatAPolicyInForceSignsByArePublished(t *testing.T) {
	e, _ := newWorld(Options{})
	if e.Published("shop", "keys") != nil {
		t.Error("before anything is in force something is published")
	}
	invalid := signedPolicy("invalid", "invalid.example.com", "of-invalid")
	invalid.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "r", Require: "no expression"}}}
	bank := signedPolicy("bank", "bank.example.com", "keys")
	bank.Namespace = "bank"
	other := signingSecret("keys", map[string]string{"tls.key": newSigningKey(t)})
	other.Namespace = "bank"
	both := signedPolicy("both", "both.example.com", "keys")
	both.Spec.Response.Upstream.Token.Signed.SecretRef.Key = "another"
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{signedPolicy("a", "a.example.com", "keys"), both, bank, invalid},
		Secrets: []*Object{other, signingSecret("keys", map[string]string{"tls.key": newSigningKey(t), "another": newSigningKey(t), "unused": newSigningKey(t)}),
			signingSecret("of-nobody", map[string]string{"tls.key": newSigningKey(t)}), signingSecret("of-invalid", map[string]string{"tls.key": newSigningKey(t)})}}
	s, _ := e.Compile(in)
	e.Swap(s)
	if got := len(setOf(t, e, "shop", "keys").Keys); got != 2 {
		t.Errorf("expected those that the two policies sign by, got %d", got)
	}
	for _, name := range []string{"of-nobody", "of-invalid", "", "keys/"} {
		if got := e.Published("shop", name); got != nil {
			t.Errorf("%q: got %d keys", name, len(got))
		}
	}
	if !verifies(t, setOf(t, e, "bank", "keys"), tokenOn(t, e, "bank.example.com")) || verifies(t, setOf(t, e, "shop", "keys"), tokenOn(t, e, "bank.example.com")) {
		t.Error("expected that the keys of a tenant verify its own tokens only")
	}
	in.Secrets = in.Secrets[:1]
	s, _ = e.Compile(in)
	e.Swap(s)
	decided(t, e.Decide(t.Context(), get("a.example.com", "/")), authz.Error, 503, authz.UpstreamTokenUnavailable)
	if e.Published("shop", "keys") != nil {
		t.Error("the keys of a Secret that is gone are published")
	}
}

func TestAnUnreadableKeyThatSignsNothingIsReportedAndSpoilsNothing(t *testing.T) {
	e, _ := newWorld(Options{})
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{signedPolicy("a", "a.example.com", "keys")},
		Secrets: []*Object{signingSecret("keys", map[string]string{"tls.key": newSigningKey(t), "next.key": "hunter2"})}})
	e.Swap(s)
	if !verifies(t, setOf(t, e, "shop", "keys"), tokenOn(t, e, "a.example.com")) {
		t.Error("expected a token of the key that can be read")
	}
	problems := reports[0].Problems
	if len(problems) != 1 || problems[0].Key != "next.key" || problems[0].Reason != v1alpha1.ReasonRefInvalid || strings.Contains(problems[0].Message, "hunter2") {
		t.Errorf("got %+v", problems)
	}
}

// A claim over the arguments has no value where the body is not known, as a header.
func TestAClaimReadsAnMCPCallAsHeadersDo(t *testing.T) {
	policy := func(claim v1alpha1.Expression) *v1alpha1.AgentAuthPolicy {
		p := toolServer("mcp.example.com")
		p.Spec.Response = signedPolicy("x", "x.example.com", "keys").Spec.Response
		p.Spec.Response.Upstream.Token.Signed.Claims = map[string]v1alpha1.Expression{"call": claim}
		return p
	}
	for claim, want := range map[v1alpha1.Expression]authz.Reason{"mcp.tool": authz.Allowed, "mcp.arguments.?amount": authz.ExpressionFailed} {
		e, _ := newWorld(Options{TrustMCPMetadata: true})
		s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{policy(claim)}, Secrets: []*Object{signingSecret("keys", map[string]string{"tls.key": newSigningKey(t)})}})
		e.Swap(s)
		raw := get("mcp.example.com", "/")
		raw.Method = "POST"
		raw.Metadata = authz.MetadataMap{"envoy.filters.http.mcp": map[string]any{"is_mcp_request": true, "jsonrpc": "2.0", "method": "tools/call",
			"id": 1.0, "params": map[string]any{"name": "safe"}, "status": "mcp_ok"}}
		if d := e.Decide(t.Context(), raw); d.Reason != want {
			t.Errorf("%s: got %s (%s), wanted %s", claim, d.Reason, d.Detail, want)
		}
	}
	p := policy("mcp.tool")
	p.Spec.MCP = nil
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	if told := reports[0].Problems; len(told) == 0 || told[0].Field != "spec.response.upstream.token.signed.claims[call]" && told[len(told)-1].Field != "spec.response.upstream.token.signed.claims[call]" {
		t.Errorf("without spec.mcp: got %+v", told)
	}
}
