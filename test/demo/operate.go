package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// operateScenes are what an operator does: a policy is tried, a decision is explained, an agent is stopped, and all of
// it is in the audit stream.
func operateScenes(s *stage) []scene {
	const revocation = "stolen-key"
	policies := filepath.Join(s.Dir, "policies")
	robot := s.get("/inventory", "x-api-key", robotsKey)
	return []scene{
		{who: "anybody", with: "nothing, where a policy on trial wants a key", asks: "GET https /drafts", status: 200, reason: "Allowed",
			policy: "samples/drafts", shadow: "deny", call: s.get("/drafts")},
		{who: "operator", with: "agentauth check --server --explain", do: s.explain},
		{who: "operator", with: "agentauth revoke", do: s.command("the key of the robot is revoked for an hour",
			"revoke", "--policies", policies, "--name", revocation, "--secret", "samples/warehouse-robot", "--credential-id", "first", "--for", "1h", "--reason", "the demo")},
		{who: "warehouse robot", with: "its key, which is revoked", asks: "GET https /inventory", status: 401, reason: "CredentialRevoked", within: moments, call: robot},
		{who: "operator", with: "agentauth revoke --undo", do: s.command("the key holds again", "revoke", "--policies", policies, "--undo", revocation)},
		{who: "warehouse robot", with: "its key, as before", asks: "GET https /inventory", status: 200, reason: "Allowed", within: moments,
			call: robot, upstream: as("warehouse-robot", "machines")},
		{who: "auditor", with: "agentauth audit verify, and who was revoked", do: s.auditRevoked},
	}
}

// command runs agentauth.
func (s *stage) command(done string, args ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		_, err := s.run(ctx, args...)
		return done, err
	}
}

func (s *stage) run(ctx context.Context, args ...string) (stdout string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, s.binary, args...).Output() // #nosec G204 -- the binary of this build
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("agentauth %s: %w: %s", args[0], err, failed.Stderr)
	}
	return string(out), err
}

// explain asks the running agentauth why a token would be refused.
func (s *stage) explain(ctx context.Context) (string, error) {
	out, err := s.run(ctx, "check", "--server", s.agentauth.GRPCAddress, "--explain", "-o", "json", "-X", "GET",
		"-H", "authorization: Bearer "+ownToken(-time.Hour), "https://localhost/payments")
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != 1 {
		return "", fmt.Errorf("expected a denial, got %q, %w", out, err)
	}
	var got struct {
		Reason, Detail, Policy string
		Refused                struct{ Subject string }
		Steps                  []struct{ Stage, Name, Outcome string }
	}
	if err := json.Unmarshal([]byte(out), &got, json.MatchCaseInsensitiveNames(true)); err != nil {
		return "", err
	}
	if got.Reason != "TokenExpired" || got.Refused.Subject != "agent-7" || len(got.Steps) < 2 {
		return "", fmt.Errorf("expected the steps of a token that has expired, got %s", out)
	}
	why := got.Reason + ": " + got.Detail + ", subject " + got.Refused.Subject
	for _, step := range got.Steps {
		why += "; " + strings.TrimSpace(step.Stage+" "+step.Name) + " " + step.Outcome
	}
	return why, nil
}

// auditRevoked verifies the audit stream and finds the refusal of the revoked key in it.
func (s *stage) auditRevoked(ctx context.Context) (string, error) {
	verified, err := s.run(ctx, "audit", "verify", s.auditFile())
	if err != nil {
		return "", err
	}
	lines, err := s.auditRecords()
	if err != nil {
		return "", err
	}
	for _, r := range lines {
		if a := r.Agentauth; r.Event.Reason == "CredentialRevoked" && a.Refused != nil {
			first, _, _ := strings.Cut(verified, "\n")
			return fmt.Sprintf("%s; line %d: %s %s %s%s, %s, key %s, by %s %s", first, r.Seq, r.Event.Reason, r.HTTP.Request.Method, r.URL.Domain, r.URL.Path,
				a.Refused.Subject, a.Refused.CredentialID, a.Policy, a.Digest), nil
		}
	}
	return "", fmt.Errorf("expected a record of the refusal in %s", s.auditFile())
}
