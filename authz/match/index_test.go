package match

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// randomEntry is one of few, so that many are equal.
func randomEntry(d *rand.Rand, owner int) Entry {
	one := func(of ...string) string { return of[d.IntN(len(of))] }
	e := Entry{Hostname: one("a.test", "b.test", "*.test", "*.a.test", "*"), Owner: owner, Rule: d.IntN(2),
		Age: Age{time.Unix(int64(owner*7919%5), 0), "", string(rune('a' + owner))}}
	switch kind := one("Exact", "PathPrefix", "RegularExpression", ""); kind {
	case "":
	case "RegularExpression":
		e.Match.Path = pathMatch(gatewayv1.PathMatchType(kind), one("/a.*", "/[ab]+"))
	default:
		e.Match.Path = pathMatch(gatewayv1.PathMatchType(kind), one("/a", "/b", "/a/b"))
	}
	if d.IntN(3) == 0 {
		e.Match.Method = new(gatewayv1.HTTPMethod(one("GET", "POST", "HEAD")))
	}
	return e
}

// An index that was changed in many small steps decides as one that is made of
// all entries at once, and tells the same losses. No step changes an index that
// was made before.
func TestAnIndexThatIsUpdatedIsAsOneThatIsBuilt(t *testing.T) {
	for seed := range uint64(200) {
		d := rand.New(rand.NewPCG(seed, 3))
		opts := Options{Regex: RegexOrder(d.IntN(3)), EnvoyGateway: d.IntN(2) == 0}
		x := New(opts)
		owners := make([][]*Candidate, 6)
		lost := map[*Candidate]*Candidate{}
		for range 12 {
			var remove, add []*Candidate
			for range 1 + d.IntN(2) {
				owner := d.IntN(len(owners))
				for slices.ContainsFunc(add, func(c *Candidate) bool { return c.Owner() == owner }) {
					owner = d.IntN(len(owners))
				}
				var entries []Entry
				for range d.IntN(6) {
					entries = append(entries, randomEntry(d, owner))
				}
				next, err := Prepare(entries)
				if err != nil {
					t.Fatal(err)
				}
				remove, add = append(remove, owners[owner]...), append(add, next...)
				owners[owner] = next
			}
			before := reflect.ValueOf(*x).Interface().(Index)
			answers := answersOf(x)
			next, losses := x.Update(remove, add)
			if !reflect.DeepEqual(before, *x) || !slices.Equal(answers, answersOf(x)) {
				t.Fatalf("seed %d: the index before was changed", seed)
			}
			x = next
			for _, c := range remove {
				delete(lost, c)
			}
			for _, l := range losses {
				if delete(lost, l.Loser); l.Winner != nil {
					lost[l.Loser] = l.Winner
				}
			}
			var all []*Candidate
			for _, list := range owners {
				all = append(all, list...)
			}
			whole, wholeLosses := New(opts).Update(nil, all)
			if got, want := answersOf(x), answersOf(whole); !slices.Equal(got, want) {
				t.Fatalf("seed %d: got %v, want %v", seed, got, want)
			}
			if !slices.Equal(x.suffixes, whole.suffixes) || len(x.exact) != len(whole.exact) || len(x.wildcard) != len(whole.wildcard) {
				t.Fatalf("seed %d: hosts that are gone are left", seed)
			}
			want := map[*Candidate]*Candidate{}
			for _, l := range wholeLosses {
				want[l.Loser] = l.Winner
			}
			if !reflect.DeepEqual(lost, want) {
				t.Fatalf("seed %d: losses: got %v, want %v", seed, lost, want)
			}
		}
		if x, _ = x.Update(slices.Concat(owners...), nil); len(x.exact)+len(x.wildcard)+len(x.suffixes) > 0 || x.any != nil {
			t.Fatalf("seed %d: expected an empty index", seed)
		}
	}
}

// answersOf are the candidates of many requests.
func answersOf(x *Index) (out []*Candidate) {
	for _, host := range []string{"a.test", "b.test", "c.test", "x.a.test", "other"} {
		for _, path := range []string{"/", "/a", "/a/b", "/b", "/ab", "/c"} {
			for _, method := range []string{"GET", "POST", "PUT", "HEAD"} {
				out = append(out, x.Lookup(host, View{Method: method, Path: path}).found)
			}
		}
	}
	return out
}

// A change of one of many paths of a host copies no path but its own.
func TestAnUpdateCostsWhatChanges(t *testing.T) {
	entries := onePrefixEach(1000)
	entries = append(entries, oneHostEach(1000)...)
	candidates, err := Prepare(entries)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := New(Options{}).Update(nil, candidates)
	again, err := Prepare(entries[500:501])
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(10, func() { x.Update(candidates[500:501], again) })
	if n > 100 {
		t.Errorf("expected a few allocations, got %v", n)
	}
	next, _ := x.Update(candidates[500:501], again)
	if a, b := x.exact["api-7.example.com"], next.exact["api-7.example.com"]; a != b || len(x.exact) != len(next.exact) {
		t.Error("expected a host that does not change to be taken over")
	}
}
