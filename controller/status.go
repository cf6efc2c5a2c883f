package controller

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

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

// policies are the policies with their newest statuses.
type policies interface {
	policy(types.NamespacedName) *item // nil if it is gone
	wrote(over, now *item)
}

// status writes the conditions and ancestors of reports into the status of
// policies, where they differ.
type status struct {
	writer   client.SubResourceWriter
	policies policies
	updated  chan struct{} // a policy or its status changed
	log      *slog.Logger
	clock    func() time.Time

	mu      sync.Mutex
	reports []engine.Report
	changed chan struct{} // there are new reports

	// failed are the policies whose last write failed, and at which
	// resourceVersion. They wait for their time or for another version, whatever
	// else there is to write.
	failed map[types.NamespacedName]string

	// written is what was written last of each policy.
	written map[types.NamespacedName]*contest
	// observes says whether the CRD has status.observedGeneration; nil: it has.
	observes func() bool
	// events tells what changed.
	events *teller
}

func newStatus(writer client.SubResourceWriter, policies policies, updated chan struct{}, log *slog.Logger) *status {
	return &status{writer: writer, policies: policies, updated: updated, log: log, clock: time.Now, changed: make(chan struct{}, 1),
		failed: map[types.NamespacedName]string{}, written: map[types.NamespacedName]*contest{}, events: newTeller()}
}

// report replaces the reports. It never waits for the API server.
func (s *status) report(reports []engine.Report) {
	s.mu.Lock()
	s.reports = reports
	s.mu.Unlock()
	signal(s.changed)
}

// run keeps all statuses at the reports, until ctx ends.
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
		case <-s.changed:
		case <-s.updated:
		case <-s.contested():
		case <-again:
			again = nil
			clear(s.failed)
		}
	}
}

// writeAll writes what differs; the error is the last of several. A conflict is
// none: the watch delivers what somebody else wrote first.
func (s *status) writeAll(ctx context.Context) (failed error) {
	s.mu.Lock()
	reports := s.reports
	s.mu.Unlock()
	s.forget(reports)
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

// forget drops what is kept of policies that are gone.
func (s *status) forget(reports []engine.Report) {
	if len(s.written) <= len(reports) {
		return
	}
	there := make(map[types.NamespacedName]bool, len(reports))
	for i := range reports {
		there[reports[i].Policy] = true
	}
	maps.DeleteFunc(s.written, func(name types.NamespacedName, _ *contest) bool { return !there[name] })
	maps.DeleteFunc(s.failed, func(name types.NamespacedName, _ string) bool { return !there[name] })
	maps.DeleteFunc(s.events.of, func(name types.NamespacedName, _ *lastEvent) bool { return !there[name] })
}

func (s *status) write(ctx context.Context, r *engine.Report) error {
	policy := s.policies.policy(r.Policy)
	if policy == nil || policy.Generation != r.Generation {
		return nil // gone, or a newer report will come
	}
	if version, failed := s.failed[r.Policy]; failed && version == policy.ResourceVersion {
		return nil // not yet
	}
	err := s.writeOne(ctx, policy, r)
	delete(s.failed, r.Policy)
	if err != nil {
		s.failed[r.Policy] = policy.ResourceVersion
	}
	return err
}

// writeOne writes the conditions or, once these are written, the ancestors.
func (s *status) writeOne(ctx context.Context, policy *item, r *engine.Report) (err error) {
	at := s.clock()
	ancestors, differ, wanted := mergeAncestors(policy.status.Ancestors, r, metav1.NewTime(at))
	conditions, changed := merge(policy.status.Conditions, wanted, metav1.NewTime(at))
	generation := int64(0)
	if s.observes == nil || s.observes() {
		generation = r.Generation
		changed = changed || policy.status.ObservedGeneration != generation
	}
	if !changed && !differ || s.written[r.Policy].waits(r, at) {
		return nil
	}
	now := *policy
	if changed {
		now.status.Conditions, now.status.ObservedGeneration = conditions, generation
		now.written, err = s.writeConditions(ctx, policy, v1alpha1.PolicyStatus{ObservedGeneration: generation, Conditions: conditions})
	} else {
		now.status.Ancestors = ancestors
		now.written, err = s.writeAncestors(ctx, policy, ancestors)
	}
	if err != nil {
		return client.IgnoreNotFound(err) // the watch delivers its removal
	}
	if changed {
		s.events.tell(policy, policy.status.Conditions, conditions)
	}
	s.written[r.Policy] = s.written[r.Policy].writes(r, at)
	s.policies.wrote(policy, &now)
	return nil
}

// writeConditions returns the resourceVersion that the policy then has.
func (s *status) writeConditions(ctx context.Context, policy *item, conditions v1alpha1.PolicyStatus) (string, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&conditions)
	if err != nil {
		return "", err
	}
	apply := &unstructured.Unstructured{Object: map[string]any{"status": u}}
	apply.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind))
	apply.SetNamespace(policy.Namespace)
	apply.SetName(policy.Name)
	apply.SetUID(policy.UID) // a policy that was created again is another one
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	err = s.writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(apply), client.FieldOwner(FieldOwner), client.ForceOwnership)
	return apply.GetResourceVersion(), err
}

// merge returns our conditions as they should be, and whether they differ. The time of a condition is when its status last changed.
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
