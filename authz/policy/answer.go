package policy

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// details are the problem details of RFC 9457. They tell the caller what to do,
// and never what the server knows.
type details struct {
	Type   string `json:"type"`
	Title  string `json:"title,omitempty"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Rule   string `json:"rule,omitempty"`
}

var titles = map[int]string{400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}

func problem(status int, detail, rule string) string {
	b, err := json.Marshal(details{Type: "about:blank", Title: titles[status], Status: status, Detail: detail, Rule: rule})
	if err != nil {
		return "{}" // cannot happen: the fields are valid UTF-8
	}
	return string(b)
}

// answer fills in the answer of a denial: problem details of its status
// (RFC 9457 3.1.2), or what the policy says instead. The policy cannot take
// challenges away (RFC 9110 11.6.1).
func answer(d *authz.Decision, detail, rule string, override *v1alpha1.Denial) {
	if override != nil && override.Status != 0 {
		d.Status = int(override.Status)
	}
	contentType := "application/problem+json"
	d.Body = problem(d.Status, detail, rule)
	if override == nil {
		d.Headers = append(d.Headers, authz.Header{Name: "content-type", Value: contentType})
		return
	}
	if override.Body != nil {
		d.Body, contentType = *override.Body, "text/plain; charset=utf-8"
	}
	for _, h := range override.Headers {
		name := strings.ToLower(h.Name)
		if name == "content-type" {
			contentType = h.Value
			continue
		}
		d.Headers = append(d.Headers, authz.Header{Name: name, Value: h.Value})
	}
	if d.Body != "" {
		d.Headers = append(d.Headers, authz.Header{Name: "content-type", Value: contentType})
	}
}

// BadRequest is the answer to a request that can be read in more than one way.
func BadRequest(err error) authz.Decision {
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.BadRequest, Status: 400, Detail: err.Error()}
	answer(&d, "The request can be read in more than one way: "+err.Error()+".", "", nil)
	return d
}

// NoPolicy is the answer where no policy claims the request.
func NoPolicy() authz.Decision {
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.NoPolicy, Status: 403, Detail: "no policy claims the request"}
	answer(&d, "Nothing allows this request.", "", nil)
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
	d := authz.Decision{Outcome: authz.Error, Reason: reason, Status: 503, Detail: detail,
		Headers: []authz.Header{{Name: "retry-after", Value: strconv.FormatInt(seconds, 10)}}}
	answer(&d, "The request cannot be checked now. Try again later.", "", nil)
	return d
}

// Unanswerable is the answer where the upstream or the proxy cannot be told what
// the policy says, 503: asking again does not help, so the caller is not told to.
func Unanswerable(detail string) authz.Decision {
	d := authz.Decision{Outcome: authz.Error, Reason: authz.ExpressionFailed, Status: 503, Detail: detail}
	answer(&d, "The request cannot be answered: what the service behind is to be told of it cannot be written. Sending it again does not help.", "", nil)
	return d
}

// Unmatched lets a request through that no policy claims, where the operator
// chose that. It belongs to no namespace, so the reserved headers of all are
// host.Shared.
func Unmatched(r *authz.Request, host Host) authz.Decision {
	var m removal
	m.begin(r)
	m.host(&host)
	return authz.Decision{Outcome: authz.Allow, Reason: authz.Unmatched, Remove: m.but(nil)}
}

// badRequest ends the decision with 400.
func (x *exchange) badRequest(stage authz.Stage, err error) bool {
	x.trace.Add(authz.Step{Stage: stage, Outcome: authz.StepRefused, Detail: err.Error()})
	return x.decide(BadRequest(err))
}
