package find

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

var clock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// listed makes a policy of namespace shop that is so many hours old.
func listed(name, hostname string, hours int) Listed {
	full := types.NamespacedName{Namespace: "shop", Name: name}
	return Listed{Created: clock.Add(-time.Duration(hours) * time.Hour), Policy: &Policy{
		Name: full, Stages: policy.Invalid(full.String(), nil, nil),
		Hostnames: []string{hostname}, Entries: []Entry{{Hostname: hostname, Match: Everything}},
	}}
}

// foundOn is the name of the policy that a host leads to, or the reason of the answer.
func foundOn(t *testing.T, s *Snapshot, host string) string {
	t.Helper()
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: host, Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	f := s.Find(t.Context(), r, nil)
	if f.Policy == nil {
		return string(f.Answer.Reason)
	}
	return f.Policy.Name()
}

func TestASnapshotStaysAsItIsWhenTheNextIsMade(t *testing.T) {
	a, b := listed("a", "a.example.com", 2), listed("b", "b.example.com", 1)
	before, _ := Update(nil, Options{}, Input{}, []Listed{a, b})
	moved := listed("b", "c.example.com", 1)
	after, _ := Update(before, Options{}, Input{}, []Listed{a, moved})
	for _, c := range []struct {
		s    *Snapshot
		host string
		want string
	}{
		{before, "a.example.com", "shop/a"}, {before, "b.example.com", "shop/b"}, {before, "c.example.com", "NoPolicy"},
		{after, "a.example.com", "shop/a"}, {after, "b.example.com", "NoPolicy"}, {after, "c.example.com", "shop/b"},
	} {
		if got := foundOn(t, c.s, c.host); got != c.want {
			t.Errorf("%s: expected %s, got %s", c.host, c.want, got)
		}
	}
	if !after.Same(before, 0) || after.Same(before, 1) {
		t.Error("expected the first policy to be the same, and the second one not")
	}
}

func TestAPolicyKeepsItsNumberAndTheOldestComesFirst(t *testing.T) {
	a, b, c := listed("a", "a.example.com", 1), listed("b", "b.example.com", 3), listed("c", "c.example.com", 2)
	names := func(s *Snapshot) (out []string) {
		for _, n := range s.Order() {
			out = append(out, s.Policy(n).Name.Name)
		}
		return out
	}
	first, _ := Update(nil, Options{}, Input{}, []Listed{a, b})
	second, places := Update(first, Options{}, Input{}, []Listed{c, a})
	if got := names(second); !slices.Equal(got, []string{"c", "a"}) {
		t.Errorf("got %v", got)
	}
	for n := range places {
		if was, is := first.Policy(n), second.Policy(n); was.Name.Name == "a" && is != a.Policy || was.Name.Name == "b" && is != c.Policy {
			t.Errorf("%d was %s and is %s", n, was.Name, is.Name)
		}
		if in := []Listed{c, a}[places[n]]; in.Policy != second.Policy(n) {
			t.Errorf("%d: the place is that of %s", n, in.Name)
		}
	}
	if second.Policy(2) != nil || (*Snapshot)(nil).Policy(0) != nil {
		t.Error("expected no policy without a number")
	}
}

func TestOfTwoPoliciesOfOneNameTheYoungerIsInForce(t *testing.T) {
	list := []Listed{listed("a", "new.example.com", 1), listed("a", "old.example.com", 2)}
	s, places := Update(nil, Options{}, Input{}, list)
	if len(places) != 1 || list[places[0]].Policy != s.Policy(0) || foundOn(t, s, "new.example.com") != "shop/a" || foundOn(t, s, "old.example.com") != "NoPolicy" {
		t.Errorf("got places %v and %v", places, s.Policy(0).Hostnames)
	}
}
