package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// ready are the conditions of a policy that is ready, or not, for a reason.
func ready(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
	return []metav1.Condition{{Type: "Ready", Status: status, Reason: reason, Message: message}, {Type: "Accepted", Status: status, Reason: reason, Message: message}}
}

// recorded are the Events of a fake recorder so far.
func recorded(r *events.FakeRecorder) (out []string) {
	for {
		select {
		case e := <-r.Events:
			out = append(out, e)
		default:
			return out
		}
	}
}

func itemOf(t testing.TB, p *v1alpha1.AgentAuthPolicy) *item {
	t.Helper()
	o := newObjects()
	o.put(t, p)
	return o.get(p.Namespace + "/" + p.Name)
}

func TestAnEventTellsThatAPolicyComesInForceOrGoesOutAndThatTheReasonChanges(t *testing.T) {
	fake := events.NewFakeRecorder(1000)
	say := newTeller()
	say.recorder = fake
	p := itemOf(t, policy("orders", "1", 1))
	before := []metav1.Condition(nil)
	for i, step := range []struct {
		now  []metav1.Condition
		want string
	}{
		{ready("True", "Ready", "in force"), "Normal Ready in force"},
		{ready("True", "Ready", "in force, with a warning: x"), ""},
		{ready("False", "Invalid", "spec.x: 100% wrong"), "Warning Invalid spec.x: 100% wrong"},
		{ready("False", "Invalid", "spec.y: wrong"), ""},
		{ready("False", "RefNotFound", "Secret a/b"), "Warning RefNotFound Secret a/b"},
		{ready("True", "Ready", "in force"), "Normal Ready in force"},
	} {
		say.tell(p, before, step.now)
		if got := strings.Join(recorded(fake), "; "); got != step.want {
			t.Errorf("step %d: expected %q, got %q", i, step.want, got)
		}
		before = step.now
	}
}

func TestStatusesThatAreThereAlreadyMakeNoEvents(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason}
	}
	for name, c := range map[string]struct{ stored, now []metav1.Condition }{
		"ours":                      {ready("True", "Ready", "x"), ready("True", "Ready", "y")},
		"of a version without it":   {[]metav1.Condition{condition("Accepted", "True", "Accepted"), condition("ResolvedRefs", "True", "ResolvedRefs"), condition("Programmed", "True", "Programmed")}, ready("True", "Ready", "y")},
		"and not ready there":       {[]metav1.Condition{condition("Accepted", "True", "Accepted"), condition("ResolvedRefs", "False", "RefInvalid"), condition("Programmed", "True", "Programmed")}, ready("False", "RefInvalid", "y")},
		"invalid, in another order": {[]metav1.Condition{condition("Programmed", "False", "NotAccepted"), condition("Theirs", "False", "X"), condition("Accepted", "False", "Invalid")}, ready("False", "Invalid", "y")},
	} {
		fake := events.NewFakeRecorder(1000)
		say := newTeller()
		say.recorder = fake
		say.tell(itemOf(t, policy("orders", "1", 1)), c.stored, c.now)
		if got := recorded(fake); got != nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestWhatSomebodyElseWritesIntoAStatusMakesNoEvents(t *testing.T) {
	fake := events.NewFakeRecorder(1000)
	say := newTeller()
	say.recorder = fake
	p := itemOf(t, policy("orders", "1", 1))
	say.tell(p, nil, ready("True", "Ready", "in force"))
	for range 100 {
		say.tell(p, ready("False", "Forged", "x"), ready("True", "Ready", "in force"))
	}
	if got := recorded(fake); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	say.tell(itemOf(t, policy("orders", "2", 1)), nil, ready("True", "Ready", "in force"))
	if got := recorded(fake); len(got) != 1 {
		t.Errorf("expected a policy that was made anew to be told of, got %q", got)
	}
}

func TestAPolicyThatFlapsAndManyPoliciesHaveABoundedNumberOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := events.NewFakeRecorder(100_000)
		say := newTeller()
		say.recorder = fake
		flap := itemOf(t, policy("flap", "1", 1))
		for i := range 3600 {
			say.tell(flap, nil, ready([]metav1.ConditionStatus{"True", "False"}[i%2], "R", fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		if n := len(recorded(fake)); n < policyBurst || n > policyBurst+60 {
			t.Errorf("expected one in a minute, got %d in an hour", n)
		}
		if n := len(say.of[types.NamespacedName{Namespace: "shop", Name: "flap"}].versions); n > policyBurst {
			t.Errorf("%d notes are kept", n)
		}
		for i := range 10_000 {
			say.tell(itemOf(t, policy(fmt.Sprint("p", i), "1", 1)), nil, ready("True", "Ready", "in force"))
		}
		if n := len(recorded(fake)); n != allBurst {
			t.Errorf("expected %d of 10000 at once, got %d", allBurst, n)
		}
	})
}

// sink keeps Events as an API server does.
type sink struct {
	mu      sync.Mutex
	created []*eventsv1.Event
	patches []string
	err     error
}

func (s *sink) Create(_ context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created = append(s.created, e)
	return e, s.err
}

func (s *sink) Patch(_ context.Context, e *eventsv1.Event, patch []byte) (*eventsv1.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patches = append(s.patches, string(patch))
	return e, s.err
}

func (s *sink) Update(context.Context, *eventsv1.Event) (*eventsv1.Event, error) {
	return nil, errors.New("there is no right to update")
}

func (s *sink) soFar() (created []*eventsv1.Event, patches []string) {
	time.Sleep(time.Second)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created, s.patches
}

func TestEventsAreWrittenAfterTheStatusAndThoseThatHappenAgainAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w, to := newObjects(), &refusing{name: "orders", start: time.Now(), err: errors.New("no answer")}, &sink{}
		s := statusOf(w, o)
		c := &Cluster{config: Config{Log: s.log}, status: s, sink: to}
		p := policy("orders", "1", 1)
		p.ResourceVersion = "7"
		o.put(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		says := func(generation int64, conditions []metav1.Condition) {
			r := report(generation)
			r[0].Conditions = conditions
			s.report(r)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		go c.lead(ctx)
		says(1, ready("False", "Invalid", "spec.x: wrong"))
		if created, _ := to.soFar(); len(created) != 0 {
			t.Errorf("expected no Event of what is in no status, got %+v", created[0])
		}
		w.soFar(nil)
		time.Sleep(time.Minute)
		created, _ := to.soFar()
		if len(created) != 1 {
			t.Fatalf("expected an Event, got %v", created)
		}
		e := created[0]
		if e.Namespace != "shop" || e.Type != "Warning" || e.Reason != "Invalid" || e.Note != "spec.x: wrong" || e.Action == "" || e.ReportingController != "agentauth.dev/controller" {
			t.Errorf("got %+v", e)
		}
		if r := e.Regarding; r.Kind != "AgentAuthPolicy" || r.APIVersion != "agentauth.dev/v1alpha1" || r.Name != "orders" || r.Namespace != "shop" || r.UID != "1" {
			t.Errorf("got %+v", r)
		}
		says(1, ready("True", "Ready", "in force"))
		says(1, ready("False", "Invalid", "spec.x: wrong"))
		if created, patches := to.soFar(); len(created) != 2 || len(patches) != 1 || !strings.Contains(patches[0], `"count":2`) {
			t.Errorf("expected the same Event to be counted, got %d and %q", len(created), patches)
		}
		says(1, ready("True", "Ready", "in force"))
		p = policy("orders", "1", 2)
		p.ResourceVersion = "9"
		o.put(t, p)
		says(2, ready("False", "Invalid", "spec.x: wrong"))
		if created, patches := to.soFar(); len(created) != 3 || len(patches) != 2 {
			t.Errorf("expected another Event of another generation, got %d and %q", len(created), patches)
		}
		s.report([]engine.Report{})
		synctest.Wait()
	})
}
