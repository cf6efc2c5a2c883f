package controller

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

func policy(name string, uid types.UID, generation int64, conditions ...metav1.Condition) *v1alpha1.AgentAuthPolicy {
	return &v1alpha1.AgentAuthPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: uid, Generation: generation},
		Status:     v1alpha1.PolicyStatus{Conditions: conditions},
	}
}

func keySecret(value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "robot", Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseAPIKey},
			Annotations:   map[string]string{corev1.LastAppliedConfigAnnotation: value, v1alpha1.AnnotationScopes: "read"},
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

func only(t *testing.T, s *store) *v1alpha1.AgentAuthPolicy {
	t.Helper()
	in := s.input()
	if len(in.Policies) != 1 {
		t.Fatalf("expected one policy, got %v", in.Policies)
	}
	return in.Policies[0]
}

func TestTheCacheKeepsDigestsOfKeysAndNothingThatKubectlRemembers(t *testing.T) {
	const key = "the-key-of-the-robot-itself"
	s := keySecret(key)
	annotations := s.Annotations
	got, err := slim(s)
	if err != nil {
		t.Fatal(err)
	}
	kept := got.(*corev1.Secret)
	if !strings.HasPrefix(string(kept.Data["first"]), "sha256:") {
		t.Errorf("expected a digest, got %q", kept.Data["first"])
	}
	if kept.ManagedFields != nil || !reflect.DeepEqual(kept.Annotations, map[string]string{v1alpha1.AnnotationScopes: "read"}) {
		t.Errorf("got %v and %v", kept.ManagedFields, kept.Annotations)
	}
	if len(annotations) != 2 {
		t.Error("a map that somebody else may read was changed")
	}
	first := string(kept.Data["first"])
	if again, _ := slim(kept); string(again.(*corev1.Secret).Data["first"]) != first {
		t.Error("expected a digest to stay when it comes again")
	}
}

func TestTheCacheKeepsOtherSecretsAsTheyAre(t *testing.T) {
	s := keySecret("0123456789abcdef")
	s.Labels[v1alpha1.LabelUse] = v1alpha1.UseHMAC
	got, _ := slim(s)
	if v := got.(*corev1.Secret).Data["first"]; string(v) != "0123456789abcdef" {
		t.Errorf("got %q", v)
	}
	tombstone := toolscache.DeletedFinalStateUnknown{Key: "shop/robot", Obj: s}
	if got, err := slim(tombstone); err != nil || !reflect.DeepEqual(got, tombstone) {
		t.Errorf("a tombstone: got %v, %v", got, err)
	}
}

func TestAWrittenStatusCompilesNothing(t *testing.T) {
	s := newStore()
	first := policy("orders", "1", 1)
	s.OnAdd(first, true)
	if !told(s.changed) || !told(s.statusChanged) {
		t.Error("a new policy: expected both signals")
	}
	s.OnUpdate(first, policy("orders", "1", 1, metav1.Condition{Type: "Accepted"}))
	if told(s.changed) || !told(s.statusChanged) {
		t.Error("a status: expected the second signal only")
	}
	if only(t, s) != first {
		t.Error("expected the same object, by which Compile sees that nothing changed")
	}
	if _, got := s.policy(types.NamespacedName{Namespace: "shop", Name: "orders"}); len(got.conditions) != 1 {
		t.Errorf("expected the conditions, got %v", got)
	}
}

func TestAPolicyThatWasMadeAnewOrEditedIsTaken(t *testing.T) {
	for name, next := range map[string]*v1alpha1.AgentAuthPolicy{
		"edited": policy("orders", "1", 2), "made anew": policy("orders", "2", 1),
	} {
		s := newStore()
		s.OnAdd(policy("orders", "1", 1), true)
		told(s.changed)
		s.OnUpdate(nil, next)
		if !told(s.changed) || only(t, s) != next {
			t.Errorf("%s: expected it to be taken", name)
		}
	}
}

func TestASecretThatSaysTheSameChangesNothing(t *testing.T) {
	s := newStore()
	s.OnAdd(keySecret("a"), true)
	told(s.changed)
	before := s.input().Secrets[0]
	s.OnUpdate(nil, keySecret("a"))
	if told(s.changed) || s.input().Secrets[0] != before {
		t.Error("expected the same object and no signal")
	}
	s.OnUpdate(nil, keySecret("b"))
	if !told(s.changed) || string(s.input().Secrets[0].Data["first"]) != "b" {
		t.Error("expected what changed")
	}
}

func TestWhatIsDeletedIsGoneAlsoWhenItsEndWasNotSeen(t *testing.T) {
	s := newStore()
	config := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "keys"},
		Data:       map[string]string{"a": "text"}, BinaryData: map[string][]byte{"b": {0xff}},
	}
	s.OnAdd(policy("orders", "1", 1), true)
	s.OnAdd(keySecret("a"), true)
	s.OnAdd(config, true)
	want := &engine.Object{Namespace: "shop", Name: "keys", Data: map[string][]byte{"a": []byte("text"), "b": {0xff}}}
	if got := s.input().ConfigMaps; len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("expected %v, got %v", want, got)
	}
	told(s.changed)
	s.OnDelete(config)
	s.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/robot", Obj: keySecret("a")})
	s.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/orders", Obj: policy("orders", "1", 1)})
	if in := s.input(); !told(s.changed) || len(in.Policies)+len(in.Secrets)+len(in.ConfigMaps) != 0 {
		t.Errorf("expected nothing, got %+v", in)
	}
}
