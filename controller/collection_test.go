package controller

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

func policy(name string, uid types.UID, generation int64, conditions ...metav1.Condition) *v1alpha1.AgentAuthPolicy {
	return &v1alpha1.AgentAuthPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: uid, Generation: generation},
		Status:     v1alpha1.PolicyStatus{ObservedGeneration: generation, Conditions: conditions},
	}
}

func keySecret(value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "robot", Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseAPIKey},
			Annotations:   map[string]string{corev1.LastAppliedConfigAnnotation: value, v1alpha1.AnnotationScopes: "read", v1alpha1.AnnotationPlainKeys: "first"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
		Data: map[string][]byte{"first": []byte(value)},
	}
}

// told says whether something was signalled, and takes the signal.
func told(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// objects are a collection, into which a test puts what the API server has.
type objects struct{ *collection }

func newObjects() objects {
	return objects{newCollection(&v1alpha1.AgentAuthPolicy{}, nil, make(chan struct{}, 1), make(chan struct{}, 1))}
}

func (o objects) put(t testing.TB, object any) {
	t.Helper()
	if err := o.Update(asSent(object)); err != nil {
		t.Fatal(err)
	}
}

// asSent is an object as the API server sends it.
func asSent(object any) any {
	switch object.(type) {
	case *corev1.Secret, *corev1.ConfigMap, *corev1.Namespace, *received:
		return object
	}
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	r := &received{}
	if err := r.UnmarshalJSON(data); err != nil {
		panic(err)
	}
	return r
}

func (o objects) input() engine.Input { return inputOf(o) }

func inputOf(all ...objects) engine.Input {
	k := &kinds{followed: map[string]*followed{}}
	for n, o := range all {
		k.followed[string(rune('a'+n))] = &followed{collections: []*collection{o.collection}}
	}
	return k.input()
}

func (o objects) policy(name types.NamespacedName) *item { return o.get(name.String()) }

func (o objects) wrote(over, now *item) { o.swap(over, now) }

func only(t *testing.T, o objects) *v1alpha1.AgentAuthPolicy {
	t.Helper()
	in := o.input()
	if len(in.Policies) != 1 {
		t.Fatalf("expected one policy, got %v", in.Policies)
	}
	return in.Policies[0]
}

func TestAnItemHasDigestsOfKeysAndNothingThatKubectlRemembers(t *testing.T) {
	const key = "the-key-of-the-robot-itself"
	s := keySecret(key)
	annotations := s.Annotations
	got, err := newItem(&corev1.Secret{}, s)
	if err != nil {
		t.Fatal(err)
	}
	kept := got.(*item).value.(*engine.Object)
	if !strings.HasPrefix(string(kept.Data["first"]), "sha256:") {
		t.Errorf("expected a digest, got %q", kept.Data["first"])
	}
	if strings.HasPrefix(string(s.Data["first"]), key) {
		t.Error("the object, which others may hold for a while, has the key still")
	}
	if got.(*item).ManagedFields != nil || !reflect.DeepEqual(kept.Annotations, map[string]string{v1alpha1.AnnotationScopes: "read", v1alpha1.AnnotationPlainKeys: "first"}) {
		t.Errorf("got %+v", got)
	}
	if len(annotations) != 3 {
		t.Error("a map that somebody else may read was changed")
	}
	if again, err := newItem(&corev1.Secret{}, got); err != nil || again != got {
		t.Errorf("expected an item to stay when it comes again, got %v, %v", again, err)
	}
}

func TestAnItemHasOtherSecretsAsTheyAre(t *testing.T) {
	s := keySecret("0123456789abcdef")
	s.Labels[v1alpha1.LabelUse] = v1alpha1.UseHMAC
	got, err := newItem(&corev1.Secret{}, s)
	if err != nil {
		t.Fatal(err)
	}
	if v := got.(*item).value.(*engine.Object).Data["first"]; string(v) != "0123456789abcdef" {
		t.Errorf("got %q", v)
	}
	if got, err := newItem(&corev1.Secret{}, "no object"); err == nil {
		t.Errorf("expected an error, got %v", got)
	}
}

func TestAWrittenStatusCompilesNothing(t *testing.T) {
	s := newObjects()
	s.put(t, policy("orders", "1", 1))
	first := only(t, s)
	if !told(s.changed) || !told(s.updated) {
		t.Error("a new policy: expected both signals")
	}
	s.put(t, policy("orders", "1", 1, metav1.Condition{Type: "Accepted"}))
	if told(s.changed) || !told(s.updated) {
		t.Error("a status: expected the second signal only")
	}
	if only(t, s) != first {
		t.Error("expected the same object, by which Compile sees that nothing changed")
	}
	if got := s.get("shop/orders"); len(got.status.Conditions) != 1 {
		t.Errorf("expected the conditions, got %v", got)
	}
}

func TestAStatusThatWasWrittenIsNotStoredOverWhatTheWatchDeliveredMeanwhile(t *testing.T) {
	s := newObjects()
	s.put(t, policy("orders", "1", 1))
	old := s.get("shop/orders")
	now := *old
	now.status.Conditions = []metav1.Condition{{Type: "Accepted"}}
	s.swap(old, &now)
	if got := s.get("shop/orders"); got != &now {
		t.Errorf("expected what was written, got %+v", got)
	}
	s.put(t, policy("orders", "1", 2))
	s.swap(&now, old)
	if got := s.get("shop/orders"); got.Generation != 2 {
		t.Errorf("expected what the watch delivered, got %+v", got)
	}
	if err := s.Delete(policy("orders", "1", 2)); err != nil {
		t.Fatal(err)
	}
	if s.swap(old, &now); s.get("shop/orders") != nil {
		t.Error("a policy that is gone came back")
	}
}

func TestAPolicyThatWasMadeAnewOrEditedIsTaken(t *testing.T) {
	for name, next := range map[string]*v1alpha1.AgentAuthPolicy{
		"edited": policy("orders", "1", 2), "made anew": policy("orders", "2", 1),
	} {
		s := newObjects()
		s.put(t, policy("orders", "1", 1))
		told(s.changed)
		s.put(t, next)
		if got := only(t, s); !told(s.changed) || got.UID != next.UID || got.Generation != next.Generation {
			t.Errorf("%s: expected it to be taken", name)
		}
	}
}

// A CRD that is replaced changes what the API server serves, and no generation.
func TestASpecThatChangesInOneGenerationIsCompiled(t *testing.T) {
	weaker, whole := policy("p", "1", 1), policy("p", "1", 1)
	whole.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "never", Require: "false"}}}
	for name, put := range map[string]func(objects, *v1alpha1.AgentAuthPolicy) error{
		"watched":    func(s objects, p *v1alpha1.AgentAuthPolicy) error { return s.Update(asSent(p)) },
		"listed":     func(s objects, p *v1alpha1.AgentAuthPolicy) error { return s.Replace([]any{asSent(p)}, "") },
		"read again": func(s objects, p *v1alpha1.AgentAuthPolicy) error { return s.rereads(p) },
	} {
		s := newObjects()
		if err := s.Replace([]any{asSent(weaker)}, ""); err != nil {
			t.Fatal(err)
		}
		told(s.changed)
		for i, step := range []struct {
			policy *v1alpha1.AgentAuthPolicy
			want   bool
		}{{weaker.DeepCopy(), false}, {whole, true}, {whole.DeepCopy(), false}, {weaker.DeepCopy(), true}} {
			if err := put(s, step.policy); err != nil || told(s.changed) != step.want {
				t.Errorf("%s, step %d: expected a signal: %t, error %v", name, i, step.want, err)
			}
		}
	}
}

// rereads reads again, and the API server has these.
func (o objects) rereads(policies ...*v1alpha1.AgentAuthPolicy) error {
	o.from = &toolscache.ListWatch{ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
		list := &receivedList{}
		for _, p := range policies {
			list.Items = append(list.Items, *asSent(p).(*received))
		}
		return list, nil
	}}
	return o.reread(context.Background())
}

func TestWhatIsReadAgainAndIsNotTheStateThatTheWatchToldIsLeft(t *testing.T) {
	s := newObjects()
	now, other, gone := policy("p", "1", 2), policy("p", "1", 1), policy("gone", "2", 1)
	now.ResourceVersion, other.ResourceVersion, gone.ResourceVersion = "20", "10", "5"
	s.put(t, now)
	told(s.changed)
	before := only(t, s)
	if err := s.rereads(other, gone); err != nil {
		t.Fatal(err)
	}
	if in := s.input(); told(s.changed) || len(in.Policies) != 1 || in.Policies[0] != before {
		t.Errorf("got %+v", in.Policies)
	}
}

func TestASecretThatSaysTheSameChangesNothing(t *testing.T) {
	s := newObjects()
	s.put(t, keySecret("the-first-key-of-the-robot"))
	told(s.changed)
	before := s.input().Secrets[0]
	s.put(t, keySecret("the-first-key-of-the-robot"))
	if told(s.changed) || s.input().Secrets[0] != before {
		t.Error("expected the same object and no signal")
	}
	if err := s.Replace([]any{keySecret("the-first-key-of-the-robot")}, ""); err != nil || s.input().Secrets[0] != before {
		t.Error("expected the same object when all is read again")
	}
	s.put(t, keySecret("the-second-key-of-the-robot"))
	if !told(s.changed) || string(s.input().Secrets[0].Data["first"]) == string(before.Data["first"]) {
		t.Error("expected what changed")
	}
}

func TestWhatIsDeletedIsGoneAlsoWhenItsEndWasNotSeen(t *testing.T) {
	config := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "keys"},
		Data:       map[string]string{"a": "text"}, BinaryData: map[string][]byte{"b": {0xff}},
	}
	s := newObjects()
	s.put(t, policy("orders", "1", 1))
	s.put(t, keySecret("the-first-key-of-the-robot"))
	s.put(t, config)
	want := &engine.Object{Namespace: "shop", Name: "keys", Data: map[string][]byte{"a": []byte("text"), "b": {0xff}}}
	if got := s.input().ConfigMaps; len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("expected %v, got %v", want, got)
	}
	told(s.changed)
	if err := s.Delete(config); err != nil || !told(s.changed) {
		t.Errorf("expected a signal, error %v", err)
	}
	if in := s.input(); len(in.ConfigMaps) != 0 || len(in.Policies)+len(in.Secrets) != 2 {
		t.Errorf("expected the ConfigMap to be gone, got %+v", in)
	}
	if err := s.Replace(nil, ""); err != nil || !told(s.changed) {
		t.Errorf("expected a signal, error %v", err)
	}
	if in := s.input(); len(in.Policies)+len(in.Secrets)+len(in.ConfigMaps) != 0 {
		t.Errorf("expected nothing, got %+v", in)
	}
}

// apiServer lists and watches Secrets, or streams one kind with initial events.
// It is away while err is set.
type apiServer struct {
	streams bool
	kind    client.Object // that is streamed; nil is a Secret
	objects []runtime.Object
	silent  bool // a watch brings nothing, not even that it has brought everything

	mu      sync.Mutex
	err     error
	watches []*watch.RaceFreeFakeWatcher
	begun   []time.Time // watches
	listed  []time.Time
}

// fails makes what follows fail, or succeed.
func (a *apiServer) fails(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *apiServer) listWatch() *toolscache.ListWatch {
	return &toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.listed = append(a.listed, time.Now())
			list := &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
			for _, o := range a.objects {
				list.Items = append(list.Items, *o.(*corev1.Secret).DeepCopy())
			}
			return list, a.err
		},
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.begun = append(a.begun, time.Now())
			if a.err != nil {
				return nil, a.err
			}
			if o.SendInitialEvents != nil && !a.streams {
				return nil, errors.New("sendInitialEvents is forbidden")
			}
			w := watch.NewRaceFreeFake()
			a.watches = append(a.watches, w)
			if o.SendInitialEvents != nil && !a.silent {
				a.bring(w)
			}
			return w, nil
		},
	}
}

func (a *apiServer) bring(w *watch.RaceFreeFakeWatcher) {
	for _, o := range a.objects {
		w.Add(o.DeepCopyObject())
	}
	if a.kind == nil {
		a.kind = &corev1.Secret{}
	}
	end := reflect.New(reflect.TypeOf(a.kind).Elem()).Interface().(client.Object)
	end.SetResourceVersion("1")
	end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	w.Action(watch.Bookmark, end)
}

func (a *apiServer) last() *watch.RaceFreeFakeWatcher {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.watches[len(a.watches)-1]
}

// What reflectors say is not logged: errors are paced by a clock outside of bubbles.
func init() {
	utilruntime.ErrorHandlers = nil //nolint:reassign // the documented way to replace them
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
}

// following follows Secrets of an API server in a bubble.
func following(t *testing.T, a *apiServer, f func(*collection)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCollection(&corev1.Secret{}, a.listWatch(), make(chan struct{}, 1), nil)
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		synctest.Wait()
		f(c)
		cancel()
		time.Sleep(2 * time.Minute) // what a reflector waits for
	})
}

func TestTheAgeIsTheTimeSinceTheWatchWasLost(t *testing.T) {
	for name, streams := range map[string]bool{"listed": false, "streamed": true} {
		a := &apiServer{err: errors.New("connection refused"), streams: streams, objects: []runtime.Object{keySecret("the-first-key-of-the-robot")}}
		following(t, a, func(c *collection) {
			age := func(want time.Duration) {
				t.Helper()
				synctest.Wait()
				if got := c.age(); got != want {
					t.Errorf("%s: expected age %s, got %s", name, want, got)
				}
			}
			time.Sleep(time.Second)
			age(time.Second) // nothing was watched since the start
			if c.hasSynced() {
				t.Errorf("%s: nothing was read yet", name)
			}
			a.fails(nil)
			time.Sleep(2 * time.Minute)
			age(0)
			if !c.hasSynced() || c.get("shop/robot") == nil {
				t.Errorf("%s: expected everything to be read", name)
			}
			time.Sleep(time.Hour) // in which nothing happens
			age(0)
			a.fails(errors.New("connection refused"))
			a.last().Stop()
			age(0)
			time.Sleep(3 * time.Second)
			age(3 * time.Second)
			if c.get("shop/robot") == nil {
				t.Errorf("%s: expected what was read to stay", name)
			}
			a.fails(nil)
			time.Sleep(2 * time.Minute)
			age(0)
		})
	}
}

func TestAWatchThatHasYetToBringWhatThereIsIsNotWatched(t *testing.T) {
	a := &apiServer{streams: true, silent: true}
	following(t, a, func(c *collection) {
		time.Sleep(time.Minute)
		if c.age() != time.Minute || c.hasSynced() {
			t.Errorf("expected it not to be watched yet, got age %s", c.age())
		}
		a.bring(a.last())
		synctest.Wait()
		if c.age() != 0 || !c.hasSynced() {
			t.Errorf("expected it to be watched, got age %s", c.age())
		}
		a.last().Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
		time.Sleep(20 * time.Second)
		if c.age() != 20*time.Second {
			t.Errorf("expected it not to be watched while all is read again, got age %s", c.age())
		}
	})
}

func TestWatchesThatAreCutAgainAndAgainArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &apiServer{}
		c := newCollection(&corev1.Secret{}, a.listWatch(), nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for len(a.begun) < 1000 {
			w, err := c.beginWatch(ctx, metav1.ListOptions{})
			if err != nil {
				break // too late for another one
			}
			w.Stop()
		}
		if n := len(a.begun); n < watchBurst+29 || n > watchBurst+30 {
			t.Errorf("expected %d and one every two seconds, got %d in a minute", watchBurst, n)
		}
		start := time.Now()
		if _, err := newCollection(&corev1.Secret{}, a.listWatch(), nil, nil).beginWatch(t.Context(), metav1.ListOptions{}); err != nil || time.Since(start) != 0 {
			t.Errorf("expected another watch not to wait, got %s, %v", time.Since(start), err)
		}
	})
}

// Whoever is woken by a change reads at once, and is not woken again.
func TestAChangeIsStoredBeforeItIsSignalled(t *testing.T) {
	o := newObjects()
	there := -1
	o.arrives = func() { there = len(o.items.ListKeys()) }
	for _, step := range []struct {
		name string
		do   func() error
		want int
	}{
		{"added", func() error { return o.Add(asSent(policy("a", "1", 1))) }, 1},
		{"deleted", func() error { return o.Delete(policy("a", "1", 1)) }, 0},
		{"listed", func() error { return o.Replace([]any{asSent(policy("a", "1", 1)), asSent(policy("b", "2", 1))}, "") }, 2},
		{"gone from the list", func() error { return o.Replace([]any{asSent(policy("b", "2", 1))}, "") }, 1},
	} {
		if err := step.do(); err != nil || there != step.want {
			t.Errorf("%s: expected %d when it is signalled, got %d, %v", step.name, step.want, there, err)
		}
	}
}

func TestAnAPIServerThatIsBackIsFoundWithinHalfAMinuteHoweverLongItWasAway(t *testing.T) {
	next := againAfter().DelayFunc()
	for n := range 1000 {
		if delay := next(); delay < 500*time.Millisecond || 2*delay+settled > 30*time.Second {
			t.Fatalf("attempt %d: expected to wait for half a second at least, and twice within half a minute, got %s", n, delay)
		}
	}
}
