package find

import "testing"

func TestALookupEndsAfterSoManyCandidates(t *testing.T) {
	m := meter{t.Context(), 3}
	for i := range 5 {
		if err := m.Err(); (err != nil) != (i >= 3) {
			t.Errorf("%d: got %v", i, err)
		}
	}
}

func TestAShadowedPolicyIsAskedForAgainOnlyWhereSomethingChanged(t *testing.T) {
	shadow := listed("next", "a.example.com", 1)
	shadow.Shadow = true
	other, beside := listed("other", "b.example.com", 2), listed("old", "a.example.com", 3)
	first, _ := Update(nil, Options{}, Input{}, []Listed{shadow, other})
	n := first.byName[other.Name]
	if n = 1 - n; first.Policy(n).Name != shadow.Name || first.Programmed(n).alone == nil {
		t.Fatalf("got %+v", first.Programmed(n))
	}
	second, _ := Update(first, Options{}, Input{}, []Listed{shadow, listed("other", "c.example.com", 2)})
	if second.Programmed(n) != first.Programmed(n) {
		t.Error("a policy of another host costs what the shadowed policy costs")
	}
	third, _ := Update(second, Options{}, Input{}, []Listed{shadow, other, beside})
	if third.Programmed(n).alone != nil {
		t.Error("it is not alone any more, and that is not known")
	}
	fourth, _ := Update(third, Options{}, Input{}, []Listed{shadow, other})
	if fourth.Programmed(n).alone == nil {
		t.Error("it is alone again, and that is not known")
	}
	if closed, _ := Update(fourth, Options{}, Input{Unreadable: true}, []Listed{shadow, other}); closed.Programmed(n).alone != nil {
		t.Error("nobody is let through, and that is not known")
	}
}
