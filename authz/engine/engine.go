// Package engine is the kernel. A source of policies makes an [Input];
// [Engine.Compile] turns it into a [Snapshot] and into [Report]s;
// [Engine.Swap] puts the snapshot in force; [Engine.Decide] answers requests
// from the one that is in force.
//
// All parsing, type-checking and looking up of references happens in Compile.
// A decision loads one pointer and walks values that never change:
//
//	find -> authenticate -> authorize -> respond
//
// Package find has the first of these, package policy the others.
//
// The package does no I/O: what it needs of the world is in [Deps], and a
// request carries the time that it is decided at.
package engine

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/pool"
	"github.com/agentauth-dev/agentauth/authz/reviews"
	"github.com/agentauth-dev/agentauth/authz/revoke"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/trial"
	"github.com/agentauth-dev/agentauth/authz/upstream"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Deps is what the engine needs of the world.
type Deps struct {
	// Passwords checks passwords, Scheduler runs whatever else is expensive.
	Passwords *password.Verifier
	Scheduler *work.Scheduler
	// Verified keeps credentials that were verified; nil keeps none.
	Verified *verified.Cache
	// Replay remembers the proofs of possession that were used; nil: what is to be
	// proven is 503.
	Replay store.Replay
	// Remote makes what is fetched or asked elsewhere.
	Remote Remote
	// Panicked is told of a panic in a check, with its stack.
	Panicked func(value any, stack []byte)
	// Stale says that what is in force is too old to decide by, which makes
	// every answer 503; nil: it never is.
	Stale func() bool
	// Now is the time of a report on policies; nil is that of the system.
	Now func() time.Time
}

// Remote makes the things that work in the background and outlive a snapshot.
type Remote struct {
	// Keys makes a key set that is fetched.
	Keys func(RemoteSource) RemoteKeys
	// Introspector makes an authorization server that is asked about tokens; nil
	// where nobody is asked.
	Introspector func(IntrospectionSource) Introspector
	// Cluster is the API server that is asked; nil: none is, and NoCluster says that
	// a policy that needs one is told so.
	Cluster   *reviews.Cluster
	NoCluster bool
	// Tokens makes a token endpoint that is asked for tokens for upstreams; nil where
	// none is.
	Tokens func(upstream.Settings) TokenServer
	// CheckURL says why a URL of a policy will never be fetched here; nil
	// where that is not to be told.
	CheckURL func(url string) error
}

// Options are the operator's choices.
type Options = find.Options

// HostnameGrants say which namespace may use which hostnames.
type HostnameGrants = find.HostnameGrants

// HostnameGrant lets a namespace use the hostnames that a pattern covers.
type HostnameGrant = hostgrant.Grant

// Engine decides with the snapshot that is in force. Until the first Swap
// every request is 503.
type Engine struct {
	deps    Deps
	trials  Deps // those of policies with mode Shadow
	options Options
	pool    *pool.Pool
	exprs   *expr.Memo
	apart   *apart
	objects objects.Store
	current atomic.Pointer[Snapshot]
	revoked revoke.InForce
}

// New makes an engine with nothing in force.
func New(deps Deps, options Options) *Engine {
	e := &Engine{deps: deps, trials: deps, options: options, pool: pool.New(), exprs: expr.NewMemo(), apart: &apart{jobs: work.NewJobs[compiled]()}}
	e.trials.Scheduler, e.trials.Passwords, e.trials.Replay = trial.Apart(deps.Scheduler, deps.Passwords, deps.Replay)
	return e
}

func (e *Engine) now() time.Time {
	if e.deps.Now == nil {
		return time.Now()
	}
	return e.deps.Now()
}

// Swap puts a snapshot in force at once. Checks under way end with the one
// they began with.
func (e *Engine) Swap(s *Snapshot) {
	e.current.Store(s)
	e.pool.Retain(s.used, s.tenants)
	e.exprs.Sweep()
}

// Revoke puts revocations in force at once, beside whichever snapshot is.
func (e *Engine) Revoke(l *revoke.List) { e.revoked.Put(l) }

// Revocations are those in force.
func (e *Engine) Revocations() *revoke.List { return e.revoked.List() }

// Wait returns once each key set of the snapshot in force was tried, at most
// after 5 seconds: a broken provider blocks nothing.
func (e *Engine) Wait(ctx context.Context) {
	if s := e.current.Load(); s != nil {
		pool.Wait(ctx, s.used, 5*time.Second)
	}
}

// Behind is since when a change of a policy has waited to be compiled, and so is
// not in force; zero if none does.
func (e *Engine) Behind() time.Time {
	if s := e.current.Load(); s != nil {
		return s.behind
	}
	return time.Time{}
}

// Beside warns of the only policy of a snapshot that is not in force: of what it
// would do to the policies of its namespace that are, and whom it would let through.
func (e *Engine) Beside(one *Snapshot) []authz.Problem {
	if s := e.current.Load(); s != nil {
		return s.find.Beside(one.find)
	}
	return (*find.Snapshot)(nil).Beside(one.find)
}

// HostnameGrants are the ConfigMaps of hostname grants in force.
func (e *Engine) HostnameGrants() []*Object {
	if s := e.current.Load(); s != nil {
		return s.hostnameGrants
	}
	return nil
}

// Close ends what runs in the background. Decisions go on with what is held.
func (e *Engine) Close() { e.pool.Retain(nil, nil) }

const (
	// maxCheck is how long a check may take, whatever the caller's deadline.
	maxCheck = 5 * time.Second
	// margin is left of the caller's deadline, so that our answer arrives; or a
	// fiftieth of the time, if that is more: who waits long may do so since the
	// machine is busy.
	margin = 20 * time.Millisecond
)

// Decide answers one request. It never fails and never panics: what cannot be
// decided is an answer too, and none of those is an allowance.
func (e *Engine) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	return e.decide(ctx, &raw, nil)
}

// Explain is Decide, and every step that was taken.
func (e *Engine) Explain(ctx context.Context, raw authz.Raw) (authz.Decision, []authz.Step) {
	trace := &authz.Trace{}
	d := e.decide(ctx, &raw, trace)
	return d, trace.Steps
}

// Try is Explain, of a rehearsal or from a record, as the trace says.
func (e *Engine) Try(ctx context.Context, raw authz.Raw, trace *authz.Trace) authz.Decision {
	return e.decide(ctx, &raw, trace)
}

func (e *Engine) decide(ctx context.Context, raw *authz.Raw, trace *authz.Trace) (d authz.Decision) {
	defer func() {
		if v := recover(); v != nil {
			if e.deps.Panicked != nil {
				e.deps.Panicked(v, debug.Stack())
			}
			d = policy.Unavailable(authz.Internal, "a defect of agentauth; see its log", 0)
		}
		policy.TellRequestID(&d, raw.ID)
	}()
	s := e.current.Load()
	if s == nil {
		return policy.Unavailable(authz.Unavailable, "no policies have been loaded yet", 0)
	}
	if e.deps.Stale != nil && e.deps.Stale() {
		return policy.Unavailable(authz.Unavailable, "what is in force is older than --max-config-age", 0)
	}
	now := time.Now()
	deadline := now.Add(maxCheck)
	if d, ok := ctx.Deadline(); ok {
		if d = d.Add(-max(margin, d.Sub(now)/50)); d.Before(deadline) {
			deadline = d
		}
	}
	check := work.Begin(ctx, deadline, e.deps.Scheduler)
	defer check.End()
	check.Budget().Rehearsal = trace != nil && trace.Rehearsal
	return e.answer(check, s, raw, trace)
}

// requests are used again: nothing that outlives a decision holds its request.
var requests = sync.Pool{New: func() any { return new(authz.Request) }}

// answer decides within the deadline and the budget of the decision.
func (e *Engine) answer(ctx *work.Context, s *Snapshot, raw *authz.Raw, trace *authz.Trace) authz.Decision {
	r := requests.Get().(*authz.Request)
	d := e.decideParsed(ctx, s, raw, r, trace)
	r.Reset()
	requests.Put(r) // not behind a panic
	return d
}

// decideParsed reads the request into r and decides it.
func (e *Engine) decideParsed(ctx *work.Context, s *Snapshot, raw *authz.Raw, r *authz.Request, trace *authz.Trace) authz.Decision {
	if err := r.Parse(*raw); err != nil {
		trace.Add(authz.Step{Stage: authz.StageRequest, Outcome: authz.StepRefused, Detail: err.Error()})
		return policy.BadRequest(err)
	}
	if trace != nil {
		r.Recorded = trace.Recorded
	}
	f := s.find.Find(ctx, r, trace)
	ctx.Budget().Done() // the policy may wait for another turn
	var d authz.Decision
	if f.Policy == nil {
		d = *f.Answer
	} else {
		d = f.Policy.Decide(ctx, r, f.Host, trace)
	}
	if d.Outcome == authz.Allow && ctx.Late() {
		late := policy.Unavailable(authz.Unavailable, "the decision took longer than its time", 0)
		late.Policy, late.Version, late.Method, late.Identity, late.Refused = d.Policy, d.Version, d.Method, d.Identity, d.Refused
		d = late
	}
	if s.find.Shadows() {
		return e.shadow(ctx, s, r, &f, d, trace)
	}
	return d
}

// Snapshot is a compiled Input: everything that a decision reads. It never
// changes, so a check ends with the snapshot that it began with.
type Snapshot struct {
	// find finds the policy of a request. policies are all policies by their
	// numbers there, also those that are over a bound of their namespace, and
	// reports are those on them.
	find     *find.Snapshot
	policies []*compiled
	reports  []reported
	// hostnameGrants are those of the Input.
	hostnameGrants []*Object
	// oneTenant: whoever reads a report may read all objects.
	oneTenant bool

	// behind is since when the oldest change waits to be compiled; zero: none does.
	behind time.Time
	// objects are what the next compile may take over of objects. No content of a Secret
	// outlives its compile.
	objects *objects.View
	// used are the pooled things that this snapshot reads; tenants says whose
	// turns they take.
	used    map[pool.Key]*pool.Held
	tenants map[pool.Key]string
	// users name policies that use each of these.
	users map[pool.Key][]string
	// unreachable are the problems of keys that could not be fetched, by policy.
	unreachable map[int][]authz.Problem
}

// Reports are those on the policies, the older first.
func (s *Snapshot) Reports() []Report {
	out := make([]Report, 0, len(s.find.Order()))
	for _, n := range s.find.Order() {
		out = append(out, s.reports[n].on(s.policies[n]))
	}
	return out
}

// Problems are what is wrong with the Input besides its policies: with the objects
// by which the operator keeps tenants apart.
func (s *Snapshot) Problems() []authz.Problem { return s.find.Problems() }
