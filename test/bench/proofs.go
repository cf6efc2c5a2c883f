package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// authority signs the certificates of clients.
var authority = sync.OnceValue(func() *parts.CA {
	ca, err := parts.NewCA("mesh")
	must(err)
	return ca
})

const workload = "spiffe://prod.example.com/ns/tools/sa/agent"

// certified decides requests by the certificate of the client.
func certified() []string {
	return []string{fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tools, namespace: shop}
spec:
  routes:
  - hostnames: [api.example.com]
  authentication:
    methods:
    - {name: workloads, clientCertificate: {trustDomains: [prod.example.com], certificateAuthorities: {configMapRef: {name: mesh-ca}}}}
  response:
    upstream:
      headers: [{name: x-agent-id, value: identity.subject}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mesh-ca, namespace: shop, labels: {agentauth.dev/use: ca}}
data: {ca.crt: %q}
`, authority().PEM)}
}

// withCertificate is a request as the proxy hands it on with the certificate of the client.
func withCertificate() []request {
	pair, err := authority().Client(workload)
	must(err)
	block, _ := pem.Decode(pair.Cert)
	r := bearer("")
	r.credential, r.certificate = [2]string{}, strings.ReplaceAll(url.QueryEscape(string(pem.EncodeToMemory(block))), "+", "%20")
	return []request{r}
}

// bound is the policy of the main scenario, of tokens that are bound to a key. Proofs are made before the rounds, so
// that they may be old.
func bound() []string {
	return []string{strings.Replace(tools(), "        scopes: [", "        clockSkew: 5m\n        proofOfPossession: {require: [DPoP]}\n        scopes: [", 1)}
}

// proven are n requests with one token, each with a proof of its own (RFC 9449 4.2).
func proven(n int) []request {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	public := jose.JSONWebKey{Key: key.Public()}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	must(err)
	var claims map[string]any
	must(json.Unmarshal(payload(0), &claims))
	claims["cnf"] = map[string]string{"jkt": base64.RawURLEncoding.EncodeToString(thumbprint)}
	text, err := json.Marshal(claims)
	must(err)
	token := signed(signers()[jose.RS256], jose.RS256, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "RS256"), text)
	ath := sha256.Sum256([]byte(token))
	out := make([]request, n)
	var busy sync.WaitGroup
	cores := runtime.NumCPU()
	for first := range cores {
		busy.Go(func() {
			for i := first; i < n; i += cores {
				out[i] = bearer(token)
				out[i].credential[1] = "DPoP " + token
				proof, err := json.Marshal(map[string]any{"jti": fmt.Sprintf("proof-%012d", proofs.Add(1)), "htm": "POST", "iat": time.Now().Unix(),
					"htu": "https://api.example.com/v1/tools/weather/invoke", "ath": base64.RawURLEncoding.EncodeToString(ath[:])})
				must(err)
				out[i].more = [][2]string{{"dpop", signed(key, jose.ES256, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"), proof)}}
			}
		})
	}
	busy.Wait()
	return out
}

// proofs counts them: each is used once.
var proofs atomic.Int64

func signed(key any, alg jose.SignatureAlgorithm, options *jose.SignerOptions, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	must(err)
	jws, err := signer.Sign(payload)
	must(err)
	text, err := jws.CompactSerialize()
	must(err)
	return text
}
