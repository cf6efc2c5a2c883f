package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// The secrets of config/samples.
const (
	alicesPassword = "sample-password-of-alice"
	clientSecret   = "sample-client-secret-of-orders-agent" // of parts.OIDCConfig
	sharedSecret   = "sample-secret-that-everybody-knows-do-not-use-it"
	robotsKey      = "sample-api-key-of-the-warehouse-robot"
	endedKey       = "sample-api-key-that-has-ended"
)

// scene is one request and what must come of it, or a deed between requests.
type scene struct {
	who, with, asks string
	do              func(context.Context) (string, error) // the deed, and what came of it
	call            func(context.Context) (answer, error)
	status          int
	reason          string            // "" where nobody asks agentauth
	policy          string            // default: any
	shadow          string            // what a policy on trial would decide
	upstream        map[string]string // headers the upstream must see; "" is none
	answered        bool              // by agentauth itself, where it allows
	within          time.Duration     // how long it may take to come true; default: it is true at once
}

// answer is what the caller got.
type answer struct {
	status int
	body   string
}

func scenes(s *stage) []scene {
	return append(slices.Concat(sampleScenes(s), toolsScenes(s), operateScenes(s)),
		scene{who: "warehouse robot", with: "its API key", asks: "GET https /public%2f..%2finventory", status: 400, reason: "BadRequest",
			call: s.get("/public%2f..%2finventory", "x-api-key", robotsKey)},
		scene{who: "alice", with: "her password", asks: "GET https /nowhere", status: 403, reason: "NoPolicy",
			call: s.get("/nowhere", "authorization", alice(alicesPassword))},
	)
}

// as is what the upstream sees of an allowed request.
func as(agent, method string) map[string]string {
	return map[string]string{"x-agent-id": agent, "x-agent-method": method, "authorization": "", "x-api-key": ""}
}

// alice is what she sends with a password.
func alice(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))
}

// sampleScenes are those of config/samples, whatever proxy asks.
func sampleScenes(s *stage) []scene {
	http1 := &http.Client{Timeout: s.client.Timeout, Transport: &http.Transport{TLSClientConfig: s.tls.Clone()}}
	return []scene{
		{
			who: "basic.mjs (fetch)", with: "user alice and her password", asks: "GET https /reports", status: 200, reason: "Allowed",
			call:     s.program("basic.mjs", "/reports", "API_USER=alice", "API_PASSWORD="+alicesPassword),
			upstream: as("alice", "staff"),
		}, {
			who: "client-credentials.mjs (axios)", with: "an access token of the OpenID provider", asks: "GET https /orders", status: 200, reason: "Allowed",
			call: s.program("client-credentials.mjs", "/orders", "TOKEN_URL="+s.provider.TokenURL(), "CLIENT_ID=orders-agent", "CLIENT_SECRET="+clientSecret,
				"SCOPE=orders:read orders:write", "RESOURCE=https://orders.example.com"),
			upstream: as("orders-agent", "partners"),
		}, {
			who: "jwt.mjs (jsonwebtoken)", with: "its own token, role manager", asks: "GET https /payments", status: 200, reason: "Allowed",
			call:     s.program("jwt.mjs", "/payments", "JWT_SECRET="+sharedSecret),
			upstream: as("agent-7", "agents"),
		}, {
			who: "warehouse robot", with: "its API key, over HTTP/1.1", asks: "GET https /inventory", status: 200, reason: "Allowed",
			call:     request(http1, "GET", s.https+"/inventory", "x-api-key", robotsKey),
			upstream: as("warehouse-robot", "machines"),
		}, {
			who: "warehouse robot", with: "its API key, over plaintext", asks: "GET http /catalog", status: 200, reason: "Allowed",
			call:     request(s.client, "GET", s.http+"/catalog", "x-api-key", robotsKey),
			upstream: as("warehouse-robot", "machines"),
		}, {
			who: "anybody", with: "nothing but x-agent-id: alice", asks: "GET https /public", status: 200, reason: "Allowed",
			call:     s.get("/public", "x-agent-id", "alice"),
			upstream: map[string]string{"x-agent-id": "", "x-agent-method": ""},
		},
		{who: "anybody", with: "nothing", asks: "GET https /reports", status: 401, reason: "NoCredential", call: s.get("/reports")},
		{who: "alice", with: "a wrong password", asks: "GET https /reports", status: 401, reason: "PasswordMismatch",
			call: s.get("/reports", "authorization", alice("guess"))},
		{who: "alice", with: "her password, over plaintext", asks: "GET http /reports", status: 403, reason: "PlaintextRefused",
			call: request(s.client, "GET", s.http+"/reports", "authorization", alice(alicesPassword))},
		{who: "orders-agent", with: "a token for another API", asks: "GET https /orders", status: 401, reason: "AudienceMismatch",
			call: s.withToken("GET", "/orders", "https://elsewhere.example.com", "orders:read")},
		{who: "orders-agent", with: "a token without orders:read", asks: "GET https /orders", status: 403, reason: "InsufficientScope",
			call: s.withToken("GET", "/orders", "https://orders.example.com", "orders:write")},
		{who: "orders-agent", with: "a token to read", asks: "DELETE https /orders", status: 403, reason: "RuleDenied",
			call: s.withToken("DELETE", "/orders", "https://orders.example.com", "orders:read")},
		{who: "jwt.mjs (jsonwebtoken)", with: "its own token, role clerk", asks: "GET https /payments", status: 403, reason: "RuleDenied",
			call: s.program("jwt.mjs", "/payments", "JWT_SECRET="+sharedSecret, "ROLE=clerk")},
		{who: "jwt.mjs (jsonwebtoken)", with: "a token signed with a guess", asks: "GET https /payments", status: 401, reason: "SignatureInvalid",
			call: s.program("jwt.mjs", "/payments", "JWT_SECRET="+strings.Repeat("guess", 10))},
		{who: "agent-7", with: "a token that has expired", asks: "GET https /payments", status: 401, reason: "TokenExpired",
			call: s.get("/payments", "authorization", "Bearer "+ownToken(-time.Hour))},
		{who: "agent-7", with: "a token of alg none", asks: "GET https /payments", status: 401, reason: "SignatureInvalid",
			call: s.get("/payments", "authorization", "Bearer "+unsigned())},
		{who: "warehouse robot", with: "no key", asks: "GET https /inventory", status: 401, reason: "NoCredential", call: s.get("/inventory")},
		{who: "former robot", with: "a key that has ended", asks: "GET https /inventory", status: 401, reason: "CredentialExpired",
			call: s.get("/inventory", "x-api-key", endedKey)},
	}
}

// program runs one of the programs of test/clients against a path.
func (s *stage) program(name, path string, env ...string) func(context.Context) (answer, error) {
	env = append(env, "API_URL="+s.https+path, "NODE_EXTRA_CA_CERTS="+s.caFile)
	return func(ctx context.Context) (answer, error) {
		run, err := parts.RunClient(ctx, name, env...)
		if err != nil {
			return answer{}, err
		}
		first, body, _ := strings.Cut(run.Stdout, "\n")
		status, err := strconv.Atoi(first)
		if err != nil {
			return answer{}, fmt.Errorf("%s: expected a status, got exit code %d, %q and %s", name, run.ExitCode, run.Stdout, run.Stderr)
		}
		if (run.ExitCode == 0) != (status < 300) {
			return answer{}, fmt.Errorf("%s: status %d and exit code %d do not agree", name, status, run.ExitCode)
		}
		return answer{status, body}, nil
	}
}

// get is a request over TLS.
func (s *stage) get(path string, headers ...string) func(context.Context) (answer, error) {
	return request(s.client, "GET", s.https+path, headers...)
}

// withToken gets a token from the provider and sends a request over TLS with it.
func (s *stage) withToken(method, path, resource, scope string, headers ...string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		token, err := s.provider.Token(ctx, resource, scope)
		if err != nil {
			return answer{}, err
		}
		return request(s.client, method, s.https+path, append(headers, "authorization", "Bearer "+token)...)(ctx)
	}
}

func request(client *http.Client, method, url string, headers ...string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) { return send(ctx, client, method, url, "", headers...) }
}

func send(ctx context.Context, client *http.Client, method, url, text string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(body)}, err
}

var ownClaims = map[string]any{"id": "agent-7", "role": "manager"}

// ownToken is what jwt.mjs makes, ending at another time.
func ownToken(ends time.Duration) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(sharedSecret)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err) // the key and the algorithm are constants
	}
	token, err := jwt.Signed(signer).Claims(ownClaims).Claims(jwt.Claims{Expiry: jwt.NewNumericDate(time.Now().Add(ends))}).Serialize()
	if err != nil {
		panic(err) // the claims are, too
	}
	return token
}

func unsigned() string {
	claims := fmt.Sprintf(`{"id":"agent-7","role":"manager","exp":%d}`, time.Now().Add(time.Hour).Unix())
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
}
