package controller

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

func ancestor(controller gatewayv1.GatewayController, gateway string, since metav1.Time) gatewayv1.PolicyAncestorStatus {
	return gatewayv1.PolicyAncestorStatus{
		AncestorRef:    gatewayv1.ParentReference{Name: gatewayv1.ObjectName(gateway)},
		ControllerName: controller, Conditions: []metav1.Condition{accepted("True", 1, since)},
	}
}

func ours(gateway string, since metav1.Time) gatewayv1.PolicyAncestorStatus {
	return ancestor(v1alpha1.ControllerName, gateway, since)
}

// entries are ancestors as the API server sends them.
func entries(list ...gatewayv1.PolicyAncestorStatus) (out []jsontext.Value) {
	for _, a := range list {
		out = append(out, entryOf(a))
	}
	return out
}

func typed(t *testing.T, list []jsontext.Value) []gatewayv1.PolicyAncestorStatus {
	t.Helper()
	out := make([]gatewayv1.PolicyAncestorStatus, len(list))
	for i, a := range list {
		if err := json.UnmarshalCaseSensitivePreserveInts(a, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// listed lists ancestors as controller/gateway.
func listed(list []gatewayv1.PolicyAncestorStatus) string {
	var out []string
	for _, a := range list {
		name, _, _ := strings.Cut(string(a.ControllerName), ".")
		out = append(out, name+"/"+string(a.AncestorRef.Name))
	}
	return strings.Join(out, " ")
}

func TestAncestorsOfOthersStayAsTheyAreAndOursAreReplaced(t *testing.T) {
	before := metav1.NewTime(noon.Add(-time.Hour))
	theirs := ancestor("other.example/controller", "a", before)
	current := entries(ours("gone", before), ours("kept", before), theirs)
	r := &engine.Report{Ancestors: []gatewayv1.PolicyAncestorStatus{ours("new", metav1.Time{}), ours("kept", metav1.Time{})}, Conditions: report(1)[0].Conditions}
	sent, changed, conditions := mergeAncestors(current, r, noon)
	got := typed(t, sent)
	if !changed || listed(got) != "agentauth/kept other/a agentauth/new" {
		t.Errorf("got %s", listed(got))
	}
	if !got[0].Conditions[0].LastTransitionTime.Equal(&before) || !got[2].Conditions[0].LastTransitionTime.Equal(&noon) {
		t.Errorf("expected the time of the last change, got %v", got)
	}
	if conditions[0].Message != "m" || r.Ancestors[0].AncestorRef.Name != "new" {
		t.Errorf("the report changed: %v", conditions)
	}
	again, changed, _ := mergeAncestors(sent, r, metav1.NewTime(noon.Add(time.Hour)))
	if changed || fmt.Sprint(again) != fmt.Sprint(sent) {
		t.Errorf("expected what is there already to stay, got %v", again)
	}
}

func TestAncestorsForWhichThereIsNoRoomAreTold(t *testing.T) {
	var current []gatewayv1.PolicyAncestorStatus
	for i := range 15 {
		current = append(current, ancestor("other.example/controller", fmt.Sprint("g", i), noon))
	}
	r := &engine.Report{Ancestors: []gatewayv1.PolicyAncestorStatus{ours("a", noon), ours("b", noon)}, Conditions: report(1)[0].Conditions}
	sent, _, conditions := mergeAncestors(entries(current...), r, noon)
	got := typed(t, sent)
	if len(got) != 16 || !strings.HasSuffix(listed(got), "agentauth/a") {
		t.Errorf("expected 16, got %s", listed(got))
	}
	if !strings.Contains(conditions[0].Message, "room for 1") || strings.Contains(r.Conditions[0].Message, "room") {
		t.Errorf("expected the conditions to say so, got %q", conditions[0].Message)
	}
}

// patched keeps the last patch.
type patched struct {
	written
	last []byte
}

func (p *patched) Patch(_ context.Context, o client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	p.count++
	var err error
	p.last, err = patch.Data(o)
	o.SetResourceVersion("8")
	return err
}

func TestAncestorsAreWrittenWholeAfterTheConditionsAndOnlyIfNobodyWroteMeanwhile(t *testing.T) {
	w := &patched{}
	o := newObjects()
	s := statusOf(w, o)
	r := report(1)
	r[0].Ancestors = []gatewayv1.PolicyAncestorStatus{ours("edge", metav1.Time{})}
	s.report(r)
	p := policy("orders", "1", 1, accepted("True", 1, noon))
	p.ResourceVersion = "7"
	o.put(t, p)
	if err := s.writeAll(t.Context()); err != nil || w.count != 1 {
		t.Fatalf("expected one write, got %d: %v", w.count, err)
	}
	for _, want := range []string{`"resourceVersion":"7"`, `"uid":"1"`, `"controllerName":"agentauth.dev/controller"`, `"name":"edge"`} {
		if !strings.Contains(string(w.last), want) {
			t.Errorf("expected %s in %s", want, w.last)
		}
	}
	if err := s.writeAll(t.Context()); err != nil || w.count != 1 {
		t.Errorf("expected no write before the watch tells of it, got %d: %v", w.count, err)
	}
	p = policy("orders", "1", 1, accepted("True", 1, noon))
	p.Status.Ancestors, p.ResourceVersion = []gatewayv1.PolicyAncestorStatus{ours("edge", noon)}, "8"
	o.put(t, p)
	if err := s.writeAll(t.Context()); err != nil || w.count != 1 {
		t.Errorf("expected no write where nothing changed, got %d: %v", w.count, err)
	}
}
