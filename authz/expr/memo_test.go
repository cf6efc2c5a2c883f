package expr

import (
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
	"weak"
)

func TestEqualExpressionsOfAKindCompileOnce(t *testing.T) {
	var m Memo
	a, err := m.Compile(Bool, `identity.claims.x`)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := m.Compile(Bool, `identity.claims.x`)
	c, err := m.Compile(String, `identity.claims.x`)
	if a != b || err != nil || a == c {
		t.Errorf("got %p, %p, %p, error %v", a, b, c, err)
	}
	m.Sweep()
	if d, _ := m.Compile(Bool, `identity.claims.x`); a != d {
		t.Error("what is in use was forgotten")
	}
	runtime.KeepAlive(c)
	if _, err := m.Compile(Bool, `nope`); err == nil {
		t.Error("a bad expression compiled")
	}
}

func TestAMemoForgetsWhatNobodyHolds(t *testing.T) {
	m := NewMemo()
	kept, err := m.Compile(Bool, `true`)
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{`1 == 1`, `2 == 2`} {
		if _, err := m.Compile(Bool, src); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(m.programs) != 1 {
		if time.Now().After(deadline) {
			t.Fatalf("%d programs are remembered", len(m.programs))
		}
		runtime.GC()
		m.Sweep()
	}
	runtime.KeepAlive(kept)
}

func TestProgramsAndMemosAreUsedByManyAtOnce(t *testing.T) {
	m, in := NewMemo(), input(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for src, want := range map[string]bool{
					`request.method == "GET" && "a" in identity.scopes`: true,
					`identity.groups.exists(g, g.matches("^team-y$"))`:  true,
					`request.headers.all(h, h != "")`:                   true,
					`identity.claims.role > 1`:                          false,
					`request.query.twice == "a"`:                        false,
					`identities["anonymous"].actor.subject == "x"`:      false,
					`[identity.claims.role].exists(r, r + 1 == 2)`:      false,
					`timestamp(identity.claims.n) == request.time`:      false,
					`bool(identity.claims.list)`:                        false,
				} {
					p, err := m.Compile(Bool, src)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := p.Bool(t.Context(), in); got != want || want && err != nil {
						t.Errorf("%s: got %v and error %v", src, got, err)
					}
				}
				m.Sweep()
			}
		})
	}
	wg.Wait()
}

func TestAMemoOfManyExpressionsForgetsThemInTheEnd(t *testing.T) {
	m := NewMemo()
	p, err := Compile(Bool, "true")
	if err != nil {
		t.Fatal(err)
	}
	m.programs = map[memoKey]weak.Pointer[Program]{{Bool, "true"}: weak.Make(p)}
	for i := range 2 * sweptAlways {
		m.programs[memoKey{Bool, strconv.Itoa(i)}] = weak.Pointer[Program]{} // that of a program that is gone
	}
	for range sweptAfter - 1 {
		m.Sweep()
	}
	if len(m.programs) <= sweptAlways {
		t.Error("each Sweep looks at all of many programs")
	}
	if m.Sweep(); len(m.programs) != 1 {
		t.Errorf("%d programs are remembered", len(m.programs))
	}
	runtime.KeepAlive(p)
}
