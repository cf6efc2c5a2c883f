package main

import (
	"cmp"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
)

// askExplained asks the server for its decision with every step.
func (f *serverFlags) askExplained(cmd *cobra.Command, raw authz.Raw) (authz.Decision, []authz.Step, error) {
	config, err := f.config()
	if err != nil {
		return authz.Decision{}, nil, err
	}
	text, err := extauthz.AskExplained(cmd.Context(), f.address, config, raw)
	if err != nil {
		return authz.Decision{}, nil, usage("--server %s: %s", f.address, f.unexplained(cmd, err))
	}
	var p printed
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return authz.Decision{}, nil, usage("--server %s: expected a decision as JSON, and the answer is none: is the server of another version (agentauth version)?", f.address)
	}
	d, steps := p.decision()
	return d, steps, nil
}

// unexplained says why a server explains nothing.
func (f *serverFlags) unexplained(cmd *cobra.Command, err error) string {
	s, _ := status.FromError(err)
	switch s.Code() {
	case codes.Unimplemented:
		return "this server explains no decisions: it is older than `check --server --explain`, or no agentauth. Leave out --explain, or use --policies with its manifests; a newer one needs --explain-client-name NAME"
	case codes.FailedPrecondition, codes.PermissionDenied, codes.ResourceExhausted, codes.Internal:
		return s.Message()
	default:
		config, _ := f.config() // it was read before
		return f.explain(cmp.Or(f.refused(cmd.Context(), config), err))
	}
}

// decision is what was printed.
func (p *printed) decision() (authz.Decision, []authz.Step) {
	d := authz.Decision{
		Outcome: outcomeOf(p.Decision), Status: p.Status, Policy: p.Policy, Method: p.Method, Rule: p.Rule, Reason: p.Reason, Detail: p.Detail,
		Set: p.Headers, Remove: p.RemoveHeaders, RemoveQuery: p.RemoveQuery, Metadata: p.Metadata, Headers: p.ResponseHeaders, Body: p.Body,
	}
	if d.Outcome == authz.Allow {
		d.Status = 0 // as in a decision
	}
	d.Identity, d.Refused, d.Claimed = p.Identity.identity(), p.Refused.identity(), (*authz.Claim)(p.Claimed)
	if p.Digest != "" {
		d.Version = &authz.PolicyVersion{Generation: p.Generation, Digest: p.Digest}
	}
	if p.Shadow != nil {
		shadow, _ := p.Shadow.decision()
		d.Shadow = &shadow
	}
	steps := make([]authz.Step, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = s.Step
	}
	return d, steps
}

// identity is what was printed; nil if nothing was.
func (id *printedIdentity) identity() *authz.Identity {
	if id == nil {
		return nil
	}
	out := &authz.Identity{
		Method: id.Method, Issuer: id.Issuer, Subject: id.Subject, Audiences: id.Audiences,
		Scopes: id.Scopes, Groups: id.Groups, Claims: id.Claims, CredentialID: id.CredentialID,
	}
	if a := id.Actor; a != nil {
		out.Actor = &authz.Actor{Issuer: a.Issuer, Subject: a.Subject, Unreadable: a.Unreadable}
	}
	if id.ExpiresAt != nil {
		out.ExpiresAt = *id.ExpiresAt
	}
	return out
}

// outcomeOf is the outcome of a word; what is none denies.
func outcomeOf(word string) authz.Outcome {
	for _, o := range []authz.Outcome{authz.Allow, authz.Error, authz.Respond} {
		if o.String() == word {
			return o
		}
	}
	return authz.Deny
}
