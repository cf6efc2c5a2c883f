package policy

import (
	"sync"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/mcp"
)

// exchange is one request on its way through the stages. It is used again for another
// request: nothing that outlives the decision may hold it, or a part of it.
type exchange struct {
	request *authz.Request
	host    Host
	trace   *authz.Trace
	// credentials are what authenticate read, and identity and identities what
	// it established.
	credentials credentials
	identity    *authz.Identity
	identities  []*authz.Identity
	// refused is whose credential was revoked and came beside those, and whyRefused tells
	// more; nil if there is none.
	refused    *authz.Identity
	whyRefused string
	in         expr.Input
	// call is that of a server of MCP, and asked are the entries for it.
	call    *mcp.Call
	asked   []asked
	removal removal

	decision authz.Decision

	// arrays back the slices above.
	arrays struct {
		credential authn.Presented
		found      [places]*authn.Presented
		occupied   [places]bool
		results    [methods]result
		identities [methods]*authz.Identity
		more       [8]string
		asked      [methods]asked
	}
}

// places and methods are how many of each a usual policy has at most.
const places, methods = 6, 4

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// begin returns an exchange for a request.
func begin(p *Policy, r *authz.Request, host Host, trace *authz.Trace) *exchange {
	x := exchanges.Get().(*exchange)
	x.request, x.host, x.trace = r, host, trace
	x.identities, x.asked = x.arrays.identities[:0], x.arrays.asked[:0]
	o := p.shape()
	x.removal = removal{request: r, own: o.names, always: o.always, more: x.arrays.more[:0]}
	return x
}

// end returns the decision and gives the exchange back.
func (x *exchange) end() authz.Decision {
	d := x.decision
	*x = exchange{}
	exchanges.Put(x)
	return d
}

// decide ends the decision.
func (x *exchange) decide(d authz.Decision) bool {
	x.decision = d
	return true
}

// input is what expressions read.
func (x *exchange) input() *expr.Input {
	x.in = expr.Input{Request: x.request, Identity: x.identity, Identities: x.identities, MCP: x.call}
	return &x.in
}

// inline returns the first n of an array, or a slice of its own.
func inline[T any](array []T, n int) []T {
	if n > len(array) {
		return make([]T, n)
	}
	return array[:n]
}
