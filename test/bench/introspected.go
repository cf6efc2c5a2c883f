package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// opaqueTokens are n tokens that say nothing by themselves, as long as a JWT: what is digested costs the same.
func opaqueTokens(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%0*d", len(tokens(jose.RS256, 1)[0]), i)
	}
	return out
}

// strange are tokens that no server gave to anybody.
func strange(n int) []string {
	out := make([]string, n)
	for i := range out {
		noise := make([]byte, 32)
		_, err := rand.Read(noise)
		must(err)
		out[i] = "x" + base64.RawURLEncoding.EncodeToString(noise)
	}
	return out
}

// introspected is the policy of the main scenario with tokens that an authorization server is asked about. The server
// is in this process and lasts as long as it.
func introspected() []string {
	answer := append([]byte(`{"active":true,`), payload(0)[1:]...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasPrefix(r.PostFormValue("token"), "0") {
			_, _ = w.Write([]byte(`{"active":false}`))
			return
		}
		_, _ = w.Write(answer) // the bench ends when nobody is answered
	}))
	jwt := tools()
	from, to := strings.Index(jwt, "      jwt:"), strings.Index(jwt, "  authorization:")
	return []string{jwt[:from] + fmt.Sprintf(`      oauth2Introspection:
        endpoint: %s/introspect
        issuer: %s
        clientCredentials: {secretRef: {name: introspector}}
        audiences: [%s]
        scopes: ["tools:call"]
        cacheTTL: 5m
`, server.URL, issuer, audience) + jwt[to:], `apiVersion: v1
kind: Secret
metadata:
  name: introspector
  namespace: shop
  labels: {agentauth.dev/use: client}
stringData: {client-id: agentauth, client-secret: a-secret-of-the-bench}
`}
}

// toLoopback are the flags that let a URL of a policy lead to a server of the bench.
var toLoopback = []string{"--egress-allow-http", "--egress-allow-cidr", "127.0.0.0/8"}
