package engine

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// respond is what the upstream learns of an allowed request.
func (p *policy) respond(ctx context.Context, r *authz.Request, w *who, rec *recorder) authz.Decision {
	d := authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed}
	if err := p.strip(r, w, &d); err != nil {
		rec.add("respond", "refused: %s", err)
		return badRequest(err)
	}

	in := &expr.Input{Request: r, Identity: w.identity, Identities: w.identities}
	for _, h := range p.headers {
		v, present, err := h.program.String(ctx, in)
		switch {
		case err != nil:
			return p.cannotRespond("header "+h.name+" failed: "+err.Error(), rec)
		case present && !authz.ValidFieldValue(v):
			return p.cannotRespond("header "+h.name+" has a value that no header can have", rec)
		case present:
			d.Set = append(d.Set, authz.Header{Name: h.name, Value: v})
		}
	}
	for _, m := range p.metadata {
		v, present, err := m.program.String(ctx, in)
		if err != nil {
			return p.cannotRespond("metadata "+m.name+" failed: "+err.Error(), rec)
		}
		if present {
			if d.Metadata == nil {
				d.Metadata = make(map[string]string, len(p.metadata))
			}
			d.Metadata[m.name] = v
		}
	}
	removeNames(r, p.names, &d)
	d.Remove = slices.DeleteFunc(d.Remove, func(name string) bool { return sets(&d, name) })
	slices.Sort(d.Remove)
	d.Remove = slices.Compact(d.Remove)
	rec.add("respond", "sets %d headers, removes %s", len(d.Set), strings.Join(d.Remove, ", "))
	return d
}

func (p *policy) cannotRespond(detail string, rec *recorder) authz.Decision {
	rec.add("respond", "%s", detail)
	return unavailable(authz.ExpressionFailed, detail, 0)
}

// strip removes every place that any method reads, used or not; Forward keeps
// those whose credential succeeded.
func (p *policy) strip(r *authz.Request, w *who, d *authz.Decision) error {
	var cookies []string
	for _, place := range p.places {
		kept := p.forward && w.succeeded(place)
		switch {
		case place.In == authn.InHeader:
			if !kept {
				d.Remove = append(d.Remove, place.Name)
			}
			removeAliases(r, place, kept, d)
		case kept:
		case place.In == authn.InQuery:
			// Envoy rewrites a whole query from which it is to remove anything.
			if literal(r.Query, place.Name) && !slices.Contains(d.RemoveQuery, place.Name) {
				d.RemoveQuery = append(d.RemoveQuery, place.Name)
			}
		default:
			cookies = append(cookies, place.Name)
		}
	}
	if p.tokens && !p.forward {
		removeAliases(r, proof, false, d)
	}
	if len(cookies) > 0 {
		return stripCookies(r, cookies, d)
	}
	return nil
}

// proof is what goes with a token that is bound to a key (RFC 9449 4.1).
var proof = authn.Place{In: authn.InHeader, Name: "dpop"}

func literal(q authz.Query, name string) bool {
	return slices.ContainsFunc(q, func(p authz.Param) bool { return p.RawName == name })
}

// succeeded says whether a credential in this header, cookie or parameter did.
func (w *who) succeeded(place authn.Place) bool {
	return slices.ContainsFunc(w.results, func(res result) bool {
		return res.identity != nil && res.place != nil && res.place.In == place.In && res.place.Name == place.Name
	})
}

// removeAliases removes a header in every spelling that came but the place's
// own, if that is kept.
func removeAliases(r *authz.Request, place authn.Place, kept bool, d *authz.Decision) {
	alias := authz.Alias(place.Name)
	for name := range r.Headers() {
		if authz.Alias(name) == alias && !(kept && name == place.Name) {
			d.Remove = append(d.Remove, name)
		}
	}
}

// stripCookies rewrites the cookie header without the named cookies. One that
// cannot be written again cannot be stripped, and is refused.
func stripCookies(r *authz.Request, names []string, d *authz.Decision) error {
	header, _ := r.Header("cookie")
	var kept []string
	changed := false
	for pair := range strings.SplitSeq(header, ";") {
		pair = strings.Trim(pair, " \t")
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case pair == "":
		case slices.Contains(names, strings.TrimRight(name, " \t")):
			changed = true
		default:
			kept = append(kept, pair)
		}
	}
	switch {
	case !changed:
	case len(kept) == 0:
		d.Remove = append(d.Remove, "cookie")
	default:
		rest := strings.Join(kept, "; ")
		if !authz.ValidFieldValue(rest) || !utf8.ValidString(rest) {
			return &authz.BadRequestError{Problem: "the cookie header has bytes that no header may have, beside a credential"}
		}
		d.Set = append(d.Set, authz.Header{Name: "cookie", Value: rest})
	}
	return nil
}
