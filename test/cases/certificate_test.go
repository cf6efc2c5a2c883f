package cases

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

func certificateWorld(t *testing.T, authorities, trustDomain string) engine.Input {
	t.Helper()
	text, err := Expand(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication:
    methods: [{name: workloads, clientCertificate: {trustDomains: [` + trustDomain + `], certificateAuthorities: {configMapRef: {name: mesh-ca}}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mesh-ca, namespace: shop, labels: {agentauth.dev/use: ca}}
data: {ca.crt: "` + authorities + `"}
`)
	if err != nil {
		t.Fatal(err)
	}
	in, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// What was verified a moment ago holds no longer than what it was verified with.
func TestACertificateThatIsKeptIsHeldToTheTimeAndToThePolicyInForce(t *testing.T) {
	cache := verified.New(verified.Options{Bytes: 1 << 20})
	e := keepingEngine(t, File{}, certificateWorld(t, "${ca mesh}", "prod"), cache)
	text, err := Expand(`${cert mesh {"uri":["spiffe://prod/a"],"ends":60}}`)
	if err != nil {
		t.Fatal(err)
	}
	raw := authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/", TLS: true, Time: Now, Source: authz.Source{Certificate: text}}
	decide := func(step, want string, after time.Duration) {
		t.Helper()
		raw.Time = Now.Add(after)
		if d := e.Decide(t.Context(), raw); Check(&d, []string{want}, true) != nil {
			t.Errorf("%s: wanted %s, got %s %d %s: %s", step, want, d.Outcome, d.Status, d.Reason, d.Detail)
		}
	}
	swap := func(authorities, trustDomain string) {
		t.Helper()
		s, _ := e.Compile(certificateWorld(t, authorities, trustDomain))
		e.Swap(s)
	}
	decide("at first", "allow", 0)
	decide("kept", "allow", time.Minute)
	if s := cache.Stats(); s.Hits != 1 || s.Entries != 1 {
		t.Fatalf("it is not kept: %+v", s)
	}
	decide("after its end", "deny 401 CertificateExpired", time.Minute+time.Second)
	decide("before its beginning", "deny 401 CertificateExpired", -2*time.Minute)
	swap("${ca mesh}", "test")
	decide("of another trust domain", "deny 401 CertificateUntrusted", 0)
	swap("${ca other}", "prod")
	decide("of another authority", "deny 401 CertificateUntrusted", 0)
	swap("", "prod")
	decide("without any", "error 503 Unavailable", 0)
	swap("${ca other}${ca mesh}", "prod")
	decide("of one of two", "allow", 0)
}

// The nearest to a certificate that a caller can send is a good one that was changed a
// little. None of these is let through.
func TestACertificateThatWasChangedIsNobodys(t *testing.T) {
	e := keepingEngine(t, File{}, certificateWorld(t, "${ca mesh}", "prod"), verified.New(verified.Options{Bytes: 1 << 20}))
	text, err := Expand(`${cert mesh {"uri":["spiffe://prod/a"]}}`)
	if err != nil {
		t.Fatal(err)
	}
	raw := authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/", TLS: true, Time: Now, Source: authz.Source{Certificate: text}}
	if d := e.Decide(t.Context(), raw); d.Outcome != authz.Allow {
		t.Fatalf("got %s: %s", d.Reason, d.Detail)
	}
	original, err := authn.ParsePeerCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	const from, digits = len("-----BEGIN%20CERTIFICATE-----%0A"), "ABab01"
	changed := 0
	for i := from; i < strings.Index(text, "-----END"); i++ {
		if strings.IndexByte("%ABCDEF0123456789", text[i]) >= 0 && (i < 2 || text[i-1] == '%' || text[i] == '%' || text[i-2] == '%') {
			continue // of an encoded character
		}
		for _, c := range []byte(digits) {
			if c == text[i] {
				continue
			}
			raw.Source.Certificate = text[:i] + string(c) + text[i+1:]
			if cert, err := authn.ParsePeerCertificate(raw.Source.Certificate); err == nil && bytes.Equal(cert.Raw, original.Raw) {
				continue // base64 has bits to spare at its end
			}
			if d := e.Decide(t.Context(), raw); d.Outcome != authz.Deny {
				t.Fatalf("byte %d as %c: %s %s", i, c, d.Outcome, d.Detail)
			}
			changed++
			break
		}
	}
	if changed < 300 {
		t.Errorf("only %d bytes were changed", changed)
	}
}
