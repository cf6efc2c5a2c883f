package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// read judges the requests of an audit log, line by line. A last line that is none is one
// that is being written.
func (c *comparison) read(ctx context.Context, r io.Reader) error {
	var last error
	for record, err := range audit.Read(r) {
		if last != nil {
			return last
		}
		if last = err; err == nil {
			c.records++
			c.take(ctx, &record)
		}
	}
	switch {
	case last != nil && c.records == 0:
		return last
	case last != nil:
		c.note("the last line is no whole record and is left out (%v)", last)
	case c.records == 0:
		return errors.New("expected records of an audit log, got none")
	}
	return nil
}

// take judges the request of a record, if it is of one.
func (c *comparison) take(ctx context.Context, r *audit.Record) {
	switch r.Event.Action {
	case audit.ActionDropped:
		c.missing += r.Agentauth.Missing
	case audit.ActionDecision:
		q := recordedOf(r)
		before, after, unknown := c.judge(ctx, q)
		c.count(q, before, after, unknown)
	case audit.ActionPolicy, audit.ActionRevocation, audit.ActionStart, audit.ActionStop:
	}
}

// recordedOf is the request of a record.
func recordedOf(r *audit.Record) *recordedRequest {
	a := &r.Agentauth
	q := &recordedRequest{
		id: r.HTTP.Request.ID,
		raw: authz.Raw{
			ID: r.HTTP.Request.ID, Method: r.HTTP.Request.Method, Host: r.URL.Domain, Path: r.URL.Path, Time: r.Time,
			Source: authz.Source{Address: r.Source.IP, Principal: a.Principal},
		},
		was: told{Decision: a.Decision, Status: r.HTTP.Response.StatusCode, Policy: a.Policy, Rule: a.Rule, Reason: authz.Reason(r.Event.Reason)},
	}
	q.parts = map[string]bool{"request.method": true, "request.path": true, "request.host": true, "request.time": true, "request.source": true}
	for part, text := range map[string]string{"request.id": q.raw.ID, "request.source.address": r.Source.IP, "request.source.principal": a.Principal} {
		q.parts[part] = isExact(text)
	}
	switch {
	case a.PathMode != "" && a.PathMode != audit.PathFull:
		q.lacks = "the path is recorded as " + string(a.PathMode) + ", not in full"
	case !isExact(r.URL.Path), !isExact(r.URL.Domain), !isExact(r.HTTP.Request.Method):
		q.lacks = "the path, the host or the method is cut, or has characters that no record has"
	}
	if a.Identity != nil {
		q.takeIdentity(a.Identity)
	}
	return q
}

// takeIdentity takes the recorded identity, which has no claims.
func (q *recordedRequest) takeIdentity(id *audit.Identity) {
	q.identity = &authz.Identity{
		Method: id.Method, Issuer: id.Issuer, Subject: id.Subject, CredentialID: id.CredentialID,
		Audiences: id.Audiences, Scopes: id.Scopes, Groups: id.Groups, ExpiresAt: id.ExpiresAt,
	}
	for part, text := range map[string]string{"method": id.Method, "issuer": id.Issuer, "subject": id.Subject, "credentialId": id.CredentialID} {
		q.parts["identity."+part] = isExact(text)
	}
	for _, part := range []string{"audiences", "scopes", "groups"} {
		q.parts["identity."+part] = !id.Cut
	}
	q.parts["identity.expiresAt"], q.parts["identity.actor"] = true, true
	if id.Actor != nil {
		q.identity.Actor = &authz.Actor{Issuer: id.Actor.Issuer, Subject: id.Actor.Subject, Unreadable: id.Actor.Unreadable}
		q.parts["identity.actor.issuer"], q.parts["identity.actor.subject"] = isExact(id.Actor.Issuer), isExact(id.Actor.Subject)
	}
}

// isExact says whether a text is the one that came: a record cuts long ones, and replaces
// what is no text.
func isExact(text string) bool {
	return !strings.HasSuffix(text, "…") && !strings.ContainsRune(text, utf8.RuneError)
}
