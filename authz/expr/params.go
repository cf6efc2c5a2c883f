package expr

import (
	"maps"

	"github.com/agentauth-dev/agentauth/authz"
)

// headers are the headers of a request, by their names without regard to letter
// case.
type headers struct{ in *request }

func (h headers) lookup(name string) found {
	r := h.in.Request.Read(authz.Lower(name))
	f := found{value: r.Value, present: r.Came}
	switch {
	case r.Aliased:
		f.unknown = !r.Came
		f.err = failure("the header came under another spelling too, which some servers take for the same name: the caller must send one")
		if f.unknown {
			f.err = failure("the header came under another spelling, which only some servers take for the same name: the caller must send its own")
		}
	case !r.Came:
	case r.Repeated:
		f.err = failure("the header came more than once, and servers differ in which one they take: the caller must send it once")
	default:
		f.err = h.in.readable("the header", r.Value)
	}
	return f
}

// readable returns an error if a text of the request cannot be read.
func (r *request) readable(what, text string) error {
	if err := within(what, len(text), MaxValue); err != nil {
		return err
	}
	if !r.cache.isUTF8(text) {
		return failure(what + "'s value is no UTF-8")
	}
	return nil
}

func (h headers) fold(name string) string { return authz.Lower(name) }

func (h headers) names() *names {
	if h.in.cache == nil {
		return h.list()
	}
	if h.in.cache.headers == nil {
		h.in.cache.headers = h.list()
	}
	return h.in.cache.headers
}

func (h headers) list() *names {
	if h.in.Request.HasAliases() {
		return &names{err: failure("a header came under a name that some servers take for another one, so nobody knows all names")}
	}
	return sorted("headers", h.all)
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

// inTwoWays is the error of reading what only some servers see.
const inTwoWays = failure("the query can be read in two ways: some servers see more in it, behind ';' or in a name as n[]: the caller must send each name once, as it is")

// parameter is the sum of all query parameters of one name.
type parameter struct {
	value   string
	present bool
	// alternate says that some servers see more of the name.
	alternate bool
	problem   failure
}

// add adds an occurrence. It does not choose one of several values: the upstream
// may choose another.
func (r parameter) add(p *authz.Param) parameter {
	switch {
	case p.Alternate:
		r.alternate = true
		return r
	case r.present:
		r.problem = "the query parameter occurs twice"
	case p.Malformed:
		r.problem = "the query parameter's value cannot be decoded"
	}
	r.value, r.present = p.Value, true
	return r
}

func (q query) lookup(name string) found {
	r := q.read(name)
	f := found{value: r.value, present: r.present, unknown: r.alternate}
	switch {
	case r.alternate:
		f.err = inTwoWays
	case !r.present:
	case r.problem != "":
		f.err = r.problem
	default:
		f.err = q.in.readable("the query parameter", r.value)
	}
	return f
}

func (q query) read(name string) parameter {
	if q.in.cache != nil {
		all := q.parameters()
		r := all.named[name]
		r.alternate = r.alternate || all.alternates.Have(name)
		return r
	}
	var r parameter
	for i := range q.in.Request.Query {
		p := &q.in.Request.Query[i]
		if p.Name == name {
			r = r.add(p)
		}
		r.alternate = r.alternate || p.AlternateOf(name)
	}
	return r
}

// parameters are those of a query by name.
type parameters struct {
	named      map[string]parameter
	alternates authz.Alternates
}

func (q query) parameters() *parameters {
	if q.in.cache.parameters == nil {
		all := &parameters{make(map[string]parameter, len(q.in.Request.Query)), q.in.Request.Query.Alternates()}
		for i := range q.in.Request.Query {
			p := &q.in.Request.Query[i]
			all.named[p.Name] = all.named[p.Name].add(p)
		}
		q.in.cache.parameters = all
	}
	return q.in.cache.parameters
}

func (q query) fold(name string) string { return name }

func (q query) names() *names {
	if q.in.cache == nil {
		return q.list()
	}
	if q.in.cache.query == nil {
		q.in.cache.query = q.list()
	}
	return q.in.cache.query
}

// list lists the names, each once.
func (q query) list() *names {
	all := make(map[string]bool, len(q.in.Request.Query))
	for i := range q.in.Request.Query {
		p := &q.in.Request.Query[i]
		if p.Alternate || p.Bracketed() {
			return &names{err: inTwoWays}
		}
		all[p.Name] = true
	}
	return sorted("query parameters", maps.Keys(all))
}
