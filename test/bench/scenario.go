package main

import (
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// A load is how checks are asked: as many in flight, or so many a second whatever the server does.
type load struct {
	inFlight int
	rate     float64
}

var (
	closed64 = load{inFlight: 64}
	closed8  = load{inFlight: 8}
	open5000 = load{rate: 5000}
)

// A scenario is policies, requests, and what they are to be answered.
type scenario struct {
	name, about string
	policies    int             // in all
	documents   func() []string // those that decide the requests
	requests    func(n int) []request
	count       int // of different requests
	want        worker.Verdict
	timeout     time.Duration // 0: Envoy's own
	loads       []load
	forms       []form
	once        bool     // each request is sent once in the life of a server, which is started anew for each round
	touch       bool     // a policy changes each second
	slow        bool     // only in the set of all, which may take longer
	args        []string // of agentauth; $DIR is a directory of the run
}

var allowed = worker.Verdict{Status: 200, Headers: 3}

// known is who is sent on with one header.
var known = worker.Verdict{Status: 200, Headers: 1}

var refused = worker.Verdict{Status: 401}

const (
	many  = 10_000 // of distinct credentials
	fresh = 20_000 // of tokens that are sent once
)

// A scale is what tests have less of.
type scale struct {
	keys int // API keys
	cost int // of password hashes
}

// usualCost is what `agentauth hash password` makes.
const usualCost = 10

// scenarios is all of them, the main one first.
func scenarios(of scale) []scenario {
	signed := func(alg jose.SignatureAlgorithm) func(int) []request {
		return func(n int) []request { return bearers(tokens(alg, n)) }
	}
	hot := signed(jose.RS256)
	only := func() []string { return []string{tools()} }
	s := []scenario{
		{name: "main", about: "one RS256 token, scopes, a CEL rule, three CEL headers, 1,001 policies", policies: 1001,
			requests: hot, want: allowed, loads: []load{closed64, closed8, open5000}, forms: []form{headers, headerMap}},
		{name: "tokens", about: "the same with 10,000 tokens in turn", policies: 1001,
			requests: hot, count: many, want: allowed},
		{name: "new-rs256", about: "each RS256 token is new to the process", policies: 1001, once: true,
			requests: hot, count: fresh, want: allowed},
		{name: "new-es256", about: "each ES256 token is new to the process", policies: 1001, once: true,
			requests: signed(jose.ES256), count: fresh, want: allowed},
		{name: "basic", about: "a password that was verified before", policies: 1001, timeout: 2 * time.Second,
			documents: func() []string { return []string{staff(of.cost)} },
			requests:  func(int) []request { return []request{login("alice", secretOfAlice)} }, want: known},
		{name: "key", about: "10,000 API keys in turn, of " + thousands(of.keys), policies: 1001,
			documents: func() []string { return inventory(of.keys) }, requests: func(n int) []request { return withKeys(n, of.keys) }, count: many, want: known},
		{name: "introspected", about: "an opaque token of which the server said lately that it is active", policies: 1001, args: toLoopback,
			documents: introspected, requests: func(n int) []request { return bearers(opaqueTokens(n)) }, want: allowed},
		{name: "body", about: "main, with a body of 64 KiB that no rule reads", policies: 1001,
			requests: func(n int) []request {
				r := hot(n)
				r[0].body = []byte(strings.Repeat("0123456789abcdef", 4096))
				return r
			}, want: allowed},
		{name: "bad-signature", about: "tokens whose signature is another's", policies: 1001,
			requests: func(n int) []request { return bearers(forged(n)) }, count: many, want: refused},
		{name: "garbage", about: "what looks like a token and is none", policies: 1001,
			requests: func(n int) []request { return bearers(garbage(n)) }, count: many, want: refused},
		{name: "unknown-kid", about: "tokens of keys that the provider does not have", policies: 1001,
			requests: func(n int) []request { return bearers(unknown(n)) }, count: many, want: refused},
		{name: "no-credential", about: "no credential", policies: 1001,
			requests: func(n int) []request { r := hot(n); r[0].credential = [2]string{}; return r }, want: refused},
		{name: "policies-1", about: "main with one policy", policies: 1, requests: hot, want: allowed},
		{name: "introspected-1000", about: "1,000 opaque tokens in turn, of which the server said lately that they are active", policies: 1001, args: toLoopback, slow: true,
			documents: introspected, requests: func(n int) []request { return bearers(opaqueTokens(n)) }, count: 1000, want: allowed},
		{name: "mcp-2k", about: "a call of an MCP tool of 2 KiB, with a rule over an argument", policies: 1001, slow: true,
			documents: mcpServer, requests: func(n int) []request { return callOf(hot(n), 2<<10) }, want: allowed},
		{name: "mcp-64k", about: "the same of 64 KiB, which waits for its turn", policies: 1001, slow: true, timeout: 2 * time.Second, loads: []load{closed8},
			documents: mcpServer, requests: func(n int) []request { return callOf(hot(n), 64<<10) }, want: allowed},
		{name: "certificate", about: "a client certificate that was verified before", policies: 1001, slow: true,
			documents: certified, requests: func(int) []request { return withCertificate() }, want: known},
		{name: "dpop", about: "main with a token that is bound to a key: each request has a proof (ES256) of its own", policies: 1001, once: true, slow: true,
			documents: bound, requests: proven, count: fresh, want: allowed},
		{name: "audit", about: "main with an audit file", policies: 1001, slow: true, args: []string{"--audit-file", "$DIR/audit.log"},
			requests: hot, want: allowed},
		{name: "audit-required", about: "the same, and no answer before its record is written", policies: 1001, slow: true,
			args: []string{"--audit-file", "$DIR/audit-required.log", "--audit-required"}, requests: hot, want: allowed},
		{name: "policies-100001", about: "main with 100,001 policies", policies: 100_001, requests: hot, want: allowed, slow: true},
		{name: "reload", about: "main while a policy changes each second", policies: 1001, touch: true, requests: hot, want: allowed},
	}
	for i := range s {
		if s[i].documents == nil {
			s[i].documents = only
		}
		s[i].count = max(1, s[i].count)
		if s[i].loads == nil {
			s[i].loads = []load{closed64}
		}
		if s[i].forms == nil {
			s[i].forms = []form{headers}
		}
	}
	return s
}

// withKeys asks with n of the keys, spread over all.
func withKeys(n, keys int) []request {
	out := make([]request, min(n, keys))
	for i := range out {
		out[i] = withKey(keyNumber(i * 7919 % keys))
	}
	return out
}

const touchEvery = time.Second
