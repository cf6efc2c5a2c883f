package audit

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	// maxText bounds a text of a record in bytes, maxList a list in entries.
	maxText = 512
	maxList = 64
)

// decision makes the record of a decision that began at a time. It may share texts
// with the request: it is to be encoded at once.
func (s *Stream) decision(raw *authz.Raw, d *authz.Decision, at time.Time, took time.Duration) *Record {
	r := newRecord(ActionDecision, at)
	r.Event.Outcome, r.Event.Reason, r.Event.Duration = outcome(d.Outcome), string(d.Reason), took.Nanoseconds()
	r.Trace.ID, _ = TraceOf(raw.Headers)
	r.HTTP.Request.ID, r.HTTP.Request.Method = brief(raw.ID), brief(raw.Method)
	if d.Outcome != authz.Allow {
		r.HTTP.Response.StatusCode = d.Status
	}
	r.URL.Domain, r.URL.Path = brief(WithoutUser(raw.Host)), s.paths.of(raw.Path)
	r.Source.IP = brief(raw.Source.Address)
	a := &r.Agentauth
	if a.PathMode = s.paths.mode; a.PathMode == PathFull {
		a.PathMode = ""
	}
	a.Decision, a.Policy, a.Method, a.Rule, a.Detail = d.Outcome.String(), d.Policy, d.Method, d.Rule, brief(d.Detail)
	a.Principal = brief(raw.Source.Principal)
	if d.Version != nil {
		a.Generation, a.Digest = d.Version.Generation, d.Version.Digest
	}
	a.Identity, a.Refused = s.identity(d.Identity), s.identity(d.Refused)
	if c := d.Claimed; c != nil && *c != (authz.Claim{}) {
		a.Claimed = &Claim{Method: c.Method, Issuer: brief(c.Issuer), Subject: brief(c.Subject), CredentialID: brief(c.CredentialID)}
	}
	a.Shadow = shadowOf(d.Shadow)
	return r
}

// policy makes the record of a change of a policy.
func policy(c *authz.PolicyChange, at time.Time) *Record {
	r := newRecord(ActionPolicy, at)
	r.Agentauth = Details{Policy: c.Policy, Change: string(c.Kind), PreviousGeneration: c.From, Generation: c.To, Digest: c.Digest, Ready: c.Ready}
	return r
}

func newRecord(action Action, at time.Time) *Record {
	r := &Record{Schema: Schema, Time: at.UTC()}
	r.Event.Action = action
	if id, err := uuid.NewV7(); err == nil {
		r.Event.ID = id.String()
	}
	return r
}

func outcome(o authz.Outcome) string {
	switch o {
	case authz.Allow, authz.Respond:
		return "success"
	case authz.Error:
		return "unknown"
	default:
		return "failure"
	}
}

func (s *Stream) identity(id *authz.Identity) *Identity {
	if id == nil {
		return nil
	}
	out := &Identity{Method: id.Method, Issuer: brief(id.Issuer), Subject: brief(id.Subject), CredentialID: brief(id.CredentialID), ExpiresAt: date(id.ExpiresAt)}
	for _, l := range []struct {
		to   *[]string
		from []string
	}{{&out.Audiences, id.Audiences}, {&out.Scopes, id.Scopes}, {&out.Groups, id.Groups}} {
		*l.to, out.Cut = briefList(l.from, out.Cut)
	}
	for _, name := range s.claims {
		if value, ok := id.Claims[name]; ok {
			if out.Claims == nil {
				out.Claims = make(map[string]string, len(s.claims))
			}
			text := claim(value)
			out.Claims[name], out.Cut = brief(text), out.Cut || len(text) > maxText
		}
	}
	if a := id.Actor; a != nil {
		out.Actor = &Actor{Issuer: brief(a.Issuer), Subject: brief(a.Subject), Unreadable: a.Unreadable}
	}
	return out
}

// date is a time in UTC, and the first or the last one that JSON can write for a time
// that is beyond it there; the zero time for that.
func date(t time.Time) time.Time {
	first, last := time.Time{}.Add(time.Second), time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t.UTC()
}

// WithoutUser is a host, or a URL, without the user and the password before the host.
func WithoutUser(text string) string {
	scheme, rest := "", text
	if before, behind, isURL := strings.Cut(text, "://"); isURL && !strings.HasPrefix(text, "/") {
		scheme, rest = before+"://", behind
	} else if strings.HasPrefix(text, "/") {
		return text // a path
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		return scheme + rest[at+1:]
	}
	return text
}

// claim is the value of a claim as a text.
func claim(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	data, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return ""
	}
	return string(data)
}

func shadowOf(d *authz.Decision) *Shadow {
	if d == nil {
		return nil
	}
	out := &Shadow{Policy: d.Policy, Decision: d.Outcome.String(), Reason: string(d.Reason), Method: d.Method, Rule: d.Rule, Detail: brief(d.Detail)}
	if d.Outcome != authz.Allow {
		out.StatusCode = d.Status
	}
	if d.Version != nil {
		out.Generation, out.Digest = d.Version.Generation, d.Version.Digest
	}
	return out
}

func briefList(list []string, cut bool) (out []string, _ bool) {
	if len(list) > maxList {
		list, cut = list[:maxList], true
	}
	for _, text := range list {
		cut = cut || len(text) > maxText
		out = append(out, brief(text))
	}
	return out, cut
}

// brief is a text that anybody may have written, as a record has it: cut, in valid
// UTF-8, and without what a terminal acts on.
func brief(text string) string {
	cut := len(text) > maxText
	if cut {
		text = text[:maxText]
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		text = strings.Map(func(c rune) rune {
			if c == utf8.RuneError || unprintable(c) {
				return '�'
			}
			return c
		}, strings.ToValidUTF8(text, "�"))
	}
	if cut {
		text += "…"
	}
	return text
}

// unprintable characters write lines that nobody wrote, or turn text around.
func unprintable(c rune) bool { return !unicode.IsGraphic(c) }
