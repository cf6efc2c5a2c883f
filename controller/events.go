package controller

import (
	"context"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// teller records the Events of policies: that a policy comes in force or goes out of
// it, and that the reason changes. Conditions are the truth; Events are when and how
// often it changed, for people. So Events are bounded, and the Events beyond a
// bound are left out.
type teller struct {
	recorder events.EventRecorder // nil: nothing is recorded
	all      flowcontrol.RateLimiter
	of       map[types.NamespacedName]*lastEvent
}

// How many Events are recorded: of one policy policyBurst, and then
// policyPerSecond; of all policies allBurst, and then allPerSecond.
const (
	policyBurst, policyPerSecond = 8, 1.0 / 60
	allBurst, allPerSecond       = 50, 5
)

// lastEvent is what was told of a policy.
type lastEvent struct {
	uid types.UID
	// status and reason are those of Ready as they were last written here: what
	// anybody else wrote since is no change of what is in force.
	status metav1.ConditionStatus
	reason string
	limit  flowcontrol.RateLimiter
	// versions are, for each note about a generation, the resourceVersion that it was
	// recorded with. The recorder counts an Event that happens again, with the first
	// note: so an Event with another note needs another version.
	versions   map[string]string
	generation int64
}

func newTeller() *teller {
	return &teller{all: flowcontrol.NewTokenBucketRateLimiter(allPerSecond, allBurst), of: map[types.NamespacedName]*lastEvent{}}
}

// begin records Events until ctx ends.
func (t *teller) begin(ctx context.Context, sink events.EventSink) (end func(), err error) {
	broadcaster := events.NewBroadcaster(sink)
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		broadcaster.Shutdown()
		return nil, err
	}
	clear(t.of) // another replica may have written meanwhile
	t.recorder = broadcaster.NewRecorder(runtime.NewScheme(), v1alpha1.ControllerName)
	return func() {
		t.recorder = nil
		broadcaster.Shutdown()
	}, nil
}

// newSink writes Events.
func newSink(rc *rest.Config, connections *http.Client) (events.EventSink, error) {
	c, err := eventsv1.NewForConfigAndClient(rc, connections)
	if err != nil {
		return nil, err
	}
	return &events.EventSinkImpl{Interface: c}, nil
}

// maxNote is below the limit of the API server, 1024 bytes.
const maxNote = 1000

// tell records that the conditions of a policy changed, if Ready did. before are
// those that it had, whoever wrote them.
func (t *teller) tell(policy *item, before, now []metav1.Condition) {
	name, was, is := nameOf(policy), readyOf(before), readyOf(now)
	one := t.of[name]
	if one == nil || one.uid != policy.UID {
		one = &lastEvent{uid: policy.UID, status: was.Status, reason: was.Reason}
		t.of[name] = one
	}
	changed := one.status != is.Status || one.reason != is.Reason
	one.status, one.reason = is.Status, is.Reason
	if !changed || t.recorder == nil || !one.mayBe() || !t.all.TryAccept() {
		return
	}
	kind, note := corev1.EventTypeWarning, authz.Cut(is.Message, maxNote)
	if is.Status == metav1.ConditionTrue {
		kind = corev1.EventTypeNormal
	}
	t.recorder.Eventf(&corev1.ObjectReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind,
		Namespace: name.Namespace, Name: name.Name, UID: policy.UID, ResourceVersion: one.version(policy, note),
	}, nil, kind, is.Reason, "Compile", "%s", note)
}

// mayBe says whether the policy may have another Event now.
func (o *lastEvent) mayBe() bool {
	if o.limit == nil {
		o.limit = flowcontrol.NewTokenBucketRateLimiter(policyPerSecond, policyBurst)
	}
	return o.limit.TryAccept()
}

// version is the resourceVersion to record a note with.
func (o *lastEvent) version(policy *item, note string) string {
	if o.generation != policy.Generation || len(o.versions) >= policyBurst {
		o.versions = nil
	}
	if o.versions == nil {
		o.versions, o.generation = map[string]string{}, policy.Generation
	}
	if o.versions[note] == "" {
		o.versions[note] = policy.ResourceVersion
	}
	return o.versions[note]
}

// readyOf is the condition Ready. Where there is none, as an older version wrote
// them, it is the first condition of ours that is not True, or True.
func readyOf(conditions []metav1.Condition) metav1.Condition {
	ours := map[string]metav1.Condition{}
	for _, c := range conditions {
		ours[c.Type] = c
	}
	if ready, ok := ours[v1alpha1.ConditionReady]; ok {
		return ready
	}
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionProgrammed} {
		c, ok := ours[kind]
		if !ok || c.Status != metav1.ConditionTrue {
			return c
		}
	}
	return metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady}
}
