package expr

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// readLongLists lets expressions read longer lists than costs are estimated for.
func readLongLists(t *testing.T) {
	t.Helper()
	before := mostEntries
	mostEntries = 1 << 20
	t.Cleanup(func() { mostEntries = before })
}

func TestWhatCostsTooMuchWhenEvaluatedIsStopped(t *testing.T) {
	readLongLists(t)
	in := input(t)
	in.Identity.Groups = make([]string, 100_000)
	p := mustCompile(t, Bool, `identity.groups.all(g, g in identity.scopes || g == "" || g == "x" || g == "y")`)
	ok, err := p.Bool(t.Context(), in)
	if ok || err == nil || !strings.Contains(err.Error(), "costs more than 1000000 units") {
		t.Errorf("got %v and error %v", ok, err)
	}
}

func TestARegularExpressionIsCountedByItsSize(t *testing.T) {
	readLongLists(t)
	in := input(t)
	in.Identity.Groups = slices.Repeat([]string{strings.Repeat("a", MaxEntry)}, 1000)
	for pattern, expensive := range map[string]bool{"^a+$": false, "^[ab]{10}a*$": true} {
		p := mustCompile(t, Bool, `identity.groups.all(g, g.matches("`+pattern+`"))`)
		ok, err := p.Bool(t.Context(), in)
		if ok == expensive || expensive != (err != nil && strings.Contains(err.Error(), "costs more than 1000000 units")) {
			t.Errorf("%s: got %v and error %v", pattern, ok, err)
		}
	}
}

func TestAnEvaluationEndsWithItsContext(t *testing.T) {
	readLongLists(t)
	in := input(t)
	in.Identity.Groups = make([]string, 50_000)
	for _, src := range []string{`true`, `identity.groups.all(g, g == "")`} {
		p := mustCompile(t, Bool, src)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if ok, err := p.Bool(ctx, in); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
	// A context that ends under way: it looks alive to whoever asks first.
	p := mustCompile(t, Bool, `identity.groups.all(g, g == "")`)
	ok, err := p.Bool(&endsUnderWay{Context: t.Context(), done: closed(), err: context.Canceled}, in)
	if ok || err == nil || !strings.Contains(err.Error(), "interrupted") || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v and error %v", ok, err)
	}
}

type endsUnderWay struct {
	context.Context
	done  <-chan struct{}
	err   error
	asked int
}

func (c *endsUnderWay) Done() <-chan struct{} { return c.done }

func (c *endsUnderWay) Err() error {
	if c.asked++; c.asked == 1 {
		return nil
	}
	return c.err
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestTheZeroProgramAndAProgramOfAnotherKindFail(t *testing.T) {
	in := input(t)
	for _, p := range []*Program{nil, {}, mustCompile(t, String, `"true"`), mustCompile(t, Claim, `claims.a`)} {
		if ok, err := p.Bool(t.Context(), in); ok || err == nil {
			t.Errorf("got %v and error %v", ok, err)
		}
	}
	if _, present, err := mustCompile(t, Bool, `true`).String(t.Context(), in); present || err == nil {
		t.Errorf("got %v and error %v", present, err)
	}
	if _, err := mustCompile(t, Bool, `true`).ClaimStrings(t.Context(), nil); err == nil {
		t.Error("got no error")
	}
	for _, p := range []*Program{nil, {}, mustCompile(t, Claim, `"a"`)} {
		if got, err := p.ClaimString(t.Context(), nil); err == nil || got != "" {
			t.Errorf("as a subject: got %q and error %v", got, err)
		}
	}
}

func TestAnEvaluationWithoutARequestFails(t *testing.T) {
	for _, in := range []*Input{nil, {}} {
		for _, src := range []string{`request.path == ""`, `context.size() == 0`, `identity.subject == ""`, `request.headers.size() == 0`} {
			if ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in); ok || err == nil {
				t.Errorf("%s of %v: got %v and error %v", src, in, ok, err)
			}
		}
	}
}
