package forward

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// Decider decides a request. It refuses what authz.NewRequest refuses, and answers
// within the deadline of ctx.
type Decider interface {
	Decide(context.Context, authz.Raw) authz.Decision
}

// Within decides as next does, and refuses what the proxies of a dialect cannot do:
// removing a parameter of the query, setting or removing a header that they do not
// take over, and answering with a document of agentauth's own. names are the headers that they do; without any it is taken for granted of
// all that a policy can name, and refused of those that only a caller can choose.
func Within(next Decider, d Dialect, names []string) Decider {
	return &within{next, d.of(), names}
}

type within struct {
	next    Decider
	dialect *dialect
	names   []string
}

// Decide implements [Decider]. What it returns can be written as it is, so that whoever
// records it has what is answered.
func (w *within) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	d := w.next.Decide(ctx, raw)
	if d.Outcome == authz.Respond {
		return notServed(&d)
	}
	if d.Outcome == authz.Allow {
		d = w.allow(&raw, d)
	}
	if err := check(&d); err != nil {
		return unwritable(&d, err)
	}
	if d.Outcome != authz.Allow {
		d.Status = status(&d)
	}
	return d
}

// allow refuses an allowance that the proxy cannot carry out.
func (w *within) allow(raw *authz.Raw, d authz.Decision) authz.Decision {
	if len(d.RemoveQuery) > 0 {
		return refused(&d, "the proxy cannot remove the credential from the query",
			"A credential came in the query. Send it in a header: it cannot be removed from the query here.")
	}
	for _, h := range d.Set {
		if !w.takesOver(h.Name) {
			return unanswerable(&d, fmt.Sprintf("the policy sets the header %s: name it in --http-headers, and in the proxy's list of headers that it takes from the answer", h.Name))
		}
	}
	if w.dialect.removes {
		return d
	}
	for _, name := range d.Remove {
		switch {
		case !came(raw, name) || w.names == nil && !chosen(name) && w.takesOver(name) || w.names != nil && w.takesOver(name):
		case chosen(name):
			return refused(&d, fmt.Sprintf("the proxy cannot remove the header %q, which some servers take for another one", name),
				"A header came that some servers take for another one, or for the host, path or method of the request. Leave it out.")
		default:
			return unanswerable(&d, fmt.Sprintf("the policy removes the header %s: name it in --http-headers, and in the proxy's list of headers that it takes from the answer", name))
		}
	}
	return d
}

// takesOver says whether the proxy sets and removes a header as it is told.
func (w *within) takesOver(name string) bool {
	return !Reserved(name) && (w.names == nil || slices.Contains(w.names, name))
}

// chosen says whether only a caller chooses a name: an alias of another one, or one that
// says of the request what others say too.
func chosen(name string) bool { return authz.Alias(name) != name || authz.Misleads(name) }

func came(raw *authz.Raw, name string) bool {
	return slices.ContainsFunc(raw.Headers, func(h authz.Header) bool { return authz.EqualFold(h.Name, name) })
}

// Reserved says whether a header means something to who gets an answer of HTTP: no
// proxy takes it over for the request.
func Reserved(name string) bool {
	switch name {
	case "connection", "content-encoding", "content-length", "date", "expect", "host", "keep-alive", "location", "set-cookie",
		"te", "trailer", "transfer-encoding", "upgrade", "www-authenticate":
		return true
	}
	return strings.HasPrefix(name, "x-accel-") || strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "x-agentauth-")
}

const problemJSON = "application/problem+json"

// refused is 400: the caller can send the request in another way.
func refused(d *authz.Decision, detail, told string) authz.Decision {
	out := instead(d, authz.Deny, authz.BadRequest, 400, detail)
	out.Body = `{"type":"about:blank","title":"Bad Request","status":400,"detail":"` + told + `"}`
	return out
}

// unanswerable is 503: asking again does not help, so the caller is not told to.
func unanswerable(d *authz.Decision, detail string) authz.Decision {
	out := instead(d, authz.Error, authz.PolicyInvalid, 503, detail)
	out.Body = `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The request cannot be answered. Sending it again does not help."}`
	return out
}

// notServed is 404 in the place of an answer of agentauth's own, since 2xx is an allowance.
func notServed(d *authz.Decision) authz.Decision {
	out := instead(d, authz.Deny, authz.NoPolicy, 404, "agentauth answers this itself, and an answer of 2xx would be an allowance to the proxy: let the proxy serve it")
	out.Body = `{"type":"about:blank","title":"Not Found","status":404,"detail":"This is not served here."}`
	return out
}

// unwritable is 503 in the place of what HTTP has no form for.
func unwritable(d *authz.Decision, cause error) authz.Decision {
	out := instead(d, authz.Error, authz.Internal, 503, "the decision cannot be written for the proxy: "+cause.Error())
	out.Body = unavailable.Body
	return out
}

// instead is a refusal in the place of what was decided: whose request it is stays known.
func instead(d *authz.Decision, outcome authz.Outcome, reason authz.Reason, status int, detail string) authz.Decision {
	out := *d
	out.Outcome, out.Reason, out.Status, out.Detail = outcome, reason, status, detail
	out.Set, out.Remove, out.RemoveQuery, out.Token, out.Problem = nil, nil, nil, "", false
	out.Headers = []authz.Header{{Name: "content-type", Value: problemJSON}}
	return out
}
