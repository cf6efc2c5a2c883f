// Package source keeps an engine at what a source of policies says, a directory
// or a cluster. The source reads, and hands what it read to a [Keeper], which
// compiles it, puts it in force and says what came of it:
//
//	{policydir | controller} -> Keeper: Compile -> Swap -> Load -> telemetry
//	                                       └─► reports -> status (cluster)
//
// A new source needs one method here: whether it is put in force whole or not at
// all, as a directory is, or policy by policy, as a cluster is.
package source

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/objects"
	revocation "github.com/agentauth-dev/agentauth/authz/revoke"
)

// Keeper keeps an engine at what one source says. Every field is required. The
// methods are called one after the other, never at once, but for Revoke.
type Keeper struct {
	Engine *engine.Engine
	Log    *slog.Logger
	// Loaded learns what came of every load. It should return soon.
	Loaded func(Load)
	// Ready is called once: when the first load is in force and every key set
	// that it names was tried.
	Ready func()

	begun bool
	// input is what is in force, tree what it was read from, in a directory.
	input engine.Input
	tree  *manifest.Tree
	// changes compares the loads that came in force.
	changes changes
	revoked revocations

	busy busy

	mu sync.Mutex
	// behind is since when a change is not in force; zero: everything is.
	behind time.Time
}

// How long a load waits for policies of a cluster that changed to be compiled,
// in sum. Bounds on what a policy may hold end most compiles within
// milliseconds; what takes longer must not hold up what others revoke. At first
// nothing is in force that could be revoked, and each policy has its part of the
// time: one that is not compiled would answer 503.
const (
	patience      = 250 * time.Millisecond
	firstPatience = 10 * time.Second
	eachPatience  = 2 * time.Millisecond
)

// Load is what came of reading a source once.
type Load struct {
	// InForce says that it decides now; otherwise what was in force before does.
	InForce bool
	// First says that nothing was in force before.
	First bool
	// Policies are the names (namespace/name) of the policies that were read,
	// Secrets and ConfigMaps how many there are. They are zero if not InForce.
	Policies            []string
	Secrets, ConfigMaps int
	// Problems are what is wrong, with Object and, in files, Position.
	Problems []authz.Problem
	// Changes are the first policies that the load changed, and Changed how many it
	// did.
	Changes []authz.PolicyChange
	Changed int
	// NotReady is how many policies are not Ready, and Hash a number below 1<<48 that is
	// the same where the same policies are in force.
	NotReady int
	Hash     uint64
}

// Directory puts the manifests of a directory in force, all or, if a problem is
// fatal, none of them. problems are those of reading them; tree is nil if they
// could not be read, and remains is what is known of credentials then. Where the
// manifests are not put in force, credentials that are gone leave what is. The
// first call that puts a tree in force waits for key sets.
func (k *Keeper) Directory(ctx context.Context, tree *manifest.Tree, remains *manifest.Remains, problems []authz.Problem) (inForce bool) {
	if tree != nil && len(tree.Input.Policies) == 0 && len(k.input.Policies) > 0 {
		problems = append(slices.Clip(problems), authz.Problem{Severity: authz.Invalid,
			Message: fmt.Sprintf("expected policies and there are none, and %d are in force: is a volume not mounted? Restart agentauth to serve without policies", len(k.input.Policies))})
	}
	problems = append(slices.Clip(problems), k.takeRevocations(tree, func() []authz.Problem {
		return k.revoked.take(k.Engine, k.revoked.ofFiles(tree, remains))
	})...)
	load := k.load(func() (*engine.Snapshot, Load) {
		snapshot, problems, ok := compile(k.Engine, tree, problems)
		if !ok {
			return nil, Load{Problems: problems}
		}
		k.input, k.tree = tree.Input, tree
		return snapshot, k.loadOf(tree.Input, snapshot.Reports(), problems)
	})
	if !load.InForce {
		if tree != nil {
			remains = tree.Remains()
		}
		if remains != nil {
			mistaken := filesOf(load.Problems)
			k.revoke(
				func(p *v1alpha1.AgentAuthPolicy) bool {
					return remains.Has(k.tree, p) || mistaken[k.tree.Locate(v1alpha1.Kind, p.Namespace, p.Name, "").File]
				},
				func(kind string, o *engine.Object) *engine.Object { return remains.Find(k.tree, kind, o) })
		}
	}
	if load.First {
		k.begin(ctx)
	}
	return load.InForce
}

// Cluster puts in force what a cluster has: a policy with a fatal problem
// answers 503, and the others are not affected; so does one that takes long to
// compile, until it is. The reports are for the status of the policies, if
// inForce. No call waits for key sets: a provider that is down must not delay the
// next change. Again says when to call it without a change.
func (k *Keeper) Cluster(ctx context.Context, in engine.Input) (reports []engine.Report, inForce bool) {
	wait := patience
	if !k.begun {
		wait = firstPatience + time.Duration(len(in.Policies))*eachPatience
	}
	began := time.Now()
	wrong := k.takeRevocations(nil, func() []authz.Problem { return warned(k.revoked.told(k.Engine, in.Revocations)) })
	load := k.load(func() (snapshot *engine.Snapshot, l Load) {
		snapshot, reports = k.Engine.CompileApart(in, wait)
		k.input = in
		return snapshot, k.loadOf(in, reports, append(append(wrong, snapshot.Problems()...), problemsOf(reports, nil)...))
	})
	if !load.InForce {
		now, policies := in.ByKey(), policiesOf(in)
		k.revoke(
			func(p *v1alpha1.AgentAuthPolicy) bool {
				mode, there := policies[nameOf(p)]
				return there && (p.Spec.Mode != v1alpha1.ModeShadow || mode == p.Spec.Mode)
			},
			func(kind string, o *engine.Object) *engine.Object { return now[objects.KeyOf(kind, o)] })
	}
	k.setBehind(load.InForce, began)
	if load.First {
		go k.begin(ctx)
	}
	return reports, load.InForce
}

// Again is signalled when a policy is compiled that no load waited for.
func (k *Keeper) Again() <-chan struct{} { return k.Engine.Late() }

// Behind reports since when a change that was given to Cluster is not in force.
func (k *Keeper) Behind() (since time.Time, behind bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.behind, !k.behind.IsZero()
}

func (k *Keeper) setBehind(inForce bool, began time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case inForce:
		k.behind = k.Engine.Behind()
	case k.behind.IsZero():
		k.behind = began
	}
}

// revoke takes credentials that are gone out of what is in force, where the
// change that they are a part of is not put in force.
func (k *Keeper) revoke(has func(*v1alpha1.AgentAuthPolicy) bool, now func(kind string, o *engine.Object) *engine.Object) {
	k.survives("revoking credentials panicked; what was in force stays in force", func() {
		in, revoked := revoke(k.input, has, now)
		if !revoked {
			return
		}
		snapshot, _ := k.Engine.CompileApart(in, firstPatience)
		k.Engine.Swap(snapshot)
		k.input = in
		k.Log.Warn("credentials and policies that are gone are refused, although the change that they are a part of is not in force")
	})
}

// Revoke puts revocations of a cluster in force at once, whatever is compiled, beside
// those that are. Those that are gone end with the next load that is in force. It may be
// called beside the other methods; once it was, the Revocations of an Input are not read.
func (k *Keeper) Revoke(list []revocation.ConfigMap) {
	k.survives("reading revocations panicked; those in force stay in force", func() {
		k.revoked.mu.Lock()
		k.revoked.apart = true
		k.revoked.mu.Unlock()
		k.revoked.take(k.Engine, list)
	})
}

// takeRevocations puts revocations in force, and says what is wrong with them.
func (k *Keeper) takeRevocations(tree *manifest.Tree, take func() []authz.Problem) (problems []authz.Problem) {
	if !k.survives("reading revocations panicked; those in force stay in force", func() { problems = revocationProblems(tree, take(), k.revoked.list()) }) {
		problems = []authz.Problem{{Severity: authz.Warning, Message: "revocations could not be read, a defect of agentauth: the log has the stack. Those in force stay in force"}}
	}
	return problems
}

// filesOf are the files that fatal problems are in: nobody knows which policies
// they are to have.
func filesOf(problems []authz.Problem) map[string]bool {
	out := map[string]bool{}
	for _, p := range problems {
		if p.Severity.Fatal() {
			out[p.File] = true
		}
	}
	return out
}

// policiesOf are the modes of policies.
func policiesOf(in engine.Input) map[types.NamespacedName]v1alpha1.Mode {
	out := make(map[types.NamespacedName]v1alpha1.Mode, len(in.Policies))
	for _, p := range in.Policies {
		if p != nil {
			out[nameOf(p)] = p.Spec.Mode
		}
	}
	return out
}

func nameOf(p *v1alpha1.AgentAuthPolicy) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

// load puts in force what compile returns, unless that is no snapshot.
func (k *Keeper) load(compile func() (*engine.Snapshot, Load)) (load Load) {
	compiled := k.survives("compiling panicked; what was in force stays in force", func() {
		snapshot, l := compile()
		if snapshot != nil {
			k.Engine.Swap(snapshot)
			k.revoked.loaded(k.Engine)
			l.InForce, l.First = true, !k.begun
			k.begun = true
		}
		load = l
	})
	if !compiled {
		load = Load{Problems: []authz.Problem{{Severity: authz.Invalid, Message: "compiling panicked, a defect of agentauth: the log has the stack"}}}
	}
	k.survives("reporting a load panicked; what is in force stays in force", func() { k.Loaded(load) })
	return load
}

// survives logs a panic of f, by its type: the value may hold anything.
func (k *Keeper) survives(message string, f func()) (ok bool) {
	k.busy.begin()
	defer k.busy.end()
	defer func() {
		if v := recover(); v != nil {
			k.Log.Error(message, "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}

func (k *Keeper) begin(ctx context.Context) {
	k.Engine.Wait(ctx)
	k.Ready()
}

func (k *Keeper) loadOf(in engine.Input, reports []engine.Report, problems []authz.Problem) Load {
	l := Load{Secrets: len(in.Secrets), ConfigMaps: len(in.ConfigMaps), Problems: problems}
	for _, p := range in.Policies {
		l.Policies = append(l.Policies, nameOf(p).String())
	}
	l.Changes, l.Changed = k.changes.next(in, reports)
	l.Hash = k.changes.hash()
	for i := range reports {
		if reports[i].Conditions[0].Status != metav1.ConditionTrue {
			l.NotReady++
		}
	}
	return l
}
