package objects

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// keysIn is a Secret of one API key, with labels.
func keysIn(namespace, name string, labels ...string) *Object {
	o := &Object{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseAPIKey},
		Data: apikey.Digest(map[string]string{v1alpha1.AnnotationPlainKeys: "*"}, map[string][]byte{"id": []byte("the-key-of-robot-" + namespace + "-" + name)})}
	for i := 0; i < len(labels); i += 2 {
		o.Labels[labels[i]] = labels[i+1]
	}
	return o
}

func team(name string) map[string]v1alpha1.LabelValue {
	return map[string]v1alpha1.LabelValue{"team": v1alpha1.LabelValue(name)}
}

// content says all that can be seen in a View.
func content(v *View) (out []string) {
	for _, kind := range []string{Secret, ConfigMap} {
		for _, in := range []string{"a", "b"} {
			for i := range 6 {
				key := Key{kind, in, fmt.Sprint("o-", i)}
				out = append(out, fmt.Sprint(key, v.Get(key), v.See(in, key), v.See("c", key)))
			}
		}
	}
	for _, in := range []string{"a", "b", "c"} {
		for i := range 3 {
			s := v.Select(in, team(fmt.Sprint(i)))
			out = append(out, fmt.Sprint(in, i, s.Names(), s.Problems))
		}
	}
	return out
}

// A View that is made from another one shows what one shows that is made anew.
func TestAViewShowsWhatIsThereWhateverWasThereBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var store Store
	var before *View
	lists := [2][]*Object{}
	for range 500 {
		for range r.IntN(4) {
			list := &lists[r.IntN(2)]
			o := keysIn([]string{"a", "b"}[r.IntN(2)], fmt.Sprint("o-", r.IntN(6)), "team", fmt.Sprint(r.IntN(3)))
			if r.IntN(3) == 0 {
				o.Labels[v1alpha1.LabelUse] = v1alpha1.UseBasic
			}
			if *list = slices.Clone(*list); r.IntN(8) > 0 { // else its name may occur twice
				*list = slices.DeleteFunc(*list, func(other *Object) bool { return other.Namespace == o.Namespace && other.Name == o.Name })
			}
			if r.IntN(3) > 0 {
				*list = append(*list, o)
			}
			if r.IntN(3) == 0 {
				r.Shuffle(len(*list), func(i, j int) { (*list)[i], (*list)[j] = (*list)[j], (*list)[i] })
			}
		}
		v := store.View(before, lists[0], lists[1], nil)
		got, want := content(v), content(store.View(nil, lists[0], lists[1], nil))
		if !slices.Equal(got, want) {
			t.Fatalf("expected\n%v\ngot\n%v", want, got)
		}
		before = v.Kept()
	}
}

func TestWhatDidNotChangeIsShared(t *testing.T) {
	var store Store
	a, b := keysIn("a", "one", "team", "x"), keysIn("b", "one", "team", "x")
	before := store.View(nil, []*Object{a, b}, nil, nil)
	same := store.View(before.Kept(), []*Object{b, a}, nil, nil)
	if same.secrets != before.secrets {
		t.Error("nothing changed, and the Secrets are not shared")
	}
	changed := *b
	after := store.View(before.Kept(), []*Object{a, &changed}, nil, nil)
	if after.secrets.namespaces["a"] != before.secrets.namespaces["a"] || after.secrets.namespaces["b"] == before.secrets.namespaces["b"] {
		t.Error("expected that namespace a is shared and b is not")
	}
}

func TestASelectionHoldsUntilWhatItSelectsChanges(t *testing.T) {
	one, two := keysIn("a", "one", "team", "x"), keysIn("a", "two", "team", "x")
	other, abroad := keysIn("a", "other", "team", "y"), keysIn("b", "one", "team", "x")
	copied := *one
	changed := *one
	changed.Annotations = map[string]string{v1alpha1.AnnotationScopes: "read"}
	for name, c := range map[string]struct {
		after []*Object
		still bool
	}{
		"nothing":                     {[]*Object{one, two}, true},
		"another order":               {[]*Object{two, one}, true},
		"the same in another place":   {[]*Object{&copied, two}, true},
		"one that is not selected":    {[]*Object{one, two, other}, true},
		"one of another namespace":    {[]*Object{one, two, abroad}, true},
		"another state":               {[]*Object{&changed, two}, false},
		"one that is gone":            {[]*Object{two}, false},
		"all are gone":                {nil, false},
		"one more":                    {[]*Object{one, two, keysIn("a", "three", "team", "x")}, false},
		"one that is for another use": {[]*Object{{Namespace: "a", Name: "one", Labels: map[string]string{"team": "x"}}, two}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var store Store
			before := store.View(nil, []*Object{one, two}, nil, nil)
			s := before.Select("a", team("x"))
			if got := store.View(before.Kept(), c.after, nil, nil).Still(s); got != c.still {
				t.Errorf("expected %t, got %t", c.still, got)
			}
		})
	}
}

// A Secret changes when a key of it is rotated; that the old key is used was known, and
// stays known in every state that comes after.
func TestWhenAKeyWasUsedIsKnownAfterItsSecretChanged(t *testing.T) {
	var store Store
	first := keysIn("a", "robot", "team", "1")
	v := store.View(nil, []*Object{first}, nil, nil)
	before := v.Select("a", team("1"))
	_, holder, ok := before.Keys.Find("the-key-of-robot-a-robot")
	if !ok {
		t.Fatal("expected the key to be found")
	}
	at := time.Unix(1_700_000_000, 0)
	holder.Used(at)
	next := keysIn("a", "robot", "team", "1")
	next.Data["new"] = apikey.Digest(map[string]string{v1alpha1.AnnotationPlainKeys: "*"}, map[string][]byte{"new": []byte("the-key-that-comes-after-it")})["new"]
	after := store.View(v.Kept(), []*Object{next}, nil, nil).Select("a", team("1"))
	var got []apikey.State
	apikey.States([]*apikey.Table{after.Keys}, func(s apikey.State) { got = append(got, s) })
	if len(got) != 1 || got[0].Entry != "id" || got[0].Secret != "a/robot" || !got[0].Used.Equal(at) {
		t.Errorf("got %+v", got)
	}
	runtime.KeepAlive(before)
	runtime.KeepAlive(first)
	runtime.KeepAlive(next)
}
