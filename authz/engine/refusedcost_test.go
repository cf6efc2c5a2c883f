package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// Requests with an id that are refused: what a flood of them costs.
func BenchmarkDecideRefused(b *testing.B) {
	for name, c := range map[string]struct {
		token  func(good string) string
		after  time.Duration
		reason authz.Reason
	}{
		"forged":  {func(good string) string { return good[:len(good)-8] + "AAAAAAAA" }, 0, authz.SignatureInvalid},
		"cut":     {func(good string) string { return strings.Replace(good, ".", "!.", 1) }, 0, authz.CredentialMalformed},
		"no JWT":  {func(string) string { return "garbage" }, 0, authz.UnknownCredential},
		"expired": {sound, 2 * time.Hour, authz.TokenExpired},
	} {
		b.Run(name, func(b *testing.B) {
			e, ask := hot(b, c.token)
			ask.ID, ask.Time = "5b0a1e7c-53d0-4ac5-9f0e-6b0f7b1d2a3c", clock.Add(c.after)
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
