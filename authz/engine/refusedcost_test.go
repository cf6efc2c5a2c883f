package engine

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// Requests that are refused, each with the id of a request: what a flood of them costs.
func BenchmarkDecideRefused(b *testing.B) {
	for name, c := range map[string]struct {
		token  func(good string) string
		header authz.Header
		after  int64
		reason authz.Reason
	}{
		"forged":  {token: func(good string) string { return good[:len(good)-8] + "AAAAAAAA" }, reason: authz.SignatureInvalid},
		"cut":     {token: func(good string) string { return strings.Replace(good, ".", "!.", 1) }, reason: authz.CredentialMalformed},
		"no JWT":  {token: func(string) string { return "garbage" }, reason: authz.UnknownCredential},
		"expired": {token: sound, after: 7200, reason: authz.TokenExpired},
		"no one":  {token: func(string) string { return "" }, header: header("authorization", ""), reason: authz.NoCredential},
	} {
		b.Run(name, func(b *testing.B) {
			e, ask := hot(b, c.token)
			ask.ID = "5b0a1e7c-53d0-4ac5-9f0e-6b0f7b1d2a3c"
			ask.Time = ask.Time.Add(1e9 * 1)
			ask.Time = clock.Add(1e9 * 1)
			if c.after > 0 {
				ask.Time = clock.Add(7200 * 1e9)
			}
			if c.header.Name != "" {
				ask.Headers = ask.Headers[:len(ask.Headers)-1]
			}
			if d := e.Decide(b.Context(), ask); d.Reason != c.reason {
				b.Fatalf("got %+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(b.Context(), ask)
			}
		})
	}
}
