package expr

import (
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/agentauth-dev/agentauth/authz"
)

// headers are a request's, by their names in lower case.
type headers struct{ r *authz.Request }

func (h headers) lookup(name string) (string, bool, error) {
	v, n := h.r.Header(name)
	if !utf8.ValidString(v) {
		return "", true, failure("the header's value is no UTF-8")
	}
	return v, n > 0, nil
}

func (h headers) names() []string {
	var out []string
	for n := range h.r.Headers() {
		out = append(out, n)
	}
	return out
}

func (h headers) size() int {
	n := 0
	for range h.r.Headers() {
		n++
	}
	return n
}

// query is a request's parameters by their decoded names.
type query struct{ r *authz.Request }

// lookup refuses to choose among values: the upstream may choose another.
func (q query) lookup(name string) (string, bool, error) {
	var found *authz.Param
	for i := range q.r.Query {
		p := &q.r.Query[i]
		switch {
		case p.Name != name:
		case found != nil:
			return "", true, failure("the query parameter occurs twice")
		default:
			found = p
		}
	}
	switch {
	case found == nil:
		return "", false, nil
	case found.Malformed:
		return "", true, failure("the query parameter's value cannot be decoded")
	case !utf8.ValidString(found.Value):
		return "", true, failure("the query parameter's value is no UTF-8")
	}
	return found.Value, true, nil
}

func (q query) names() []string {
	seen := make(map[string]bool, len(q.r.Query))
	out := make([]string, 0, len(q.r.Query))
	for _, p := range q.r.Query {
		if !seen[p.Name] {
			seen[p.Name] = true
			out = append(out, p.Name)
		}
	}
	return out
}

func (q query) size() int { return len(q.names()) }

func utf8Value(s, otherwise string) ref.Val {
	if !utf8.ValidString(s) {
		return types.WrapErr(failure(otherwise))
	}
	return types.String(s)
}
