package telemetry

import (
	"log/slog"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// attributes name a request and its decision. The query is left out, and with
// it every place of a request that may hold a credential.
func attributes(raw *authz.Raw, d *authz.Decision, took time.Duration) []slog.Attr {
	f := fields{
		slog.String("decision", d.Outcome.String()),
		slog.String("reason", string(d.Reason)),
		slog.String("policy", d.Policy),
	}
	if v := d.Version; v != nil {
		if v.Generation != 0 {
			f = append(f, slog.Int64("generation", v.Generation))
		}
		f.add("digest", v.Digest)
	}
	f.add("method", d.Method)
	f.add("rule", d.Rule)
	if d.Status != 0 {
		f = append(f, slog.Int("status", d.Status))
	}
	f.addHolder(d)
	f = append(f, slog.String("requestId", brief(raw.ID)))
	f.add("source", raw.Source.Address)
	f.add("peerPrincipal", raw.Source.Principal)
	f = append(f,
		slog.String("host", brief(audit.WithoutUser(raw.Host))),
		slog.String("httpMethod", brief(raw.Method)),
		slog.String("path", brief(audit.PathOf(raw.Path))),
		slog.Float64("tookMs", float64(took.Microseconds())/1000),
	)
	if d.Detail != "" {
		f = append(f, slog.String("detail", d.Detail))
	}
	if d.Shadow != nil {
		f = append(f, shadowAttributes(d.Shadow))
	}
	return f
}

// fields are those of a line of the log.
type fields []slog.Attr

// add adds a field that is not empty.
func (f *fields) add(name, value string) {
	if value != "" {
		*f = append(*f, slog.String(name, brief(value)))
	}
}

// addHolder adds whose credential it was: what was verified, and else, apart from it, what
// the credential says itself.
func (f *fields) addHolder(d *authz.Decision) {
	id := d.Identity
	if id == nil {
		id = d.Refused
	}
	switch c := d.Claimed; {
	case id != nil:
		f.add("subject", id.Subject)
		f.add("issuer", id.Issuer)
		f.add("credentialId", id.CredentialID)
		if a := id.Actor; a != nil {
			var actor fields
			actor.add("subject", a.Subject)
			actor.add("issuer", a.Issuer)
			if a.Unreadable {
				actor = append(actor, slog.Bool("unreadable", true))
			}
			*f = append(*f, slog.GroupAttrs("actor", actor...))
		}
		if r := d.Refused; r != nil && r != id {
			var refused fields
			refused.add("method", r.Method)
			refused.add("subject", r.Subject)
			refused.add("issuer", r.Issuer)
			refused.add("credentialId", r.CredentialID)
			*f = append(*f, slog.GroupAttrs("refused", refused...))
		}
	case c != nil:
		var claimed fields
		claimed.add("subject", c.Subject)
		claimed.add("issuer", c.Issuer)
		claimed.add("credentialId", c.CredentialID)
		*f = append(*f, slog.GroupAttrs("claimed", claimed...))
	}
}

// brief bounds what a request may write into the log.
func brief(s string) string {
	const most = 512
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
