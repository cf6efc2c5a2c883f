package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// serverOf applies conditions, and a watch brings each version. Somebody may
// write after each write.
type serverOf struct {
	client.SubResourceWriter
	objects objects
	mu      sync.Mutex
	version int
	writes  atomic.Int32
	fights  atomic.Bool // somebody else writes after each write
}

// puts makes a status be there, and the watch brings it.
func (s *serverOf) puts(message string) (version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	p := policy("orders", "1", 1, metav1.Condition{Type: "Accepted", Status: "True", Reason: "Accepted", Message: message, ObservedGeneration: 1, LastTransitionTime: noon})
	p.ResourceVersion = fmt.Sprint(s.version)
	if err := s.objects.Update(asSent(p)); err != nil {
		panic(err)
	}
	return p.ResourceVersion
}

func (s *serverOf) Apply(_ context.Context, o runtime.ApplyConfiguration, _ ...client.SubResourceApplyOption) error {
	u := o.(interface{ UnstructuredContent() map[string]any })
	s.writes.Add(1)
	conditions, _, _ := unstructured.NestedSlice(u.UnstructuredContent(), "status", "conditions")
	message, _, _ := unstructured.NestedString(conditions[0].(map[string]any), "message")
	o.(interface{ SetResourceVersion(string) }).SetResourceVersion(s.puts(message))
	if s.fights.Load() {
		go s.puts("what the other release says")
	}
	return nil
}

func TestTwoWritersThatSeeAPolicyOtherwiseComeToRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObjects()
		w := &serverOf{objects: o}
		s := statusOf(w, o)
		w.fights.Store(true)
		w.puts("")
		r := report(1)
		r[0].Conditions[0].Message = "what this one says"
		s.report(r)
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.writes.Load(); n < freeWrites || n > 25 {
			t.Errorf("expected few writes in an hour, got %d", n)
		}
		before := w.writes.Load()
		changed := report(1)
		changed[0].Conditions[0].Message = "something else"
		s.report(changed)
		synctest.Wait()
		if w.writes.Load() == before {
			t.Error("a new report is not waited with")
		}
		w.fights.Store(false) // the other one is gone
		time.Sleep(2 * longestContest)
		synctest.Wait()
		if got := o.get("shop/orders").status.Conditions[0].Message; got != "something else" {
			t.Errorf("expected the status to be ours in the end, got %q", got)
		}
		before = w.writes.Load()
		time.Sleep(time.Hour)
		if w.writes.Load() != before {
			t.Errorf("%d writes of what is there already", w.writes.Load()-before)
		}
		s.report(nil)
		cancel()
		synctest.Wait()
		s.forget(nil)
		if len(s.written)+len(s.failed) != 0 {
			t.Error("what is kept of policies that are gone stays")
		}
	})
}

func TestAnAnswerReplacesNothingThatIsNewer(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile string // the version that the watch brought while a write was under way
		answer    string
		want      string
	}{
		"nothing came meanwhile":     {"", "8", "ours"},
		"what was before it":         {"7", "8", "ours"},
		"what was before, by digits": {"9", "10", "ours"},
		"itself":                     {"8", "8", "theirs"},
		"what came after it":         {"9", "8", "theirs"},
		"no version in the answer":   {"9", "", "theirs"},
		"a version that is no count": {"abc", "8", "theirs"},
	} {
		o := newObjects()
		with := func(version, message string) *received {
			p := policy("orders", "1", 1, metav1.Condition{Type: "Accepted", Message: message})
			p.ResourceVersion = version
			return asSent(p).(*received)
		}
		o.put(t, with("6", "old"))
		old := o.get("shop/orders")
		now := *old
		now.status.Conditions, now.written = []metav1.Condition{{Type: "Accepted", Message: "ours"}}, c.answer
		if c.meanwhile != "" {
			o.put(t, with(c.meanwhile, "theirs"))
		}
		o.wrote(old, &now)
		if got := o.get("shop/orders").status.Conditions[0].Message; got != c.want {
			t.Errorf("%s: expected %s, got %s", name, c.want, got)
		}
		if c.want != "ours" {
			continue
		}
		o.put(t, with("7", "older, and late"))
		if got := o.get("shop/orders"); c.answer == "8" && got.status.Conditions[0].Message != "ours" {
			t.Errorf("%s: a status that is older than what was written came back: %+v", name, got.status)
		}
		o.put(t, with("20", "forged"))
		if got := o.get("shop/orders").status.Conditions[0].Message; got != "forged" {
			t.Errorf("%s: expected what is newer, got %s", name, got)
		}
	}
}

func TestASpecThatIsOlderThanAWrittenStatusIsTakenAllTheSame(t *testing.T) {
	o := newObjects()
	first := policy("orders", "1", 1)
	first.ResourceVersion = "6"
	o.put(t, first)
	old := o.get("shop/orders")
	now := *old
	now.written = "8"
	o.wrote(old, &now)
	told(o.changed)
	edited := policy("orders", "1", 2)
	edited.ResourceVersion = "7"
	o.put(t, edited)
	if !told(o.changed) || only(t, o).Generation != 2 {
		t.Error("expected the edit to be compiled")
	}
	other := policy("orders", "2", 1)
	other.ResourceVersion = "7"
	o.put(t, other)
	if o.get("shop/orders").written != "" {
		t.Error("a policy that was made anew has the status of the one before")
	}
}

// oddEntries are entries of other controllers, as they wrote them.
var oddEntries = []string{
	`{"ancestorRef":{"name":"x"},"controllerName":"other.example/c","conditions":[{"type":"A","status":"True","reason":"R","message":"<&>","lastTransitionTime":"2027-01-31T12:00:00.25+02:00"}]}`,
	`{"ancestorRef":{"name":"x","later":1.50},"controllerName":"other.example/d","conditions":[{"lastTransitionTime":"2024-01-01t00:00:00z"}],"more":[1e3,""]}`,
	`{"controllerName":"other.example/e"}`,
	`{"ancestorRef":5,"controllerName":["x"]}`,
	`"text"`,
	`{}`,
}

func TestEntriesOfOtherControllersStayByteForByte(t *testing.T) {
	text := `{"metadata":{"name":"orders","namespace":"shop","uid":"1","generation":1,"resourceVersion":"7"},"spec":{},
		"status":{"observedGeneration":1,"conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"m","observedGeneration":1,"lastTransitionTime":"2027-01-31T12:00:00Z"}],
		"ancestors":[` + strings.Join(oddEntries, ",") + `,{"ancestorRef":{"name":"gone"},"controllerName":"agentauth.dev/controller","conditions":[{"lastTransitionTime":"2024-01-01t00:00:00z"}]}]}}`
	o := newObjects()
	o.put(t, sentAs(t, text))
	w := &patched{}
	s := statusOf(w, o)
	r := report(1)
	r[0].Ancestors = []gatewayv1.PolicyAncestorStatus{ours("edge", metav1.Time{})}
	s.report(r)
	if err := s.writeAll(t.Context()); err != nil || w.count != 1 {
		t.Fatalf("expected one write, got %d: %v", w.count, err)
	}
	var patch struct {
		Status struct{ Ancestors []json.RawMessage }
	}
	if err := json.Unmarshal(w.last, &patch); err != nil || len(patch.Status.Ancestors) != len(oddEntries)+1 {
		t.Fatalf("got %s, %v", w.last, err)
	}
	for i, want := range oddEntries {
		got := string(patch.Status.Ancestors[i])
		if got = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(got); got != want {
			t.Errorf("expected %s, got %s", want, got)
		}
	}
	if got := string(patch.Status.Ancestors[len(oddEntries)]); !strings.Contains(got, `"name":"edge"`) {
		t.Errorf("expected our entry, got %s", got)
	}
	if err := s.writeAll(t.Context()); err != nil || w.count != 1 {
		t.Errorf("expected no write of what is there, got %d: %v", w.count, err)
	}
}

func TestAStatusOfOursThatCannotBeReadIsWrittenAnew(t *testing.T) {
	for i, status := range oddStatuses {
		o := newObjects()
		o.put(t, sentAs(t, `{"metadata":{"name":"orders","namespace":"shop","uid":"1","generation":1,"resourceVersion":"7"},"spec":{},"status":`+status+`}`))
		w := &patched{}
		s := statusOf(w, o)
		r := report(1)
		r[0].Ancestors = []gatewayv1.PolicyAncestorStatus{ours("edge", metav1.Time{})}
		s.report(r)
		for range 4 {
			if err := s.writeAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if w.count != 2 || !strings.Contains(string(w.last), `"name":"edge"`) {
			t.Errorf("%d, %s: expected conditions and ancestors to be written once, got %d and %s", i, status, w.count, w.last)
		}
	}
	r := report(1)
	r[0].Ancestors = []gatewayv1.PolicyAncestorStatus{ours("edge", metav1.Time{})}
	broken := `{"ancestorRef":{"name":"edge"},"controllerName":"agentauth.dev/controller","conditions":[{"lastTransitionTime":"2024-01-01t00:00:00z"}]}`
	out, changed, _ := mergeAncestors(readStatus([]byte(`{"ancestors":[`+broken+`]}`)).Ancestors, &engine.Report{Ancestors: r[0].Ancestors, Conditions: r[0].Conditions}, noon)
	if got := typed(t, out); !changed || len(got) != 1 || !got[0].Conditions[0].LastTransitionTime.Equal(&noon) {
		t.Errorf("got %+v", got)
	}
}

func TestAnAnswerWithAnOddStatusIsAnAnswer(t *testing.T) {
	for _, status := range oddStatuses {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"apiVersion":"agentauth.dev/v1alpha1","kind":"AgentAuthPolicy","metadata":{"name":"orders","namespace":"shop","resourceVersion":"12"},"status":%s}`, status)
		}))
		c, err := New(Config{REST: &rest.Config{Host: server.URL}, LeaseNamespace: "default", Identity: "one", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		i := &item{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: "1", ResourceVersion: "7"}}
		if version, err := c.status.writeConditions(t.Context(), i, v1alpha1.PolicyStatus{Conditions: report(1)[0].Conditions}); err != nil || version != "12" {
			t.Errorf("conditions, %s: got %q, %v", status, version, err)
		}
		if version, err := c.status.writeAncestors(t.Context(), i, entries(ours("edge", noon))); err != nil || version != "12" {
			t.Errorf("ancestors, %s: got %q, %v", status, version, err)
		}
		server.Close()
	}
}
