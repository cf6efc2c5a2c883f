package policy

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// The model of what is removed: it walks all headers for each name.

type modelNames map[string]string // by alias

func modelNamesOf(names ...string) modelNames {
	out := modelNames{}
	for _, n := range names {
		out[authz.Alias(n)] = n
	}
	return out
}

func (n modelNames) remove(r *authz.Request, remove *[]string) {
	for _, name := range n {
		*remove = append(*remove, name)
	}
	for name := range r.Headers() {
		if n[authz.Alias(name)] != "" {
			*remove = append(*remove, name)
		}
	}
}

func modelAliases(r *authz.Request, header string, kept bool, remove *[]string) {
	alias := authz.Alias(header)
	for name := range r.Headers() {
		if authz.Alias(name) == alias && !(kept && name == header) {
			*remove = append(*remove, name)
		}
	}
}

// modelWorld is a policy and its host in the model.
type modelWorld struct {
	places  []authn.Place
	beside  []string
	forward bool
	names   modelNames
	host    Host
	// reserved are the names of each namespace, on two patterns.
	reserved [2]map[string]modelNames
	shared   bool
}

func (w *modelWorld) removed(r *authz.Request, set []authz.Header) []string {
	var remove []string
	for _, place := range w.places {
		found, _, _ := authn.Read(r, place)
		kept := w.forward && found != nil
		if place.In == authn.InCookie {
			if value, _ := r.Header("cookie"); !kept && value == place.Name+"=good" {
				remove = append(remove, "cookie")
			}
			continue
		}
		if !kept && !place.ReadsList() {
			remove = append(remove, place.Name)
		}
		modelAliases(r, place.Name, kept || place.ReadsList(), &remove)
	}
	if !w.forward {
		for _, name := range w.beside {
			modelAliases(r, name, false, &remove)
		}
	}
	w.names.remove(r, &remove)
	for _, reserved := range w.reserved {
		for ns, names := range reserved {
			if w.shared || ns == w.host.Namespace || slices.Contains(w.host.Others, ns) {
				names.remove(r, &remove)
			}
		}
	}
	if !w.host.TrustForwarded {
		remove = append(remove, r.Misleading()...)
	}
	remove = slices.DeleteFunc(remove, func(name string) bool {
		return slices.ContainsFunc(set, func(h authz.Header) bool { return h.Name == name })
	})
	slices.Sort(remove)
	return slices.Compact(remove)
}

// pass is a kind of credential of which "good" holds.
type pass struct {
	places []authn.Place
	beside []string
}

func (p *pass) Reads() authn.Reads                          { return authn.Reads{Places: p.places, Beside: p.beside} }
func (p *pass) Challenge(*authz.Request, bool) string       { return "Pass" }
func (p *pass) Check(*authz.Request, *authn.Verified) error { return nil }
func (p *pass) Verify(_ context.Context, c *authn.Presented) (*authn.Verified, error) {
	if c == nil || c.Value != "good" {
		return nil, authn.ErrNotMine
	}
	return &authn.Verified{Identity: authz.Identity{Method: "pass"}}, nil
}

func compiled(t testing.TB, src string) *expr.Program {
	t.Helper()
	program, err := expr.Compile(expr.String, src)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func some[T any](rnd *rand.Rand, most int, of ...T) (out []T) {
	for range rnd.IntN(most + 1) {
		out = append(out, of[rnd.IntN(len(of))])
	}
	return out
}

func TestWhatIsRemovedIsWhatAWalkOverAllHeadersFinds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	spelled := []string{"x-a", "x_a", "x-b", "x_b", "x-key", "x_key", "x.key", "authorization", "dpop", "a_proof", "a-proof", "x-host", "x_original_url", "accept", "cookie", "cookie_", "sec-websocket-protocol", "sec_websocket_protocol"}
	programs := map[string]*expr.Program{"set": compiled(t, `"v"`), "empty": compiled(t, `""`), "absent": compiled(t, `optional.none()`)}
	allowed, usual := 0, 0
	for n := range 20_000 {
		w := modelWorld{forward: rnd.IntN(3) == 0, shared: rnd.IntN(3) == 0}
		w.places = some(rnd, 3,
			authn.Place{In: authn.InHeader, Name: "x-key"}, authn.Place{In: authn.InHeader, Name: "x_key"},
			authn.Place{In: authn.InHeader, Name: "authorization", Scheme: "bearer"}, authn.Place{In: authn.InCookie, Name: "key"},
			authn.Place{In: authn.InHeader, Name: "sec-websocket-protocol", Scheme: "bearer"},
			authn.Place{In: authn.InHeader, Name: "sec-websocket-protocol"})
		w.beside = some(rnd, 1, "dpop", "a-proof")
		var headers []Value
		var names []string
		for _, name := range some(rnd, 3, "x-a", "x_a", "x-b", "x-key", "x_b") {
			if slices.Contains(names, name) {
				continue
			}
			names = append(names, name)
			kind := []string{"set", "set", "set", "empty", "absent"}[rnd.IntN(5)]
			headers = append(headers, Value{name, programs[kind]})
		}
		w.names = modelNamesOf(names...)
		w.host = Host{Namespace: "a", Others: some(rnd, 1, "b", "a"), TrustForwarded: rnd.IntN(2) == 0}
		reservations := Reservations{}
		for i, pattern := range []string{"www.example.com", "*.example.com"} {
			w.reserved[i] = map[string]modelNames{}
			for _, ns := range some(rnd, 3, "a", "a", "b", "c") {
				lists := some(rnd, 2, []string{"x-a"}, []string{"x_a"}, []string{"x-b", "x_c"}, names)
				for _, list := range lists {
					if len(list) == 0 {
						continue
					}
					var own Names
					for _, name := range list {
						own = append(own, Name{authz.Alias(name), name})
					}
					reservations.Add(pattern, ns, sorted(own))
					if w.reserved[i][ns] == nil {
						w.reserved[i][ns] = modelNames{}
					}
					maps.Copy(w.reserved[i][ns], modelNamesOf(list...))
				}
			}
		}
		w.host.Reserved = reservations.Covering(nil)["www.example.com"]
		if len(w.host.Reserved) == 0 { // the pattern has no names of its own
			w.host.Reserved = reservations.Covering(nil)["*.example.com"]
		}
		if w.shared {
			w.host.Shared = w.host.Reserved
		}
		raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "www.example.com", Path: "/"}
		for _, name := range some(rnd, 5, spelled...) {
			raw.Headers = append(raw.Headers, authz.Header{Name: name, Value: []string{"other", "good", "key=good", "a=b; key=good", "Bearer good", "bearer, good, chat"}[rnd.IntN(6)]})
		}
		r, err := authz.NewRequest(raw)
		if err != nil {
			continue
		}
		methods := []Method{{Name: "pass", Authenticator: &pass{w.places, w.beside}}, {Name: "public", Authenticator: &authn.Anonymous{Method: "public"}}}
		d := New(Config{Name: "a/p", Methods: methods, Headers: headers, Forward: w.forward}).Decide(t.Context(), r, w.host, nil)
		if d.Outcome != authz.Allow {
			continue
		}
		allowed++
		if len(raw.Headers) < 2 {
			usual++
		}
		if want := w.removed(r, d.Set); !slices.Equal(d.Remove, want) {
			t.Fatalf("%d: %+v\npolicy %+v\nexpected %q, got %q\nset %q", n, raw.Headers, w, want, d.Remove, d.Set)
		}
	}
	if allowed < 5000 || usual < 1000 {
		t.Errorf("expected many allowed requests, got %d and %d", allowed, usual)
	}
}
