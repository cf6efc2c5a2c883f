package cases

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestEveryDecisionOfAPolicySaysItsVersionAndOneHolderAtMost(t *testing.T) {
	digests := map[string]bool{}
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		forEachCase(t, f, func(t *testing.T, c Case) {
			d := e.Decide(t.Context(), c.Raw)
			if (d.Policy == "") != (d.Version == nil) {
				t.Errorf("policy %q has the version %+v", d.Policy, d.Version)
			}
			if d.Version != nil {
				digests[d.Version.Digest] = true
				if v := d.Version.Digest; len(v) != len("sha256:")+12 || !strings.HasPrefix(v, "sha256:") {
					t.Errorf("got the digest %q", v)
				}
			}
			// A credential that was revoked is told beside one that is accepted.
			revoked := d.Identity != nil && d.Refused != nil && d.Claimed == nil && strings.Contains(d.Detail, "was refused: revoked until")
			if !revoked && (holders(&d) > 1 || d.Outcome == authz.Allow && (d.Refused != nil || d.Claimed != nil)) {
				t.Errorf("identity %+v, refused %+v, claimed %+v", d.Identity, d.Refused, d.Claimed)
			}
			if d.Refused != nil && len(d.Refused.Scopes)+len(d.Refused.Groups) > 0 {
				t.Errorf("what was refused is granted something: %+v", d.Refused)
			}
			if d.Claimed == nil {
				return
			}
			if (*d.Claimed == authz.Claim{Method: d.Claimed.Method}) {
				t.Error("a claim that says nothing")
			}
			for _, text := range []string{d.Claimed.Subject, d.Claimed.Issuer, d.Claimed.CredentialID} {
				if len(text) > 256 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
					t.Errorf("got %q", text)
				}
			}
		})
	})
	if len(digests) < 100 {
		t.Errorf("expected a digest for each policy, got %d", len(digests))
	}
}

func holders(d *authz.Decision) (n int) {
	for _, there := range []bool{d.Identity != nil, d.Refused != nil, d.Claimed != nil} {
		if there {
			n++
		}
	}
	return n
}
