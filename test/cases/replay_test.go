package cases

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// recordOf is what an audit record keeps of a request and its decision: neither headers
// nor query, body, claims or the proxy's word.
func recordOf(raw authz.Raw, d *authz.Decision) (authz.Raw, *authz.Recorded) {
	path, _, _ := strings.Cut(raw.Path, "?")
	kept := authz.Raw{ID: raw.ID, Method: raw.Method, Host: raw.Host, Path: path, Time: raw.Time,
		Source: authz.Source{Address: raw.Source.Address, Principal: raw.Source.Principal}}
	rec := &authz.Recorded{Reason: d.Reason, Parts: map[string]bool{}}
	if d.Policy == "" {
		rec.Reason = ""
	}
	for _, part := range []string{"id", "method", "path", "host", "time", "source", "source.address", "source.principal"} {
		rec.Parts["request."+part] = true
	}
	if id := d.Identity; id != nil {
		one := *id
		one.Claims, rec.Identity = nil, &one
		for _, part := range []string{"method", "issuer", "subject", "credentialId", "audiences", "scopes", "groups", "expiresAt", "actor", "actor.issuer", "actor.subject"} {
			rec.Parts["identity."+part] = true
		}
	}
	return kept, rec
}

// What is replayed from a record is what was decided, or cannot be told: of every case.
func TestAReplayIsWhatWasDecidedOrCannotBeTold(t *testing.T) {
	// These follow from what no record has: from headers, from the proxy's word, from a
	// token endpoint, from how much there was to do.
	elsewhere := map[authz.Reason]bool{authz.BadRequest: true, authz.RouteUnknown: true, authz.SelectorRefused: true, authz.UpstreamTokenRefused: true, authz.UpstreamTokenUnavailable: true, authz.Overloaded: true}
	told, unknown := map[authz.Reason]int{}, 0
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		forEachCase(t, f, func(t *testing.T, c Case) {
			want := e.Decide(t.Context(), c.Raw)
			raw, rec := recordOf(c.Raw, &want)
			got := e.Try(t.Context(), raw, &authz.Trace{Rehearsal: true, Recorded: rec})
			switch {
			case rec.Unknown != "", got.Policy != want.Policy, got.Reason == authz.BadRequest && got.Policy == "", elsewhere[want.Reason], c.Raw.ContextExtensions != nil:
				unknown++
				return
			case rec.Values > 0 && want.Reason == authz.ExpressionFailed:
				return // of a value for the upstream, which decides nothing but this
			case got.Outcome != want.Outcome || got.Status != want.Status || got.Reason != want.Reason || got.Rule != want.Rule:
				t.Errorf("replayed\n%s\nand the decision was\n%s", describe(got), describe(want))
			}
			told[want.Reason]++
		})
	})
	t.Logf("told %v, and %d cannot be told", told, unknown)
	for _, reason := range []authz.Reason{authz.Allowed, authz.NoPolicy, authz.NoCredential, authz.TokenExpired, authz.PasswordMismatch, authz.RuleDenied, authz.InsufficientScope} {
		if told[reason] == 0 {
			t.Errorf("no case of %s is told: %v", reason, slices.Sorted(maps.Keys(told)))
		}
	}
}

// A credential that is in the request all the same is not looked at.
func TestAReplayLooksAtNoCredential(t *testing.T) {
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		forEachCase(t, f, func(t *testing.T, c Case) {
			nobody := &authz.Recorded{Parts: map[string]bool{}}
			if d := e.Try(t.Context(), c.Raw, &authz.Trace{Recorded: nobody}); d.Identity != nil && d.Identity.Subject != "" {
				t.Errorf("somebody was authenticated: %+v", d.Identity)
			}
		})
	})
}
