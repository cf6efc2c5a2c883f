package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/agentauth-dev/agentauth/authz/egress"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/upstream"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/authz/work"
	"github.com/agentauth-dev/agentauth/telemetry"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// service is what the doors, the probes and the source of one `serve` share.
type service struct {
	flags     *serveFlags
	options   engine.Options
	log       *slog.Logger
	client    *egress.Client
	kernel    *engine.Engine
	tokens    *upstream.Shared
	metrics   *telemetry.Metrics
	readiness *telemetry.Readiness
	liveness  *telemetry.Liveness
	scheduler *work.Scheduler
	// loading is for how long a load has been under way; nil before there is a source.
	loading   func() time.Duration
	decisions *telemetry.DecisionLog
	audit     *audit.Stream
	tracing   *telemetry.Tracing // nil: none
	// endReplay ends the connections to the store of proofs.
	endReplay func()
	// stopping is when the drain began.
	stopping time.Time
	// failed has room for all that may end by itself: source, doors and probes.
	failed chan error
	// reviewer ends what asks the API server.
	reviewer func()
}

// serve wires the two paths: the source to the engine, the engine to the door.
// It returns when it is told to stop, or when something ended by itself.
func (f *serveFlags) serve(parent context.Context, log *slog.Logger) error {
	signal.Ignore(syscall.SIGPIPE) // who reads the log or the audit stream may go, and decisions go on
	s, err := f.service(log)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, stop := signal.NotifyContext(parent, syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	endPprof, err := f.openPprof()
	if err != nil {
		return err
	}
	defer endPprof()
	probes, err := s.openProbes()
	if err != nil {
		return err
	}
	defer probes.close()
	door, err := s.openDoor()
	if err != nil {
		return err
	}
	httpDoor, err := s.openHTTPDoor()
	if err != nil {
		return err
	}
	follow, err := s.source(door)
	if err != nil {
		return err
	}
	// While the doors take checks, what takes a right away comes in force as ever.
	following, unfollow := context.WithCancel(context.WithoutCancel(parent))
	defer unfollow()
	go collectSeldom(following, betweenCollections(memoryLimit()))
	s.watchLiveness(following)
	probes.start(s)
	hook, err := s.openWebhook(following)
	if err != nil {
		return err
	}
	followed := s.start(following, follow)
	door.start(s)
	httpDoor.start(s)

	select {
	case err := <-s.failed:
		if ctx.Err() == nil {
			return endedByItself(err)
		}
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	return s.stop(door, httpDoor, hook, unfollow, followed)
}

// service checks the flags and makes what is shared.
func (f *serveFlags) service(log *slog.Logger) (*service, error) {
	options, err := f.options()
	if err != nil {
		return nil, err
	}
	client, err := f.egress.client()
	if err != nil {
		return nil, err
	}
	limitMemory(os.DirFS("/sys/fs/cgroup"))
	replay, endReplay, err := f.replay.open()
	if err != nil {
		return nil, err
	}
	otlpErrors(log, nil)
	tracing, err := f.tracing.open(log)
	if err != nil {
		return nil, err
	}
	readiness := &telemetry.Readiness{MaxAge: f.cluster.maxConfigAge}
	metrics := telemetry.NewMetrics(readiness.Age)
	recorded, err := f.audit.open(log)
	if err != nil {
		return nil, err
	}
	metrics.RegisterAudit(recorded.Stats)
	decisions := &telemetry.DecisionLog{Log: log, Metrics: metrics, Audit: recorded}
	asked, got, keys := introspect.NewShared(), upstream.NewShared(), jwks.NewShared()
	asked.Waited, got.Waited, keys.Waited = onWait(tracing), onWait(tracing), onWait(tracing)
	deps := dependencies(remote(client, keys, asked, got, answerPanicked(log)), decisions.Panicked)
	deps.Stale, deps.Replay = readiness.Stale, replay
	deps.Verified = verified.New(verified.Options{Bytes: verifiedMemory()})
	asks, err := f.cluster.reviewer(log, decisions.Panicked)
	if err != nil {
		return nil, err
	}
	asks.cluster.OnWait(onWait(tracing))
	if tracing != nil && f.replay.url != "" {
		deps.Replay = tracedReplay{replay, f.replay.url, tracing}
	}
	deps.Remote.Cluster, deps.Remote.NoCluster = asks.cluster, asks.cluster == nil
	kernel := engine.New(deps, options)
	readiness.KeySets = kernel.Remotes
	metrics.RegisterKeySets(kernel.Remotes)
	metrics.RegisterIntrospection(asked.Counts)
	metrics.RegisterReviews(asks.cluster.Counts)
	metrics.RegisterUpstreamTokens(got.Statuses)
	metrics.RegisterVerified(deps.Verified.Stats)
	metrics.RegisterWork(deps.Scheduler.Stats)
	metrics.RegisterKeys(kernel.KeyTables)
	built := thisBuild()
	metrics.Built(built.Version, built.Revision, built.Go)
	s := &service{
		reviewer: asks.close, flags: f, options: options, log: log, client: client, kernel: kernel, tokens: got,
		metrics: metrics, readiness: readiness, liveness: &telemetry.Liveness{}, scheduler: deps.Scheduler, decisions: decisions, audit: recorded, tracing: tracing, endReplay: endReplay, failed: make(chan error, 4),
	}
	metrics.RegisterRevocations(s.revocationCounts)
	return s, nil
}

func (s *service) close() {
	s.closeAudit()
	s.kernel.Close()
	s.client.Close()
	s.reviewer()
	s.endReplay()
	endTracing(s.tracing)
}

// start follows the source; followed is closed when that has ended.
func (s *service) start(ctx context.Context, follow func(context.Context) error) (followed <-chan struct{}) {
	done := make(chan struct{})
	go s.followRevocations(ctx)
	go func() {
		defer close(done)
		s.failed <- follow(ctx)
	}()
	return done
}

func endedByItself(err error) error {
	if err == nil {
		return errors.New("a listener ended by itself")
	}
	return err
}

// stop finishes what is under way. The source is followed until no new check is taken.
func (s *service) stop(door door, httpDoor httpDoor, hook hook, unfollow context.CancelFunc, followed <-chan struct{}) error {
	s.log.Info("stopping: not ready any more, finishing what is under way", "drain", s.flags.drain.String())
	s.stopping = time.Now()
	s.readiness.Stopping()
	door.setReady(false)
	time.Sleep(s.flags.drainDelay) // a second signal ends it too
	unfollow()
	var closing sync.WaitGroup
	closing.Go(hook.close) // no review keeps the door open
	var cut error
	closing.Go(func() { cut = httpDoor.close(s.flags.drain) })
	err := door.close(s.flags.drain)
	closing.Wait()
	if err == nil {
		err = cut
	}
	select {
	case <-followed:
	case <-time.After(2 * time.Second): // for the lease, which others wait for otherwise
	}
	return err
}
