package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/agentauth-dev/agentauth/authz"
)

// printed is a decision as check -o json prints it.
type printed struct {
	Decision        string           `json:"decision"`
	Status          int              `json:"status"`
	Policy          string           `json:"policy"`
	Generation      int64            `json:"generation,omitempty"`
	Digest          string           `json:"digest,omitempty"`
	Method          string           `json:"method"`
	Rule            string           `json:"rule"`
	Reason          authz.Reason     `json:"reason"`
	Detail          string           `json:"detail,omitempty"`
	Identity        *printedIdentity `json:"identity"`
	Refused         *printedIdentity `json:"refused,omitempty"`
	Claimed         *printedClaim    `json:"claimed,omitempty"`
	Headers         []authz.Header   `json:"headers"`
	RemoveHeaders   []string         `json:"removeHeaders"`
	RemoveQuery     []string         `json:"removeQueryParameters,omitempty"`
	Metadata        map[string]any   `json:"metadata,omitempty"`
	ResponseHeaders []authz.Header   `json:"responseHeaders"`
	Body            string           `json:"body"`
	// Shadow is what a policy with mode Shadow would have decided.
	Shadow *printed    `json:"shadow,omitempty"`
	Steps  []explained `json:"steps,omitempty"`
}

type printedIdentity struct {
	Method       string         `json:"method"`
	Issuer       string         `json:"issuer,omitempty"`
	Subject      string         `json:"subject"`
	Audiences    []string       `json:"audiences,omitempty"`
	Scopes       []string       `json:"scopes,omitempty"`
	Groups       []string       `json:"groups,omitempty"`
	Actor        *printedActor  `json:"actor,omitempty"`
	Claims       map[string]any `json:"claims,omitempty"`
	CredentialID string         `json:"credentialId,omitempty"`
	ExpiresAt    *time.Time     `json:"expiresAt,omitempty"`
}

// printedClaim is what a credential says of its holder, unverified.
type printedClaim struct {
	Method       string `json:"method,omitempty"`
	Issuer       string `json:"issuer,omitempty"`
	Subject      string `json:"subject,omitempty"`
	CredentialID string `json:"credentialId,omitempty"`
}

type printedActor struct {
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
	// Unreadable: the token names an actor, and not as an object.
	Unreadable bool `json:"unreadable,omitempty"`
}

func printJSON(w io.Writer, d *authz.Decision, steps []authz.Step) error {
	p := printedOf(d)
	p.Steps = explain(steps)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}

func printedOf(d *authz.Decision) *printed {
	p := &printed{
		Decision: d.Outcome.String(), Status: d.Status, Policy: d.Policy, Method: d.Method, Rule: d.Rule,
		Reason: d.Reason, Detail: d.Detail, Headers: d.Shown(), RemoveHeaders: list(d.Remove), RemoveQuery: d.RemoveQuery,
		Metadata: d.Metadata, ResponseHeaders: list(d.Headers), Body: d.Body,
		Identity: identityOf(d.Identity), Refused: identityOf(d.Refused), Claimed: (*printedClaim)(d.Claimed),
	}
	if d.Version != nil {
		p.Generation, p.Digest = d.Version.Generation, d.Version.Digest
	}
	if d.Shadow != nil {
		p.Shadow = printedOf(d.Shadow)
	}
	if d.Outcome == authz.Allow {
		p.Status = http.StatusOK // as far as agentauth is concerned
	}
	return p
}

// shadowLine is what a policy with mode Shadow would have decided, in one line.
func shadowLine(s *authz.Decision) string {
	text := "policy " + s.Policy + " would decide: " + s.Outcome.String()
	if s.Status != 0 {
		text += " " + strconv.Itoa(s.Status)
	}
	text += " " + string(s.Reason)
	if s.Method != "" {
		text += ", method " + s.Method
	}
	if s.Rule != "" {
		text += ", rule " + s.Rule
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	return text
}

func identityOf(id *authz.Identity) *printedIdentity {
	if id == nil {
		return nil
	}
	p := &printedIdentity{
		Method: id.Method, Issuer: id.Issuer, Subject: id.Subject, Audiences: id.Audiences,
		Scopes: id.Scopes, Groups: id.Groups, Claims: id.Claims, CredentialID: id.CredentialID,
	}
	if id.Actor != nil {
		p.Actor = &printedActor{id.Actor.Issuer, id.Actor.Subject, id.Actor.Unreadable}
	}
	if !id.ExpiresAt.IsZero() {
		p.ExpiresAt = &id.ExpiresAt
	}
	return p
}

// list is never null in JSON.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func printText(w io.Writer, d *authz.Decision, steps []authz.Step) error {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%-13s %s\n", s.Stage, oneLine(sentence(s)))
		if s.Came != "" {
			fmt.Fprintf(&b, "%-13s   came: %s\n", "", oneLine(s.Came))
		}
	}
	fmt.Fprintf(&b, "%s", d.Outcome)
	if d.Status != 0 {
		fmt.Fprintf(&b, " %d", d.Status)
	}
	fmt.Fprintln(&b)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", name, oneLine(value))
		}
	}
	line("reason", string(d.Reason))
	line("policy", d.Policy)
	switch v := d.Version; {
	case v == nil:
	case v.Generation != 0:
		line("version", fmt.Sprintf("generation %d, %s", v.Generation, v.Digest))
	case len(steps) > 0: // of a file that is at hand
		line("version", v.Digest)
	}
	line("method", d.Method)
	line("rule", d.Rule)
	line("detail", d.Detail)
	if d.Identity != nil {
		line("subject", d.Identity.Subject)
		line("scopes", strings.Join(d.Identity.Scopes, " "))
		line("groups", strings.Join(d.Identity.Groups, ", "))
	}
	if id := d.Refused; id != nil {
		line("refused", holder(id.Subject, id.Issuer, id.CredentialID))
	}
	if c := d.Claimed; c != nil {
		line("claimed", holder(c.Subject, c.Issuer, c.CredentialID)+"; nobody verified that")
	}
	for _, h := range d.Shown() {
		line("sets", h.Name+": "+h.Value)
	}
	line("removes", strings.Join(append(append([]string{}, d.Remove...), d.RemoveQuery...), ", "))
	for _, h := range d.Headers {
		line("answers", h.Name+": "+h.Value)
	}
	if s := d.Shadow; s != nil {
		line("shadow", shadowLine(s))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// holder says whose a credential is.
func holder(subject, issuer, id string) string {
	var out []string
	for _, part := range [][2]string{{"subject ", subject}, {"issuer ", issuer}, {"credential id ", id}} {
		if part[1] != "" {
			out = append(out, part[0]+part[1])
		}
	}
	return strings.Join(out, ", ")
}

// oneLine quotes what is not printable: a subject must not write a line of its own.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
