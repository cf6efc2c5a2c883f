package controller

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// FieldOwner owns the conditions that agentauth writes.
const FieldOwner = "agentauth.dev/controller"

// How long after a failed write the next is tried.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// writeWithin bounds one write: an API server that hangs must not stop the
// others for longer.
const writeWithin = 10 * time.Second

// status writes what was reported of policies into their conditions, where it
// is not there already.
type status struct {
	writer client.SubResourceWriter
	store  *store
	log    *slog.Logger
	clock  func() time.Time

	mu      sync.Mutex
	reports []engine.Report
	told    chan struct{}

	// failed are those whose last write failed, and at which version of the
	// policy. They wait for their time or for another version, whatever else
	// there is to write.
	failed map[types.NamespacedName]string
}

func newStatus(writer client.SubResourceWriter, s *store, log *slog.Logger) *status {
	return &status{writer: writer, store: s, log: log, clock: time.Now, told: make(chan struct{}, 1), failed: map[types.NamespacedName]string{}}
}

// tell replaces what is to be written. It never waits for the API server.
func (s *status) tell(reports []engine.Report) {
	s.mu.Lock()
	s.reports = reports
	s.mu.Unlock()
	signal(s.told)
}

// run keeps all conditions at what was reported, until ctx ends.
func (s *status) run(ctx context.Context) {
	clear(s.failed)
	retry := firstRetry
	var again <-chan time.Time // while something is to be tried again
	for {
		err := s.writeAll(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Warn("a status could not be written; it will be tried again", "error", err.Error())
		}
		switch {
		case len(s.failed) == 0:
			again, retry = nil, firstRetry
		case again == nil:
			again, retry = time.After(retry), min(2*retry, lastRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.told:
		case <-s.store.statusChanged:
		case <-again:
			again = nil
			clear(s.failed)
		}
	}
}

// writeAll writes what differs; the error is the last of several. That somebody
// else wrote first is none: the watch will tell.
func (s *status) writeAll(ctx context.Context) (failed error) {
	s.mu.Lock()
	reports := s.reports
	s.mu.Unlock()
	for i := range reports {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.write(ctx, &reports[i]); err != nil && !apierrors.IsConflict(err) {
			failed = err
		}
	}
	return failed
}

func (s *status) write(ctx context.Context, r *engine.Report) error {
	policy, current := s.store.policy(r.Policy)
	if policy == nil || policy.Generation != r.Generation {
		return nil // gone, or a newer report will come
	}
	if version, failed := s.failed[r.Policy]; failed && version == current.version {
		return nil // not yet
	}
	err := s.writeOne(ctx, policy, current, r)
	delete(s.failed, r.Policy)
	if err != nil {
		s.failed[r.Policy] = current.version
	}
	return err
}

func (s *status) writeOne(ctx context.Context, policy *v1alpha1.AgentAuthPolicy, current seen, r *engine.Report) error {
	now := metav1.NewTime(s.clock())
	ancestors, wanted := mergeAncestors(current.ancestors, r, now)
	next, changed := merge(current.conditions, wanted, now)
	if !changed {
		if equality.Semantic.DeepEqual(current.ancestors, ancestors) {
			return nil
		}
		return s.writeAncestors(ctx, policy, current.version, ancestors)
	}
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.PolicyStatus{Conditions: next})
	if err != nil {
		return err
	}
	apply := &unstructured.Unstructured{Object: map[string]any{"status": u}}
	apply.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	apply.SetNamespace(policy.Namespace)
	apply.SetName(policy.Name)
	apply.SetUID(policy.UID) // a policy that was made anew is another one
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	err = s.writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(apply), client.FieldOwner(FieldOwner), client.ForceOwnership)
	switch {
	case apierrors.IsNotFound(err):
		return nil // the watch will tell
	case err != nil:
		return err
	}
	s.store.wrote(policy, func(now *seen) { now.conditions = next })
	return nil
}

// merge says what our conditions are to be, and whether they are that already.
// The time of a condition is when its status last changed.
func merge(current, wanted []metav1.Condition, now metav1.Time) (next []metav1.Condition, changed bool) {
	for _, w := range wanted {
		w.LastTransitionTime = now
		i := slices.IndexFunc(current, func(c metav1.Condition) bool { return c.Type == w.Type })
		if i >= 0 && current[i].Status == w.Status {
			w.LastTransitionTime = current[i].LastTransitionTime
		}
		changed = changed || i < 0 || current[i] != w
		next = append(next, w)
	}
	return next, changed
}
