//go:build e2e

package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// holder is a client of DPoP (RFC 9449): it has a key, and makes a proof for each request.
type holder struct {
	t   *testing.T
	key jose.JSONWebKey
	n   int
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	key, err := parts.NewKey("ES256", "")
	must(t, err)
	return &holder{t: t, key: key}
}

// proof is for a request with a token; with changes its claims, nil taking one away.
func (h *holder) proof(method, uri, token string, with map[string]any) string {
	h.t.Helper()
	h.n++
	claims := map[string]any{"htm": method, "htu": uri, "iat": time.Now().Unix(), "jti": fmt.Sprintf("%p-%d", h, h.n)}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for name, v := range with {
		claims[name] = v
	}
	payload, err := json.Marshal(claims)
	must(h.t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: h.key.Key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	must(h.t, err)
	signed, err := signer.Sign(payload)
	must(h.t, err)
	out, err := signed.CompactSerialize()
	must(h.t, err)
	return out
}

const boundSecret = "sample-client-secret-of-the-agent"

// boundPolicy takes JWTs at /bound and asks about opaque tokens at /opaque.
func boundPolicy(provider *parts.OIDC) string {
	return clientSecret("rs", "agent", boundSecret) +
		opaquePolicy("opaque", "/opaque", provider.IntrospectionURL(), "{secretRef: {name: rs}, authentication: Post}", "        issuer: "+provider.Issuer+"\n") +
		fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: bound, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: /bound}}]}]
  authentication:
    methods:
    - {name: idp, jwt: {issuer: %q, audiences: [%q], proofOfPossession: {require: [DPoP]}}}
`, apiHost, provider.Issuer, orders)
}

func TestATokenOfACertifiedProviderThatIsBoundToAKeyNeedsAProofForEachRequest(t *testing.T) {
	dir := parts.TestDir(t)
	port, err := parts.FreePort()
	must(t, err)
	provider := startProvider(t, parts.OIDCConfig{Dir: dir, Port: port, Clients: []parts.OIDCClient{{ID: "agent", Secret: boundSecret, Scope: "orders:read"}}})
	redisPort, err := parts.FreePort()
	must(t, err)
	const redisPassword = "e2e-password-of-redis"
	redis, err := parts.StartRedis(t.Context(), dir, redisPort, redisPassword)
	must(t, err)
	t.Cleanup(func() { redis.Kill() })

	policies := subdir(t, dir, "policies")
	write(t, filepath.Join(policies, "policies.yaml"), boundPolicy(provider))
	passwordFile := filepath.Join(dir, "password")
	write(t, passwordFile, redisPassword+"\n")
	upstream := startUpstream(t)
	var replicas []way
	for _, name := range []string{"one", "two"} {
		at := subdir(t, dir, name)
		agentauth := startAgentauth(t, at, "--policies", policies, "--replay-store", "redis://"+redis.Address+"/0", "--replay-store-password-file", passwordFile)
		replicas = append(replicas, failOpen(t, at, upstream, agentauth))
	}
	w := replicas[0]

	h := newHolder(t)
	token, err := provider.TokenFor(t.Context(), orders, "orders:read", h.proof("POST", provider.TokenURL(), "", nil))
	must(t, err)
	opaque, err := provider.TokenFor(t.Context(), "", "orders:read", h.proof("POST", provider.TokenURL(), "", nil))
	must(t, err)
	unbound, err := provider.Token(t.Context(), orders, "orders:read")
	must(t, err)

	const uri = "https://" + apiHost + "/bound/1"
	ask := func(scheme, token string, proofs ...string) wire {
		r := get("/bound/1?x=1", "authorization: "+scheme+" "+token)
		for _, p := range proofs {
			r = r.with("dpop: " + p)
		}
		return r
	}
	echo := expect(t, w, ask("DPoP", token, h.proof("GET", uri, token, nil)), 200).echo(t)
	for _, name := range []string{"authorization", "dpop"} {
		if echo.Headers.Get(name) != "" {
			t.Errorf("the upstream saw %s", name)
		}
	}

	for what, c := range map[string]struct {
		r     wire
		error string
	}{
		"no proof":                      {ask("DPoP", token), "invalid_dpop_proof"},
		"a proof for another path":      {ask("DPoP", token, h.proof("GET", uri+"0", token, nil)), "invalid_dpop_proof"},
		"a proof for http":              {ask("DPoP", token, h.proof("GET", strings.Replace(uri, "https", "http", 1), token, nil)), "invalid_dpop_proof"},
		"a proof for another method":    {ask("DPoP", token, h.proof("POST", uri, token, nil)), "invalid_dpop_proof"},
		"a proof for another token":     {ask("DPoP", token, h.proof("GET", uri, unbound, nil)), "invalid_dpop_proof"},
		"a proof for no token":          {ask("DPoP", token, h.proof("GET", uri, "", nil)), "invalid_dpop_proof"},
		"an old proof":                  {ask("DPoP", token, h.proof("GET", uri, token, map[string]any{"iat": time.Now().Unix() - 120})), "invalid_dpop_proof"},
		"a proof of a time to come":     {ask("DPoP", token, h.proof("GET", uri, token, map[string]any{"iat": time.Now().Unix() + 60})), "invalid_dpop_proof"},
		"a proof by another key":        {ask("DPoP", token, newHolder(t).proof("GET", uri, token, nil)), "invalid_token"},
		"a token that is bound to none": {ask("DPoP", unbound, h.proof("GET", uri, unbound, nil)), "invalid_token"},
		"the scheme Bearer":             {ask("Bearer", token, h.proof("GET", uri, token, nil)), "invalid_token"},
		"a bearer token":                {ask("Bearer", unbound), "invalid_token"},
	} {
		got := expect(t, w, c.r, 401).header.Get("www-authenticate")
		if want := `DPoP error="` + c.error + `", algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"`; got != want {
			t.Errorf("%s: expected the challenge %s, got %s", what, want, got)
		}
	}
	expect(t, w, ask("DPoP", token, h.proof("GET", uri, token, nil), h.proof("GET", uri, token, nil)), 400)

	// A proof is good once, at whichever replica.
	once := h.proof("GET", uri, token, nil)
	expect(t, w, ask("DPoP", token, once), 200)
	for _, replica := range replicas {
		expect(t, replica, ask("DPoP", token, once), 401)
	}

	// The same for a token that is asked about.
	askOpaque := func(scheme, proof string) wire {
		return get("/opaque", "authorization: "+scheme+" "+opaque, "dpop: "+proof)
	}
	again := h.proof("GET", "https://"+apiHost+"/opaque", opaque, nil)
	expect(t, w, askOpaque("DPoP", again), 200)
	expect(t, replicas[1], askOpaque("DPoP", again), 401)
	expect(t, w, askOpaque("Bearer", h.proof("GET", "https://"+apiHost+"/opaque", opaque, nil)), 401)
	expect(t, w, askOpaque("DPoP", h.proof("GET", "https://"+apiHost+"/other", opaque, nil)), 401)

	// What cannot be known is never an allowance.
	redis.Kill()
	before := upstream.Count()
	for _, replica := range replicas {
		expect(t, replica, ask("DPoP", token, h.proof("GET", uri, token, nil)), 503)
		expect(t, replica, ask("DPoP", token), 401) // the store need not be asked
	}
	if upstream.Count() != before {
		t.Error("a request reached the upstream")
	}
	back, err := parts.StartRedis(t.Context(), dir, redisPort, redisPassword)
	must(t, err)
	t.Cleanup(func() { _ = back.Stop() })
	for _, replica := range replicas {
		within(t, 10*time.Second, "the store is asked again", func() error {
			return replica.answers(t, ask("DPoP", token, h.proof("GET", uri, token, nil)), 200)
		})
	}
}

func TestATokenThatIsBoundToACertificateNeedsItOnTheConnection(t *testing.T) {
	dir := parts.TestDir(t)
	ca, err := parts.NewCA("clients")
	must(t, err)
	caFile, err := ca.Write(dir, "ca")
	must(t, err)
	server, err := ca.Server()
	must(t, err)
	certFile, keyFile, err := server.Write(dir, "server")
	must(t, err)
	client := func() (config *tls.Config, thumbprint string) {
		pair, err := ca.Client("spiffe://example.org/agent")
		must(t, err)
		certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
		must(t, err)
		leaf, err := x509.ParseCertificate(certificate.Certificate[0])
		must(t, err)
		sum := sha256.Sum256(leaf.Raw)
		return &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{certificate}}, base64.RawURLEncoding.EncodeToString(sum[:])
	}
	mine, thumbprint := client()
	others, _ := client()

	policies := subdir(t, dir, "policies")
	write(t, filepath.Join(policies, "policies.yaml"), expand(t, fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: bound, namespace: e2e}
spec:
  routes: [{hostnames: [%s]}]
  authentication:
    methods:
    - {name: idp, jwt: {issuer: 'https://idp.example.com', audiences: [orders], jwks: {inline: '${jwks rsa1}'}, proofOfPossession: {require: [ClientCertificate]}}}
`, apiHost)))
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	envoy := startEnvoy(t, parts.EnvoyConfig{
		Dir: dir, Upstream: upstream.Address, Door: parts.Door{Address: agentauth.GRPCAddress}, FailureModeAllow: true, EncodeRawHeaders: true,
		IncludePeerCertificate: true, TLS: &parts.Listener{CertFile: certFile, KeyFile: keyFile, ClientCAFile: caFile},
	})
	cases.Now = time.Now()
	r := get("/", "authorization: "+bearer(expand(t, fmt.Sprintf(`${jwt rsa1 RS256 ${good "cnf":{"x5t#S256":"%s"}}}`, thumbprint))))
	unbound := get("/", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 ${good}}`)))
	over := func(config *tls.Config, http2 bool) way {
		return way{name: "mutual TLS", envoy: envoy, tls: config, http2: http2}
	}
	expect(t, over(mine, false), r, 200)
	expect(t, over(mine, true), r, 200)
	for what, got := range map[string]answer{
		"with another certificate": expect(t, over(others, false), r, 401),
		"without a certificate":    expect(t, over(&tls.Config{RootCAs: ca.Pool()}, false), r, 401),
		"over plaintext":           expect(t, way{name: "plaintext", envoy: envoy}, r, 401),
		"a bearer token":           expect(t, over(mine, false), unbound, 401),
	} {
		if c := got.header.Get("www-authenticate"); c != `Bearer error="invalid_token"` {
			t.Errorf("%s: got the challenge %q", what, c)
		}
	}

	// A proxy that passes the certificate on in its header only, to one that trusts it and to one that does not.
	forwards := func(name string, args ...string) *parts.Envoy {
		to := startAgentauth(t, subdir(t, dir, name), append([]string{"--policies", policies}, args...)...)
		return startEnvoy(t, parts.EnvoyConfig{
			Dir: subdir(t, dir, name+"-envoy"), Upstream: upstream.Address, Door: parts.Door{Address: to.GRPCAddress}, FailureModeAllow: true, EncodeRawHeaders: true,
			ForwardCertificate: "SANITIZE_SET", TLS: &parts.Listener{CertFile: certFile, KeyFile: keyFile, ClientCAFile: caFile},
		})
	}
	envoy = forwards("trusting", "--trust-xfcc")
	if got := expect(t, over(mine, true), r, 200).echo(t).Headers.Get("x-forwarded-client-cert"); got != "" {
		t.Errorf("the upstream got %q", got)
	}
	expect(t, over(others, false), r, 401)
	expect(t, over(&tls.Config{RootCAs: ca.Pool()}, false), r, 401)
	envoy = forwards("trusts-nobody")
	expect(t, over(mine, false), r, 401)
}
