//go:build e2e

package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// metric adds up the samples of a metric whose labels contain all that is given.
func metric(t tester, a *parts.Agentauth, name string, labels ...string) float64 {
	t.Helper()
	text, err := a.Get(t.Context(), "/metrics")
	must(t, err)
	sum := 0.0
lines:
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue lines
			}
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		must(t, err)
		sum += value
	}
	return sum
}

func (s *stage) counter(t tester, labels ...string) float64 {
	t.Helper()
	return metric(t, s.agentauth, "agentauth_decisions_total", labels...)
}

func TestEveryDecisionIsCountedByPolicyAndReason(t *testing.T) {
	s := suite.use(t)
	w := s.ways()[0]
	for _, c := range []struct {
		wire
		decision, policy, reason string
	}{
		{withKey("/keys"), "allow", "e2e/keys", "Allowed"},
		{get("/public"), "allow", "e2e/public", "Allowed"},
		{get("/keys"), "deny", "e2e/keys", "NoCredential"},
		{get("/keys", "x-api-key: "+othersKey), "deny", "e2e/keys", "UnknownCredential"},
		{get("/keys", "x-api-key: "+expiredKey), "deny", "e2e/keys", "CredentialExpired"},
		{get("/basic", "authorization: "+basic("alice", "another guess")), "deny", "e2e/basic", "PasswordMismatch"},
		{get("/signed", "authorization: "+bearer(expand(t, `${twist flip ${jwt rsa1 RS256 ${good}}}`))), "deny", "e2e/signed", "SignatureInvalid"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"kid":"nobody"} ${good}}`))), "deny", "e2e/signed", "KeyUnknown"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"x","exp":${now+60}}}`))), "deny", "e2e/signed", "AudienceMismatch"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"iss":"https://else.example.com","aud":"orders","exp":${now+60}}}`))), "deny", "e2e/signed", "IssuerMismatch"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","exp":${now-60}}}`))), "deny", "e2e/signed", "TokenExpired"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 ${good "nbf":${now+600}}}`))), "deny", "e2e/signed", "TokenNotYetValid"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"typ":"dpop+jwt"} ${good}}`))), "deny", "e2e/signed", "TokenTypeRefused"},
		{get("/signed", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 ${good "cnf":{"jkt":"x"}}}`))), "deny", "e2e/signed", "ProofRequired"},
		{withKey("/both", "authorization: "+bearer(token(t, `"scope":"x"`))), "deny", "e2e/both", "InsufficientScope"},
		{withKey("/tenant?tenant=victim"), "deny", "e2e/tenant", "RuleDenied"},
		{withKey("/fails/require"), "deny", "e2e/fails-require", "ExpressionFailed"},
		{withKey("/fails/header"), "error", "e2e/fails-header", "ExpressionFailed"},
		{get("/dangling", "authorization: "+basic("alice", password)), "error", "e2e/dangling", "Unavailable"},
		{get("/nowhere"), "deny", "", "NoPolicy"},
		{withKey("/keys//"), "deny", "", "BadRequest"},
		{get("/named/beside-a-route"), "error", "", "SelectorRefused"},
	} {
		labels := []string{`decision="` + c.decision + `"`, `policy="` + c.policy + `"`, `reason="` + c.reason + `"`}
		before, all := s.counter(t, labels...), s.counter(t)
		w.send(t, c.wire)
		if after, now := s.counter(t, labels...), s.counter(t); after != before+1 || now != all+1 {
			t.Errorf("%s: expected one more of %v, got %v more, and %v more in all", c.target, labels, after-before, now-all)
		}
	}
	for _, name := range []string{"agentauth_decision_duration_seconds_count", "agentauth_policies", "agentauth_config_last_reload_successful"} {
		if metric(t, s.agentauth, name) < 1 {
			t.Errorf("expected %s to be 1 or more", name)
		}
	}
	if age := metric(t, s.agentauth, "agentauth_config_age_seconds"); age != 0 {
		t.Errorf("what is in force is what was written, and yet is %vs old", age)
	}
}

func TestTheLogIsJSONAndNamesReasonAndPolicyOfEachRequest(t *testing.T) {
	s := suite.use(t)
	s.ways()[0].send(t, get("/keys/in-the-log?a=b", "x-api-key: "+othersKey))
	records, err := s.agentauth.Records()
	must(t, err)
	for _, r := range records {
		if r["path"] == "/keys/in-the-log" {
			if r["decision"] != "deny" || r["reason"] != "UnknownCredential" || r["policy"] != "e2e/keys" || r["requestId"] == "" || r["httpMethod"] != "GET" {
				t.Errorf("the record is %v", r)
			}
			return
		}
	}
	t.Error("the request is not in the log")
}
