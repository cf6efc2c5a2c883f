package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// gate holds up the compile of policies whose issuer has "slow" in its name, and
// panics where it has "panic".
type gate struct {
	mu     sync.Mutex
	open   chan struct{}
	counts map[string]int
}

func gated(e *Engine) *gate {
	g := &gate{open: make(chan struct{}), counts: map[string]int{}}
	e.deps.Remote.CheckURL = func(url string) error {
		g.mu.Lock()
		g.counts[url]++
		g.mu.Unlock()
		if strings.Contains(url, "panic") {
			panic("a defect")
		}
		if strings.Contains(url, "slow") {
			<-g.open
		}
		return nil
	}
	return g
}

func (g *gate) count(issuer string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts["https://"+issuer+".example.com"]
}

// apartIn is issuers, but those with "slow" in their name are another namespace's.
func apartIn(names ...string) Input {
	in := issuers(names...)
	for _, p := range in.Policies {
		if strings.Contains(p.Name, "slow") {
			p.Namespace = "evil"
		}
	}
	return in
}

func loadApart(e *Engine, in Input) []Report {
	s, reports := e.CompileApart(in, 50*time.Millisecond)
	e.Swap(s)
	return reports
}

func reasonOn(e *Engine, host string) authz.Reason {
	return e.Decide(context.Background(), authz.Raw{Host: host + ".example.com", Method: "GET", Path: "/", Scheme: "https", Time: clock}).Reason
}

func TestAPolicyWhoseCompileDoesNotEndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld(Options{})
		g := gated(e)
		expect := func(step string, want map[string]authz.Reason) {
			t.Helper()
			for host, reason := range want {
				if got := reasonOn(e, host); got != reason {
					t.Errorf("%s: %s: expected %s, got %s", step, host, reason, got)
				}
			}
		}
		reports := loadApart(e, apartIn("a", "slow", "b"))
		expect("while it is compiled", map[string]authz.Reason{"a": authz.NoCredential, "b": authz.NoCredential, "slow": authz.PolicyInvalid})
		if e.Behind().IsZero() {
			t.Error("expected the change that waits to be told")
		}
		slow := reports[0]
		if slow.Policy.Name != "slow" || slow.Conditions[1].Reason != "Invalid" || !strings.Contains(slow.Conditions[1].Message, "not compiled yet") {
			t.Errorf("expected a condition that says so, got %+v", slow.Conditions)
		}
		loadApart(e, apartIn("slow", "b", "c"))
		expect("after other changes", map[string]authz.Reason{"a": authz.NoPolicy, "b": authz.NoCredential, "c": authz.NoCredential, "slow": authz.PolicyInvalid})
		time.Sleep(2 * work.MaxJob) // its turn is over
		loadApart(e, apartIn("slow", "d"))
		expect("given up", map[string]authz.Reason{"b": authz.NoPolicy, "d": authz.NoCredential, "slow": authz.PolicyInvalid})

		select {
		case <-e.Late():
		default:
		}
		close(g.open)
		<-e.Late()
		loadApart(e, apartIn("slow", "d"))
		expect("compiled", map[string]authz.Reason{"d": authz.NoCredential, "slow": authz.NoCredential})
		if !e.Behind().IsZero() || g.count("slow") != 1 {
			t.Errorf("expected nothing to wait and one compile, got %v and %d", e.Behind(), g.count("slow"))
		}
		e.Close()
	})
}

func TestASpecThatChangesWhileItIsCompiledIsCompiledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld(Options{})
		g := gated(e)
		loadApart(e, issuers("slow"))
		newer := issuers("slow")
		newer.Policies[0].Spec.Authentication.Methods[0].JWT.Issuer = "https://fine.example.com"
		loadApart(e, newer)
		if got := reasonOn(e, "slow"); got != authz.PolicyInvalid {
			t.Errorf("expected the newer one to wait, got %s", got)
		}
		close(g.open)
		// What a compile holds may be gone when a load comes between: then it is compiled once more.
		for round := 0; round < 10 && reasonOn(e, "slow") != authz.NoCredential; round++ {
			synctest.Wait()
			loadApart(e, newer)
		}
		if got := reasonOn(e, "slow"); got != authz.NoCredential || g.count("fine") > 2 || !e.Behind().IsZero() {
			t.Errorf("expected the newer one in force after one compile or two, got %s after %d", got, g.count("fine"))
		}
		e.Close()
	})
}

func TestAPolicyWhoseCompilePanicsIsInvalidAndTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, w := newWorld(Options{})
		g := gated(e)
		for range 3 {
			reports := loadApart(e, issuers("panic", "a"))
			if reports[1].Conditions[1].Reason != "Invalid" || !strings.Contains(reports[1].Conditions[1].Message, "panicked") {
				t.Errorf("expected a condition that says so, got %+v", reports[1].Conditions)
			}
		}
		if a, b := reasonOn(e, "a"), reasonOn(e, "panic"); a != authz.NoCredential || b != authz.PolicyInvalid {
			t.Errorf("got %s and %s", a, b)
		}
		if g.count("panic") != 1 || len(w.panics) != 1 || !e.Behind().IsZero() {
			t.Errorf("expected one try, got %d, panics %v", g.count("panic"), w.panics)
		}
		e.Close()
	})
}

// Many policies of one tenant that do not end take all turns they can get, and
// another tenant's change is in force all the same.
func TestTenantsThatCompileForEverLeaveTurnsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld(Options{})
		g := gated(e)
		var hostile Input
		for i := range 2 * work.MaxLost {
			p := issuers(fmt.Sprintf("slow%d", i)).Policies[0]
			p.Namespace = "evil"
			hostile.Policies = append(hostile.Policies, p)
		}
		loadApart(e, hostile)
		hostile.Policies = append(hostile.Policies, issuers("a").Policies...)
		for range work.MaxLost + 1 {
			loadApart(e, hostile)
			time.Sleep(work.MaxJob)
		}
		loadApart(e, hostile)
		if got := reasonOn(e, "a"); got != authz.NoCredential {
			t.Errorf("expected another tenant's policy in force, got %s", got)
		}
		close(g.open)
		synctest.Wait()
		e.Close()
	})
}

func TestTheResultOfAPolicyThatIsGoneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld(Options{})
		g := gated(e)
		loadApart(e, issuers("slow"))
		close(g.open)
		synctest.Wait()
		loadApart(e, issuers("a"))
		if n := len(e.apart.claims); n != 0 {
			t.Errorf("expected no claim, got %d", n)
		}
		loadApart(e, issuers("a", "slow"))
		if g.count("slow") != 2 {
			t.Errorf("expected it to be compiled anew, got %d times", g.count("slow"))
		}
		e.Close()
	})
}

// The key sets of a policy that was compiled late are those that run.
func TestAPolicyThatIsCompiledLateHasKeySetsThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, w := newWorld(Options{})
		g := gated(e)
		loadApart(e, issuers("slow"))
		close(g.open)
		synctest.Wait()
		loadApart(e, issuers("a"))
		loadApart(e, issuers("a", "slow"))
		if got := w.state(); !strings.HasSuffix(got, "s:runs") {
			t.Errorf("expected the last key set to run, got%s", got)
		}
		e.Close()
	})
}

// A policy whose routes are what panics keeps its hostnames, and the process runs on.
func TestAPolicyWhoseRoutesPanicKeepsItsHostnames(t *testing.T) {
	e, w := newWorld(Options{})
	c := &compiler{engine: e}
	source := issuers("a").Policies[0]
	calls := 0
	fails := func(times int, then func() *compiled) *compiled {
		p, panicked := c.attempt(func() *compiled {
			if calls++; calls <= times {
				panic("a defect")
			}
			return then()
		})
		if (p == nil) != (panicked != nil) {
			t.Errorf("expected a policy or a panic, got %v and %v", p, panicked)
		}
		return p
	}
	if fails(1, nil) != nil || len(w.panics) != 1 {
		t.Errorf("expected the panic to be told, got %v", w.panics)
	}
	p := fails(1, func() *compiled { return c.claimHosts(source, "why") })
	if p == nil || !p.Invalid || len(p.Entries) != 1 || p.Entries[0].Hostname != "a.example.com" || p.Entries[0].Match.Path != nil {
		t.Errorf("expected the whole hostname, got %+v", p)
	}
	if p := c.survive(nil); p != nil { // everything panics
		t.Errorf("expected no policy, got %+v", p)
	}
}

// Whoever changes something beside a policy that does not end waits for it once.
func TestAPassDoesNotWaitAgainForAPolicyThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld(Options{})
		g := gated(e)
		took := func(in Input) time.Duration {
			began := time.Now()
			loadApart(e, in)
			return time.Since(began)
		}
		if first, then := took(apartIn("slow", "a")), took(apartIn("slow", "a", "b")); first != 50*time.Millisecond || then != 0 {
			t.Errorf("expected to wait 50ms and then not at all, waited %s and %s", first, then)
		}
		close(g.open)
		synctest.Wait()
		loadApart(e, apartIn("slow", "a", "b"))
		if got := reasonOn(e, "slow"); got != authz.NoCredential {
			t.Errorf("expected it in force, got %s", got)
		}
		e.Close()
	})
}
