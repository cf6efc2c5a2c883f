package source_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	open = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: NAME, namespace: shop}
spec:
  routes: [{hostnames: [NAME.example.com]}]
  authentication: {methods: [{name: everybody, anonymous: {}}]}
---
`
	invalid = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: NAME, namespace: shop}
spec:
  routes: [{hostnames: [NAME.example.com]}]
  authentication: {methods: [{name: everybody, anonymous: {}}]}
  authorization:
    rules: [{name: typo, require: request.pth == "/"}]
---
`
	unresolved = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: NAME, namespace: shop}
spec:
  routes: [{hostnames: [NAME.example.com]}]
  authentication: {methods: [{name: people, basic: {users: {secretRef: {name: nowhere}}}}]}
---
`
	remote = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: NAME, namespace: shop}
spec:
  routes: [{hostnames: [NAME.example.com]}]
  authentication:
    methods:
    - name: tokens
      jwt: {issuer: "https://issuer.example.com", audiences: [a]}
---
`
)

func policy(text, name string) string { return strings.ReplaceAll(text, "NAME", name) }

func tree(t *testing.T, text string) (*manifest.Tree, []authz.Problem) {
	t.Helper()
	tree, problems := manifest.Read([]manifest.File{{Path: "policies.yaml", Data: []byte(text)}})
	return tree, problems
}

// kept is a Keeper, and what it said.
type kept struct {
	source.Keeper
	loads []source.Load
	ready atomic.Int32
	log   bytes.Buffer
}

func keep(t *testing.T) *kept {
	t.Helper()
	k := &kept{}
	k.Keeper = source.Keeper{
		Engine: engine.New(engine.Deps{}, engine.Options{OneTenant: true}),
		Log:    slog.New(slog.NewTextHandler(&k.log, nil)),
		Loaded: func(l source.Load) { k.loads = append(k.loads, l) },
		Ready:  func() { k.ready.Add(1) },
	}
	t.Cleanup(k.Engine.Close)
	return k
}

func (k *kept) directory(t *testing.T, text string) bool {
	t.Helper()
	tree, problems := tree(t, text)
	return k.Directory(t.Context(), tree, nil, problems)
}

func (k *kept) decides(t *testing.T, host string, want authz.Outcome) {
	t.Helper()
	raw := authz.Raw{Host: host, Method: "GET", Path: "/", Scheme: "https"}
	if got := k.Engine.Decide(context.Background(), raw); got.Outcome != want {
		t.Errorf("%s: expected %s, got %s (%s)", host, want, got.Outcome, got.Reason)
	}
}

func TestADirectoryIsPutInForceWholeOrNotAtAll(t *testing.T) {
	k := keep(t)
	if !k.directory(t, policy(open, "a")+policy(unresolved, "b")) || k.ready.Load() != 1 {
		t.Fatalf("expected it in force and ready, got %+v\n%s", k.loads, &k.log)
	}
	k.decides(t, "a.example.com", authz.Allow)
	if k.directory(t, policy(open, "a")+policy(open, "c")+policy(invalid, "d")) {
		t.Error("expected what is not valid to be refused")
	}
	k.decides(t, "a.example.com", authz.Allow)
	k.decides(t, "c.example.com", authz.Deny)
	if k.Directory(t.Context(), nil, nil, []authz.Problem{{Message: "cannot be read"}}) {
		t.Error("expected what cannot be read to be refused")
	}
	if !k.directory(t, policy(open, "c")) || k.ready.Load() != 1 {
		t.Errorf("expected it in force, and to be ready once, got %d", k.ready.Load())
	}
	k.decides(t, "a.example.com", authz.Deny)

	first, refused, unread, last := k.loads[0], k.loads[1], k.loads[2], k.loads[3]
	if !first.InForce || !first.First || !slices.Equal(first.Policies, []string{"shop/a", "shop/b"}) || len(first.Problems) != 1 {
		t.Errorf("the first load: %+v", first)
	} else if p := first.Problems[0]; p.Severity != authz.Unresolved || p.Object != "AgentAuthPolicy shop/b" || p.Line != 15 || p.File == "" {
		t.Errorf("expected the problem with its policy and its place, got %+v", p)
	}
	if refused.InForce || refused.First || refused.Policies != nil || len(refused.Problems) != 1 || !refused.Problems[0].Severity.Fatal() {
		t.Errorf("the refused load: %+v", refused)
	}
	if unread.InForce || len(unread.Problems) != 1 {
		t.Errorf("the load that was not read: %+v", unread)
	}
	if !last.InForce || last.First || len(last.Policies) != 1 || len(last.Problems) != 0 {
		t.Errorf("the last load: %+v", last)
	}
}

func TestAProblemOfReadingRefusesADirectory(t *testing.T) {
	k := keep(t)
	tree, _ := tree(t, policy(open, "a"))
	if k.Directory(t.Context(), tree, nil, []authz.Problem{{Severity: authz.Invalid, Message: "another file"}}) || k.ready.Load() != 0 {
		t.Error("expected it to be refused")
	}
	if !k.Directory(t.Context(), tree, nil, []authz.Problem{{Severity: authz.Warning, Message: "another file"}}) || k.ready.Load() != 1 || !k.loads[1].First {
		t.Error("expected a warning not to refuse it")
	}
}

func TestAClusterIsPutInForceWithPoliciesThatAreNotValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		tree, _ := tree(t, policy(open, "a")+policy(invalid, "b"))
		for range 2 {
			reports, inForce := k.Cluster(t.Context(), tree.Input)
			if !inForce || len(reports) != 2 {
				t.Errorf("expected it in force with two reports, got %v %v", inForce, reports)
			}
			synctest.Wait()
		}
		k.decides(t, "a.example.com", authz.Allow)
		k.decides(t, "b.example.com", authz.Error)
		if k.ready.Load() != 1 || !k.loads[0].First || k.loads[1].First {
			t.Errorf("expected to be ready once, got %d", k.ready.Load())
		}
		if p := k.loads[0].Problems; len(p) != 1 || p[0].Object != "AgentAuthPolicy shop/b" || p[0].File != "" {
			t.Errorf("expected the problem with its policy, got %+v", p)
		}
	})
}

func TestWhatPanicsWhileItIsCompiledLeavesWhatIsInForce(t *testing.T) {
	k := keep(t)
	good, _ := tree(t, policy(open, "a"))
	bad := &manifest.Tree{}
	bad.Input.Policies = append(bad.Input.Policies, nil)
	if k.Directory(t.Context(), bad, nil, nil) || k.ready.Load() != 0 {
		t.Error("expected it not to be in force")
	}
	if !k.Directory(t.Context(), good, nil, nil) || !k.loads[1].First {
		t.Errorf("expected the next to be the first in force: %+v", k.loads)
	}
	if reports, inForce := k.Cluster(t.Context(), bad.Input); inForce || reports != nil {
		t.Error("expected it not to be in force")
	}
	k.decides(t, "a.example.com", authz.Error) // it is gone
	for _, i := range []int{0, 2} {
		if l := k.loads[i]; l.InForce || len(l.Problems) != 1 || !l.Problems[0].Severity.Fatal() {
			t.Errorf("expected a refusal to be told, got %+v", l)
		}
	}
	for _, want := range []string{"what was in force stays in force", "type=runtime.", "stack="} {
		if !strings.Contains(k.log.String(), want) {
			t.Errorf("expected %q in the log, got %s", want, &k.log)
		}
	}
}

func TestAListenerThatPanicsEndsNothing(t *testing.T) {
	k := keep(t)
	k.Loaded = func(source.Load) { panic("hunter2") }
	if !k.directory(t, policy(open, "a")) || k.ready.Load() != 1 {
		t.Error("expected it in force")
	}
	k.decides(t, "a.example.com", authz.Allow)
	if text := k.log.String(); !strings.Contains(text, "type=string") || strings.Contains(text, "hunter2\"") {
		t.Errorf("expected the type of the panic in the log, got %s", text)
	}
}

func TestCompileLeavesTheProblemsOfItsCallerAlone(t *testing.T) {
	k := keep(t)
	tree, _ := tree(t, policy(unresolved, "a"))
	mine := make([]authz.Problem, 1, 2)
	mine[0] = authz.Problem{Severity: authz.Warning}
	s, all, ok := source.Compile(k.Engine, tree, mine)
	if s == nil || !ok || len(all) != 2 || mine[:2][1].Message != "" {
		t.Errorf("expected both problems, got %v %+v", ok, all)
	}
}

// silent is a key set whose provider does not answer.
type silent struct{ jwks.Set }

func (silent) Start()                 {}
func (silent) Close()                 {}
func (silent) Ready() <-chan struct{} { return nil }
func (silent) Status() jwks.Status    { return jwks.Status{} }

func TestOnlyADirectoryWaitsForKeySets(t *testing.T) {
	for name, c := range map[string]struct {
		load func(*kept, context.Context, *manifest.Tree)
		wait time.Duration
	}{
		"directory": {func(k *kept, ctx context.Context, tree *manifest.Tree) { k.Directory(ctx, tree, nil, nil) }, 5 * time.Second},
		"cluster":   {func(k *kept, ctx context.Context, tree *manifest.Tree) { k.Cluster(ctx, tree.Input) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t)
				k.Engine = engine.New(engine.Deps{Remote: engine.Remote{
					Keys:     func(engine.RemoteSource) engine.RemoteKeys { return silent{} },
					CheckURL: func(string) error { return nil },
				}}, engine.Options{OneTenant: true})
				defer k.Engine.Close()
				tree, problems := tree(t, policy(remote, "a"))
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				start := time.Now()
				c.load(k, t.Context(), tree)
				if took := time.Since(start); took != c.wait || !k.loads[0].InForce {
					t.Errorf("expected to wait %s, waited %s: %+v", c.wait, took, k.loads)
				}
				synctest.Wait()
				if got := k.ready.Load() == 1; got != (c.wait > 0) {
					t.Errorf("ready: %v", got)
				}
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if k.ready.Load() != 1 {
					t.Errorf("expected to be ready once, got %d", k.ready.Load())
				}
			})
		})
	}
}

func engineWithPasswords(t *testing.T) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Deps{Passwords: password.New(work.New(work.Options{Slots: 2}), password.Options{})}, engine.Options{OneTenant: true})
	t.Cleanup(e.Close)
	return e
}
