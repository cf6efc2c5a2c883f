package expr

import (
	"github.com/agentauth-dev/agentauth/authz"
)

// headers are the headers of a request, by their names in lower case.
type headers struct{ in *request }

func (h headers) lookup(name string) (string, bool, error) {
	v, n := h.in.Request.Header(name)
	if n == 0 {
		return "", false, nil
	}
	if err := within("the header", len(v), MaxValue); err != nil {
		return "", true, err
	}
	if !h.in.cache.isUTF8(v) {
		return "", true, failure("the header's value is no UTF-8")
	}
	return v, true, nil
}

func (h headers) names() *names {
	if h.in.cache == nil {
		return sorted("headers", h.all)
	}
	if h.in.cache.headers == nil {
		h.in.cache.headers = sorted("headers", h.all)
	}
	return h.in.cache.headers
}

func (h headers) all(yield func(string) bool) {
	for n := range h.in.Request.Headers() {
		if !yield(n) {
			return
		}
	}
}

// query has the query parameters of a request, by their decoded names.
type query struct{ in *request }

// parameter is the sum of all query parameters of one name.
type parameter struct {
	value string
	// present says that some servers see a parameter of the name, certain that
	// every server does.
	present, certain bool
	problem          failure
}

// add adds an occurrence. It does not choose one of several values: the upstream
// may choose another.
func (r parameter) add(p *authz.Param) parameter {
	switch {
	case p.Alternate:
		r.problem = "the query can be read in two ways: servers that split it at ';' see more in it"
	case r.problem != "":
	case r.certain:
		r.problem = "the query parameter occurs twice"
	case p.Malformed:
		r.problem = "the query parameter's value cannot be decoded"
	}
	r.value, r.present, r.certain = p.Value, true, r.certain || !p.Alternate
	return r
}

func (q query) lookup(name string) (string, bool, error) {
	r := q.read(name)
	if !r.present {
		return "", false, nil
	}
	if r.problem != "" {
		return "", true, r.problem
	}
	if err := within("the query parameter", len(r.value), MaxValue); err != nil {
		return "", true, err
	}
	if !q.in.cache.isUTF8(r.value) {
		return "", true, failure("the query parameter's value is no UTF-8")
	}
	return r.value, true, nil
}

func (q query) read(name string) parameter {
	if q.in.cache != nil {
		return q.parameters()[name]
	}
	var r parameter
	for i := range q.in.Request.Query {
		if p := &q.in.Request.Query[i]; p.Name == name {
			r = r.add(p)
		}
	}
	return r
}

func (q query) parameters() map[string]parameter {
	if q.in.cache != nil && q.in.cache.parameters != nil {
		return q.in.cache.parameters
	}
	all := make(map[string]parameter, len(q.in.Request.Query))
	for i := range q.in.Request.Query {
		p := &q.in.Request.Query[i]
		all[p.Name] = all[p.Name].add(p)
	}
	if q.in.cache != nil {
		q.in.cache.parameters = all
	}
	return all
}

func (q query) names() *names {
	if q.in.cache != nil && q.in.cache.query != nil {
		return q.in.cache.query
	}
	out := sorted("query parameters", func(yield func(string) bool) {
		for name, r := range q.parameters() {
			if r.certain && !yield(name) {
				return
			}
		}
	})
	if q.in.cache != nil {
		q.in.cache.query = out
	}
	return out
}
