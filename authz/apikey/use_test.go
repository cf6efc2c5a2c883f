package apikey

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"
)

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const oldKey, newKey = "the-key-that-is-rotated-away", "the-key-that-comes-after-it"

// rotated is a Secret with an old key that ends, and others.
func rotated(keys map[string]string) *Secret {
	data := map[string][]byte{}
	for entry, key := range keys {
		data[entry] = fmt.Appendf(nil, "sha256:%x", sha256.Sum256([]byte(key)))
	}
	return Parse("shop", "robot", nil, map[string]string{"expires-at.agentauth.dev/old": day.Add(time.Hour).Format(time.RFC3339)}, data)
}

func states(tables ...*Table) (out []State) {
	States(tables, func(s State) { out = append(out, s) })
	slices.SortFunc(out, func(a, b State) int { return slices.Compare([]string{a.Entry}, []string{b.Entry}) })
	return out
}

func use(t *testing.T, in *Table, key string, at time.Time) {
	t.Helper()
	_, holder, ok := in.Find(key)
	if !ok {
		t.Fatal("expected the key to be found")
	}
	holder.Used(at)
}

func TestWhetherAKeyIsStillUsedIsSeenByItsName(t *testing.T) {
	table := new(Index).Table([]*Secret{rotated(map[string]string{"old": oldKey, "new": newKey, "never": "a-key-that-nobody-uses-ever"})})
	use(t, table, newKey, day)
	use(t, table, oldKey, day.Add(time.Minute))
	use(t, table, oldKey, day) // a check that began before
	got := states(table, table, nil)
	want := []State{
		{Secret: "shop/robot", Entry: "new", Used: day.Local()},
		{Secret: "shop/robot", Entry: "old", Used: day.Add(time.Minute).Local(), End: day.Add(time.Hour)},
	}
	if !slices.EqualFunc(got, want, func(a, b State) bool {
		return a.Secret == b.Secret && a.Entry == b.Entry && a.Used.Equal(b.Used) && a.End.Equal(b.End)
	}) {
		t.Errorf("got %+v", got)
	}
	if got[0].Namespace() != "shop" {
		t.Errorf("got %q", got[0].Namespace())
	}
}

func TestAKeyThatIsNobodysHasNoState(t *testing.T) {
	s := rotated(map[string]string{"old": oldKey, "twin": oldKey})
	if got := states(new(Index).Table([]*Secret{s})); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestASecretThatChangesKnowsWhenItsKeysWereUsedBefore(t *testing.T) {
	before := rotated(map[string]string{"old": oldKey, "gone": "the-key-that-will-be-removed"})
	table := new(Index).Table([]*Secret{before})
	use(t, table, oldKey, day)
	use(t, table, "the-key-that-will-be-removed", day)
	after := rotated(map[string]string{"old": oldKey, "new": newKey})
	after.TakeOver(before)
	got := states(new(Index).Table([]*Secret{after}))
	if len(got) != 1 || got[0].Entry != "old" || !got[0].Used.Equal(day) {
		t.Errorf("got %+v", got)
	}
}

func TestThatAKeyIsUsedCostsNoAllocation(t *testing.T) {
	_, holder, _ := new(Index).Table([]*Secret{rotated(map[string]string{"old": oldKey})}).Find(oldKey)
	at := day
	if n := testing.AllocsPerRun(100, func() { at = at.Add(time.Second); holder.Used(at) }); n > 0 {
		t.Errorf("got %v", n)
	}
	Holder{}.Used(at) // of what is no API key
}
