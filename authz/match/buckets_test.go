package match

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

func TestBucketsAreFoundAsInAMapHoweverManyThereAre(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b buckets
		want := map[string]bucket{}
		for range 60 {
			before, known := b, maps.Clone(want)
			b = b.clone()
			path := fmt.Sprint("/", random.IntN(2+random.IntN(12)))
			if random.IntN(3) == 0 {
				b.set(path, bucket{})
				delete(want, path)
			} else {
				one := bucket{live: []*Candidate{{hostname: path}}}
				b.set(path, one)
				want[path] = one
			}
			same(t, &b, want)
			same(t, &before, known) // a copy is another
		}
	}
}

func same(t *testing.T, got *buckets, want map[string]bucket) {
	t.Helper()
	if got.len() != len(want) {
		t.Fatalf("expected %d buckets, got %d", len(want), got.len())
	}
	for i := range 14 {
		path := fmt.Sprint("/", i)
		a, b := got.at(path).live, want[path].live
		if len(a) != len(b) || len(a) > 0 && a[0] != b[0] {
			t.Fatalf("%s: expected %v, got %v", path, b, a)
		}
	}
}
