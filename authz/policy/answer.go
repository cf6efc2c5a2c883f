package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/mcp"
)

var titles = map[int]string{400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}

// problem are the problem details of RFC 9457. They tell the caller what to do, and
// never what the server knows.
func problem(status int, detail, rule string) string {
	b := make([]byte, 0, 512)
	b = append(b, `{"type":"about:blank"`...)
	var err error
	quote := func(name, s string) {
		if err == nil {
			b, err = jsontext.AppendQuote(append(b, name...), s)
		}
	}
	if title := titles[status]; title != "" {
		quote(`,"title":`, title)
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	quote(`,"detail":`, detail)
	if rule != "" {
		quote(`,"rule":`, rule)
	}
	if err != nil {
		return "{}" // cannot happen: the fields are valid UTF-8
	}
	return string(append(b, '}'))
}

// rpcError is an error response of JSON-RPC (JSON-RPC 2.0 5.1) to a request of an id of
// the proxy.
func rpcError(e *mcp.Error, id string) string {
	b := append(make([]byte, 0, 256), `{"jsonrpc":"2.0","id":`+e.ID+`,"error":{"code":`...)
	b = append(strconv.AppendInt(b, int64(e.Code), 10), `,"message":`...)
	b, err := jsontext.AppendQuote(b, e.Error())
	if err != nil {
		return "{}" // cannot happen: the text is valid UTF-8
	}
	if told, ok := appendRequestID(append(b, `,"data":{`...), id); ok {
		b = append(told, '}')
	}
	return string(append(b, "}}"...))
}

// denial is what a stage answers with, made once: problem details of the status
// (RFC 9457 3.1.2), or what the policy says instead. The policy cannot take
// challenges away (RFC 9110 11.6.1).
type denial struct {
	status  int
	headers []authz.Header
	body    string
	// problem says that the body is no text of the policy.
	problem bool
}

func newDenial(status int, detail, rule string, override *v1alpha1.Denial) *denial {
	out := &denial{status: status}
	if override != nil && override.Status != 0 {
		out.status = int(override.Status)
	}
	contentType := "application/problem+json"
	if override == nil || override.Body == nil {
		out.body, out.problem = problem(out.status, detail, rule), true
	} else {
		out.body, contentType = *override.Body, "text/plain; charset=utf-8"
	}
	if override != nil {
		for _, h := range override.Headers {
			name := strings.ToLower(h.Name)
			if name == "content-type" {
				contentType = h.Value
				continue
			}
			out.headers = append(out.headers, authz.Header{Name: name, Value: h.Value})
		}
	}
	if out.body != "" {
		out.headers = append(out.headers, authz.Header{Name: "content-type", Value: contentType})
	}
	return out
}

// answer fills in the answer of a denial, behind the headers that it has.
func (a *denial) answer(d *authz.Decision) {
	d.Status, d.Body, d.Problem = a.status, a.body, a.problem
	if d.Headers == nil {
		d.Headers = slices.Clip(a.headers) // shared by all decisions
		return
	}
	d.Headers = append(d.Headers, a.headers...)
}

// changeable is a denial that a policy may change. All that do not share it.
type changeable struct {
	detail string
	plain  *denial
}

func newChangeable(status int, detail string) changeable {
	return changeable{detail, newDenial(status, detail, "", nil)}
}

func (c *changeable) of(override *v1alpha1.Denial) *denial {
	if override == nil {
		return c.plain
	}
	return newDenial(c.plain.status, c.detail, "", override)
}

// Answers that no policy changes, and those that one may.
var (
	sendCredential = newChangeable(401, "A credential is required. Send one as www-authenticate says.")
	sendAnother    = newChangeable(401, "The credential was not accepted. Get a new one, or another, and send it as www-authenticate says.")
	useHTTPS       = newChangeable(403, "A password was sent over plaintext. Use https.")
	lacksScope     = newChangeable(403, "The token lacks a scope. Get one with the scopes that www-authenticate names.")
	noWholeBody    = newChangeable(403, "The message in the body of the request could not be read as a whole.")
	noEntryNames   = newChangeable(403, "Nothing allows what the message names.")
	notExchanged   = newChangeable(403, "The credential gives no access to the service behind. Get a token that does.")
	noRuleAllows   = newChangeable(403, "No rule allows this request.")
	originRefused  = newChangeable(403, "Pages of this origin may not call this server.")

	tokenInQuery  = newDenial(400, "A token came in the query. Send it in the authorization header, and get a new one: a query ends up in logs.", "", nil)
	nothingAllows = newDenial(403, "Nothing allows this request.", "", nil)
	tryAgain      = newDenial(503, "The request cannot be checked now. Try again later.", "", nil)
	unanswerable  = newDenial(503, "The request cannot be answered: what the service behind is to be told of it cannot be written. Sending it again does not help.", "", nil)
)

// BadRequest is the answer to a request that can be read in more than one way.
func BadRequest(err error) authz.Decision {
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.BadRequest, Detail: err.Error()}
	newDenial(400, "The request can be read in more than one way: "+err.Error()+".", "", nil).answer(&d)
	return d
}

// NoPolicy is the answer where no policy claims the request.
func NoPolicy() authz.Decision {
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.NoPolicy, Detail: "no policy claims the request"}
	nothingAllows.answer(&d)
	return d
}

// retryAfter is the wait where a better one is not known.
const retryAfter = 5 * time.Second

// Unavailable is the answer where a request cannot be decided: 503 and never
// 401, which would make callers throw good credentials away. The caller is asked
// to wait for retry; 0 is unknown.
func Unavailable(reason authz.Reason, detail string, retry time.Duration) authz.Decision {
	if retry <= 0 {
		retry = retryAfter
	}
	seconds := int64((retry + time.Second - 1) / time.Second)
	d := authz.Decision{Outcome: authz.Error, Reason: reason, Detail: detail,
		Headers: []authz.Header{{Name: "retry-after", Value: strconv.FormatInt(seconds, 10)}}}
	tryAgain.answer(&d)
	return d
}

// Unanswerable is the answer where the upstream or the proxy cannot be told what
// the policy says, 503: asking again does not help, so the caller is not told to.
func Unanswerable(detail string) authz.Decision {
	d := authz.Decision{Outcome: authz.Error, Reason: authz.ExpressionFailed, Detail: detail}
	unanswerable.answer(&d)
	return d
}

// Unmatched lets a request through that no policy claims, where the operator
// chose that. It belongs to no namespace, so the reserved headers of all are
// host.Shared.
func Unmatched(r *authz.Request, host Host) authz.Decision {
	m := removal{request: r}
	m.all(&host)
	return authz.Decision{Outcome: authz.Allow, Reason: authz.Unmatched, Remove: m.but(nil)}
}

// badRequest ends the decision with 400.
func (x *exchange) badRequest(stage authz.Stage, err error) bool {
	x.trace.Add(authz.Step{Stage: stage, Outcome: authz.StepRefused, Detail: err.Error()})
	return x.decide(BadRequest(err))
}
