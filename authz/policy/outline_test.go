package policy

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/authn"
)

func keyed(name, header string, headers ...string) Config {
	c := Config{Name: name, Methods: []Method{{Name: "robots", Authenticator: &authn.APIKey{Method: "robots", From: []authn.Place{{In: authn.InHeader, Name: header}}}}}}
	for _, h := range headers {
		c.Headers = append(c.Headers, Value{Name: h})
	}
	return c
}

func TestPoliciesOfOneTemplateShareWhatTheyReadAndRemove(t *testing.T) {
	one, two := New(keyed("a/one", "x-key", "x-id", "x-scopes")), New(keyed("a/two", "x-key", "x-id", "x-scopes"))
	if one.outline != two.outline {
		t.Error("expected one outline of two policies")
	}
	forward := keyed("a/three", "x-key", "x-id", "x-scopes")
	forward.Forward = true
	for what, c := range map[string]Config{
		"another place": keyed("a/three", "x-other", "x-id", "x-scopes"), "another header": keyed("a/three", "x-key", "x-id"),
		"two headers in one": keyed("a/three", "x-key", `x-id", "x-scopes`), "a credential that stays": forward, "no header": keyed("a/three", "x-key"),
	} {
		if New(c).outline == one.outline {
			t.Errorf("%s: expected an outline of its own", what)
		}
	}
	if got := one.outline.always; !slices.Equal(got, []string{"x-id", "x-key", "x-scopes"}) {
		t.Errorf("removed from every request: %v", got)
	}
	if got := one.outline.usual; !slices.Equal(got, []string{"x-key"}) {
		t.Errorf("removed from a usual request: %v", got)
	}
	runtime.KeepAlive(two)
}

func TestAnOutlineThatNoPolicyHoldsIsForgotten(t *testing.T) {
	held := func() int {
		outlines.mu.Lock()
		defer outlines.mu.Unlock()
		return len(outlines.held)
	}
	before, p := held(), New(keyed("a/one", "x-key-of-this-test-alone"))
	if held() <= before {
		t.Fatal("expected the outline to be held")
	}
	runtime.KeepAlive(p)
	for deadline := time.Now().Add(10 * time.Second); held() > before; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("expected the outline to be forgotten")
		}
	}
}

func TestHostsOfOnePolicyEachShareWhatIsReservedOnThem(t *testing.T) {
	names, others := NamesOf([]Value{{Name: "x-id"}}), NamesOf([]Value{{Name: "x-other"}})
	r := Reservations{}
	for _, host := range []string{"a.example.com", "b.example.com", "c.example.test"} {
		r.Add(host, "shop", names)
	}
	r.Add("*.example.test", "shop", others)
	r.Add("d.example.com", "bank", names)
	got := r.Covering(nil)
	if a, b := got["a.example.com"], got["b.example.com"]; len(a) != 1 || &a[0] != &b[0] {
		t.Errorf("expected one list of two hosts, got %v and %v", a, b)
	}
	if c := got["c.example.test"]; len(c) != 2 || len(got["a.example.com"]) != 1 {
		t.Errorf("expected the names of the wildcard on its own host alone, got %v", c)
	}
	if d := got["d.example.com"]; len(d) != 1 || len(d[0].of("bank")) != 1 || len(d[0].of("shop")) != 0 {
		t.Errorf("expected the names of the other namespace, got %v", d)
	}
}
