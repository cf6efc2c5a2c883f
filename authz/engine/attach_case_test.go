package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// All paths of these worlds are in lower case. A server that ignores letter case takes
// a path in capitals for the same in lower case: who decides that one decides this
// one, or it is refused. The same goes for who is named by the proxy.
func TestAPathInCapitalsIsDecidedAsInLowerCaseOrRefused(t *testing.T) {
	worlds := 2000
	if testing.Short() {
		worlds = 400
	}
	seen := map[string]int{}
	for seed := range uint64(worlds) {
		d := dice{rand.New(rand.NewPCG(seed, 11))}
		in := d.world()
		e, _ := newWorld(Options{OneTenant: d.often(50), AllowUnmatched: d.often(30)})
		s, _ := e.Compile(in)
		e.Swap(s)
		for range 12 {
			lower := d.request()
			lower.Path, _, _ = strings.Cut(lower.Path, "?")
			capital := lower
			capital.Path = strings.ToUpper(lower.Path)
			all := entries(in)
			may := map[string]bool{verdictOf(e.Decide(t.Context(), lower)): true}
			for _, at := range proxies(all, lower) {
				named := lower
				named.Route = wordOf(at)
				may[verdictOf(e.Decide(t.Context(), named))] = true
			}
			check := func(word *authz.RouteRef) {
				capital.Route = word
				got := verdictOf(e.Decide(t.Context(), capital))
				seen[kindOf(got)]++
				if kindOf(got) == "policy" && !may[got] {
					t.Errorf("seed %d: %s %s%s %v, by the proxy's word %v: decided by %s; in lower case %v", seed, capital.Method, capital.Host, capital.Path, capital.Headers, word, got, may)
				}
			}
			check(nil)
			for _, at := range proxies(all, capital) {
				check(wordOf(at))
			}
			if t.Failed() {
				return
			}
		}
	}
	t.Log(seen)
	for _, k := range []string{"policy", "400"} {
		if seen[k] < worlds/20 {
			t.Errorf("%s: only %d in %d worlds", k, seen[k], worlds)
		}
	}
}

func wordOf(at servedAt) *authz.RouteRef {
	return &authz.RouteRef{Kind: at.route.kind, Namespace: at.route.namespace, Name: at.route.name, SectionName: at.rule}
}
