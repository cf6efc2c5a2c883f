package controller

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

var noon = metav1.NewTime(time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC))

func accepted(status metav1.ConditionStatus, generation int64, since metav1.Time) metav1.Condition {
	return metav1.Condition{Type: "Accepted", Status: status, Reason: "Accepted", Message: "m", ObservedGeneration: generation, LastTransitionTime: since}
}

func TestTheTimeOfAConditionIsWhenItsStatusChanged(t *testing.T) {
	before := metav1.NewTime(noon.Add(-time.Hour))
	foreign := metav1.Condition{Type: "Somebody's", Status: "True"}
	for name, c := range map[string]struct {
		current []metav1.Condition
		since   metav1.Time
		changed bool
	}{
		"there was none":           {nil, noon, true},
		"it is that already":       {[]metav1.Condition{foreign, accepted("True", 2, before)}, before, false},
		"its generation is older":  {[]metav1.Condition{accepted("True", 1, before)}, before, true},
		"its status was the other": {[]metav1.Condition{accepted("False", 2, before)}, noon, true},
	} {
		next, changed := merge(c.current, []metav1.Condition{accepted("True", 2, metav1.Time{})}, noon)
		if len(next) != 1 || next[0] != accepted("True", 2, c.since) || changed != c.changed {
			t.Errorf("%s: expected %v and changed %t, got %v and %t", name, c.since, c.changed, next, changed)
		}
	}
}

// written counts writes, and answers them with err.
type written struct {
	client.SubResourceWriter
	count int
	err   error
}

func (w *written) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	w.count++
	return w.err
}

func report(generation int64) []engine.Report {
	return []engine.Report{{
		Policy: types.NamespacedName{Namespace: "shop", Name: "orders"}, Generation: generation,
		Conditions: []metav1.Condition{accepted("True", generation, metav1.Time{})},
	}}
}

// statusOf writes the statuses of what is in a collection.
func statusOf(w client.SubResourceWriter, o objects) *status {
	return newStatus(w, o, o.updated, slog.New(slog.DiscardHandler))
}

func writing(t *testing.T, w *written, generation int64) *status {
	o := newObjects()
	o.put(t, policy("orders", "1", generation))
	return statusOf(w, o)
}

func TestAStatusIsWrittenOnceAndBeforeTheWatchTellsOfIt(t *testing.T) {
	w := &written{}
	s := writing(t, w, 1)
	s.report(report(1))
	for range 3 {
		if err := s.writeAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if w.count != 1 {
		t.Errorf("expected one write, got %d", w.count)
	}
}

func TestAReportThatIsNotOfThePolicyAsItIsIsNotWritten(t *testing.T) {
	w := &written{}
	s := writing(t, w, 2)
	s.report(append(report(1), engine.Report{Policy: types.NamespacedName{Namespace: "shop", Name: "gone"}}))
	if err := s.writeAll(t.Context()); err != nil || w.count != 0 {
		t.Errorf("expected no write, got %d and %v", w.count, err)
	}
}

func TestAFailedWriteIsTriedAgainUnlessTheWatchWillTell(t *testing.T) {
	resource := schema.GroupResource{Group: "agentauth.dev", Resource: "agentauthpolicies"}
	for name, c := range map[string]struct {
		err   error
		again bool
	}{
		"no answer":      {errors.New("connection refused"), true},
		"forbidden":      {apierrors.NewForbidden(resource, "orders", nil), true},
		"it is gone":     {apierrors.NewNotFound(resource, "orders"), false},
		"it is made new": {apierrors.NewConflict(resource, "orders", nil), false},
	} {
		s := writing(t, &written{err: c.err}, 1)
		s.report(report(1))
		if err := s.writeAll(t.Context()); (err != nil) != c.again {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// refusing refuses writes of one policy, and notes when each was tried.
type refusing struct {
	client.SubResourceWriter
	name  string
	start time.Time

	mu     sync.Mutex
	err    error
	tried  []time.Duration
	others int
}

// soFar are the tries of the one, and how many there were of others; from now on
// the one's have this result.
func (r *refusing) soFar(err error) (tried []time.Duration, others int) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	return slices.Clone(r.tried), r.others
}

func (r *refusing) Apply(_ context.Context, o runtime.ApplyConfiguration, _ ...client.SubResourceApplyOption) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.(interface{ GetName() string }).GetName() != r.name {
		r.others++
		return nil
	}
	r.tried = append(r.tried, time.Since(r.start))
	return r.err
}

func TestAStatusThatCannotBeWrittenIsTriedLessAndLessAndKeepsNoOtherWaiting(t *testing.T) {
	resource := schema.GroupResource{Group: "agentauth.dev", Resource: "agentauthpolicies"}
	for name, err := range map[string]error{
		"it fails": apierrors.NewInternalError(errors.New("etcd")), "somebody wrote first, they say": apierrors.NewConflict(resource, "orders", nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &refusing{name: "orders", err: err, start: time.Now()}
				o := newObjects()
				s := statusOf(w, o)
				o.put(t, policy("orders", "1", 1))
				s.report(report(1))
				ctx, cancel := context.WithCancel(t.Context())
				go s.run(ctx)
				for i := range 600 { // of another policy there is something to write all the time
					o.put(t, policy("other", "2", int64(i)))
					other := report(int64(i))
					other[0].Policy.Name = "other"
					s.report(append(report(1), other...))
					time.Sleep(100 * time.Millisecond)
				}
				const s1 = time.Second
				want := []time.Duration{0, s1, 3 * s1, 7 * s1, 15 * s1, 31 * s1}
				if tried, others := w.soFar(err); !slices.Equal(tried, want) || others != 600 {
					t.Fatalf("expected the failing one at %v and 600 others, got %v and %d", want, tried, others)
				}
				again := policy("orders", "1", 1)
				again.ResourceVersion = "2" // what the watch tells is not waited with
				o.put(t, again)
				if tried, _ := w.soFar(nil); len(tried) != 7 {
					t.Errorf("expected another try at once, got %v", tried)
				}
				time.Sleep(2 * lastRetry)
				if tried, _ := w.soFar(nil); len(tried) != 8 {
					t.Errorf("expected it to be written in its time and once, got %v", tried)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

func TestOnlyWhatIsInForceBecomesStatus(t *testing.T) {
	c := &Cluster{kinds: &kinds{}, status: statusOf(&written{}, newObjects())}
	for _, inForce := range []bool{true, false} {
		c.config.Load = func(context.Context, engine.Input) ([]engine.Report, bool) {
			return make([]engine.Report, 1), inForce
		}
		c.status.report(nil)
		c.load(t.Context())
		if got := len(c.status.reports) == 1; got != inForce {
			t.Errorf("in force %v: expected reports for status %v, got %v", inForce, inForce, got)
		}
	}
}

// applied keeps the last status that was applied.
type applied struct {
	written
	status map[string]any
}

func (a *applied) Apply(_ context.Context, o runtime.ApplyConfiguration, _ ...client.SubResourceApplyOption) error {
	a.count++
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var sent struct{ Status map[string]any }
	err = json.Unmarshal(data, &sent)
	a.status = sent.Status
	return err
}

func TestTheStatusHasTheGenerationThatItIsAboutUnlessTheCRDHasNoFieldForIt(t *testing.T) {
	for _, observes := range []bool{true, false} {
		w := &applied{}
		o := newObjects()
		p := policy("orders", "1", 2, accepted("True", 2, noon))
		p.Status.ObservedGeneration = 1
		o.put(t, p)
		s := statusOf(w, o)
		s.observes = func() bool { return observes }
		s.report(report(2))
		for range 2 {
			if err := s.writeAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got := w.status["observedGeneration"]
		if observes && (w.count != 1 || got != 2.0) || !observes && (w.count != 0 || got != nil) {
			t.Errorf("%t: got %d writes of %v", observes, w.count, w.status)
		}
	}
}

func TestTheInstalledCRDSaysWhetherAStatusHasItsGeneration(t *testing.T) {
	schemas, err := newSchemas(nil)
	if err != nil {
		t.Fatal(err)
	}
	older := schemas.own.DeepCopy()
	for i := range older.Spec.Versions {
		delete(older.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["status"].Properties, "observedGeneration")
	}
	if !observes(schemas.own) || observes(older) || observes(nil) || observes(&crdv1.CustomResourceDefinition{}) {
		t.Error("expected the CRD of this version alone to have it")
	}
}
