package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	issuer   = "https://login.example.com/realms/prod"
	audience = "https://api.example.com"
	subject  = "7c2f7d4e-4f0e-4b61-9d5c-0f5b3c0a9b11"
)

// signers are the provider's keys, by algorithm, made once for a run. The kid is the algorithm's name.
var signers = sync.OnceValue(func() map[jose.SignatureAlgorithm]crypto.Signer {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return map[jose.SignatureAlgorithm]crypto.Signer{jose.RS256: r, jose.ES256: e}
})

// keySet is what the provider publishes.
var keySet = sync.OnceValue(func() string {
	set := jose.JSONWebKeySet{}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: signers()[alg].Public(), KeyID: string(alg), Algorithm: string(alg), Use: "sig"})
	}
	text, err := json.Marshal(set)
	must(err)
	return string(text)
})

// payload is a usual set of claims, with a jti of its own.
func payload(n int) []byte {
	now := time.Now()
	text, err := json.Marshal(map[string]any{
		"iss": issuer, "sub": subject, "aud": []string{audience}, "azp": "mcp-client",
		"exp": now.Add(4 * time.Hour).Unix(), "iat": now.Add(-time.Minute).Unix(),
		"jti":   fmt.Sprintf("0b1c2d3e-1111-4222-8333-%012d", n),
		"scope": "openid profile tools:call tools:list", "email": "alice@example.com",
		"groups": []string{"eng", "platform"}, "tenant": "acme",
	})
	must(err)
	return text
}

// tokens signs n tokens that differ in jti.
func tokens(alg jose.SignatureAlgorithm, n int) []string {
	out := make([]string, n)
	var busy sync.WaitGroup
	cores := runtime.NumCPU()
	for first := range cores {
		busy.Go(func() {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: signers()[alg]},
				(&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", string(alg)))
			must(err)
			for i := first; i < n; i += cores {
				signed, err := signer.Sign(payload(i))
				must(err)
				out[i], err = signed.CompactSerialize()
				must(err)
			}
		})
	}
	busy.Wait()
	return out
}

// forged are tokens whose signature is that of another.
func forged(n int) []string {
	header, _, _ := pieces(tokens(jose.RS256, 1)[0])
	_, _, signature := pieces(tokens(jose.RS256, 1)[0])
	out := make([]string, n)
	for i := range out {
		out[i] = header + "." + base64.RawURLEncoding.EncodeToString(payload(i+1)) + "." + signature
	}
	return out
}

// unknown are tokens of keys that nobody published.
func unknown(n int) []string {
	_, claims, signature := pieces(tokens(jose.RS256, 1)[0])
	out := make([]string, n)
	for i := range out {
		header := fmt.Sprintf(`{"alg":"RS256","typ":"at+jwt","kid":"unknown-%d"}`, i)
		out[i] = base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + claims + "." + signature
	}
	return out
}

// garbage has the length and the letters of tokens, and no more of them.
func garbage(n int) []string {
	out := make([]string, n)
	for i := range out {
		noise := make([]byte, 620)
		_, err := rand.Read(noise)
		must(err)
		out[i] = "eyJ" + base64.RawURLEncoding.EncodeToString(noise)
	}
	return out
}

func pieces(token string) (header, claims, signature string) {
	p := strings.SplitN(token, ".", 3)
	return p[0], p[1], p[2]
}

// must is for what fails only where the bench itself is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
