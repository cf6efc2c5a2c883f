package webhook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// asked is a handler and what it was told of its answers.
type asked struct {
	http.Handler
	mu      sync.Mutex
	results []string
}

func (a *asked) told() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.results)
}

func newAsked(options engine.Options) *asked { return askedOf(Judge{Options: options}) }

func askedOf(judge Judge) *asked {
	a := &asked{}
	a.Handler = newHandler(&Config{
		Judge: judge, Log: slog.New(slog.DiscardHandler),
		Reviewed: func(result string) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.results = append(a.results, result)
		},
	})
	return a
}

func (a *asked) post(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

const uid = "705ab4f5-6393-11e8-b7cc-42010a800002"

// reviewOf is what an API server sends.
func reviewOf(t testing.TB, change func(*admissionv1.AdmissionRequest), policy, old string) string {
	t.Helper()
	r := &admissionv1.AdmissionRequest{
		UID: uid, Operation: admissionv1.Create, Namespace: "shop", Resource: resource,
		Object: raw(t, policy), OldObject: raw(t, old),
	}
	if old != "" {
		r.Operation = admissionv1.Update
	}
	if change != nil {
		change(r)
	}
	review := admissionv1.AdmissionReview{Request: r}
	review.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	data, err := json.Marshal(review)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func raw(t testing.TB, text string) runtime.RawExtension {
	t.Helper()
	if text == "" {
		return runtime.RawExtension{}
	}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: data}
}

// answer is the response to a review, which has to be one.
func (a *asked) answer(t testing.TB, body string) *admissionv1.AdmissionResponse {
	t.Helper()
	w := a.post(body)
	if w.Code != http.StatusOK {
		t.Fatalf("expected an answer, got %d %s", w.Code, w.Body)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || review.Response == nil || review.Response.UID != uid ||
		review.Kind != "AdmissionReview" || review.APIVersion != "admission.k8s.io/v1" {
		t.Fatalf("expected an AdmissionReview with the uid of the request, got %v %s", err, w.Body)
	}
	return review.Response
}

// policy has a host, a method, and more of its spec.
func policy(method, more string) string {
	return fmt.Sprintf(`
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [orders.example.com]}]
  authentication: {methods: [%s]}
%s`, method, more)
}

const (
	public = "{name: public, anonymous: {}}"
	idp    = "{name: idp, jwt: {issuer: https://idp.example.com, audiences: [a]}}"
	staff  = "{name: staff, basic: {users: {secretRef: {name: staff}}}}"
	typo   = "  authorization: {rules: [{name: r, require: identity.sub}]}"
)

func TestARefusalSaysWhereAndWhy(t *testing.T) {
	a := newAsked(engine.Options{})
	r := a.answer(t, reviewOf(t, nil, policy(public, typo), ""))
	if r.Allowed || r.Result.Code != 422 || r.Result.Reason != metav1.StatusReasonInvalid || r.Result.Details.Name != "orders" ||
		!strings.HasPrefix(r.Result.Message, "spec.authorization.rules[0].require: ") || !strings.Contains(r.Result.Message, "undefined field 'sub'") ||
		len(r.Result.Details.Causes) != 1 || r.Result.Details.Causes[0].Field != "spec.authorization.rules[0].require" {
		t.Errorf("got %+v", r.Result)
	}
	if !slices.Equal(a.told(), []string{Refused}) {
		t.Errorf("got results %q", a.told())
	}
}

func TestWhatThisVersionDoesNotKnowIsRefused(t *testing.T) {
	for more, want := range map[string][]string{
		"  audit: true": {`spec: this version of agentauth cannot read it: unknown field "audit"; known are authentication, authorization, `},
		"  precedence: Default\n  newRestriction: {}": {`spec: this version of agentauth cannot read it: unknown field "newRestriction"; known are authentication, authorization, `},
		"  routs: []": {`spec: this version of agentauth cannot read it: unknown field "routs"; did you mean "routes"?`},
		"  routes: 1": {`spec.routes: this version of agentauth cannot read it: expected a list, came the number 1`},
		"  routes: [{hostnames: [a], countries: [NL]}]\n  precedence: {}": {
			`spec.routes[0]: this version of agentauth cannot read it: unknown field "countries"; known are hostnames, matches`,
			`spec.precedence: this version of agentauth cannot read it: expected a string, came a mapping`,
		},
	} {
		r := newAsked(engine.Options{}).answer(t, reviewOf(t, nil, strings.Replace(policy(public, ""), "  routes: [{hostnames: [orders.example.com]}]", more, 1), ""))
		if r.Allowed || len(r.Result.Details.Causes) != len(want) {
			t.Errorf("%q: got %+v", more, r.Result)
		}
		for _, w := range want {
			if !strings.Contains(r.Result.Message, w) {
				t.Errorf("%q: expected %q, got %q", more, w, r.Result.Message)
			}
		}
	}
}

func TestAPolicyThatIsInvalidAlreadyCanBeGivenUp(t *testing.T) {
	wrong, right := policy(public, typo), policy(public, "")
	for name, c := range map[string]struct {
		change      func(*admissionv1.AdmissionRequest)
		policy, old string
		allowed     bool
	}{
		"a label is added":                  {nil, strings.Replace(wrong, "{name: orders", "{labels: {a: b}, name: orders", 1), wrong, true},
		"the spec is written another way":   {nil, strings.Replace(wrong, "  routes: [{hostnames: [orders.example.com]}]\n", "", 1) + "\n  routes: [{hostnames: [orders.example.com]}]", wrong, true},
		"it is being deleted":               {nil, strings.Replace(policy(public, typo+"\n  precedence: Never"), "{name: orders", `{deletionTimestamp: "2027-01-31T00:00:00Z", name: orders`, 1), wrong, true},
		"it is deleted":                     {func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }, "", wrong, true},
		"its status is written":             {func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" }, wrong, right, true},
		"it is corrected":                   {nil, right, wrong, true},
		"another part of its spec is wrong": {nil, policy(public, typo+"\n  precedence: Never"), wrong, false},
		"one that was right becomes wrong":  {nil, wrong, right, false},
	} {
		if r := newAsked(engine.Options{}).answer(t, reviewOf(t, c.change, c.policy, c.old)); r.Allowed != c.allowed {
			t.Errorf("%s: expected allowed %t, got %+v", name, c.allowed, r.Result)
		}
	}
}

func TestGrantsOfConfigMapsAreThoseInForceWhenThePolicyIsApplied(t *testing.T) {
	grants := []*engine.Object{{Namespace: "agentauth-system", Name: "g", Data: map[string][]byte{"shop": []byte("other.example.com")}}}
	a := askedOf(Judge{HostnameGrants: func() []*engine.Object { return grants }})
	if r := a.answer(t, reviewOf(t, nil, policy(public, ""), "")); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "hostname orders.example.com") {
		t.Errorf("expected a warning of the hostname, got %q", r.Warnings)
	}
	grants = append(grants, &engine.Object{Namespace: "agentauth-system", Name: "h", Data: map[string][]byte{"shop": []byte("*.example.com")}})
	if r := a.answer(t, reviewOf(t, nil, policy(public, ""), "")); len(r.Warnings) != 0 {
		t.Errorf("granted: expected no warning, got %q", r.Warnings)
	}
}

func targets(kind, name, section string) string {
	return strings.Replace(policy(public, ""), "routes: [{hostnames: [orders.example.com]}]",
		fmt.Sprintf("targetRefs: [{group: gateway.networking.k8s.io, kind: %s, name: %s, sectionName: %q}]", kind, name, section), 1)
}

// Whoever reaches the port may ask, in the name of any namespace: nothing of what there is may be in the answer.
func TestWhatDependsOnOtherObjectsIsNeitherRefusedNorTold(t *testing.T) {
	granted := engine.Options{HostnameGrants: engine.HostnameGrants{{Namespace: "shop", Hostname: "*.shop.example.com"}}}
	for name, c := range map[string]struct {
		options engine.Options
		policy  string
		want    string // in the one warning; "" is none
	}{
		"a Secret":                    {engine.Options{}, policy(staff, ""), ""},
		"a route":                     {engine.Options{}, targets("HTTPRoute", "orders", ""), ""},
		"a rule":                      {engine.Options{}, targets("HTTPRoute", "orders", "other"), ""},
		"a listener":                  {engine.Options{}, targets("Gateway", "edge", "https"), ""},
		"a key set that is fetched":   {engine.Options{}, policy(idp, ""), ""},
		"a host that is not granted":  {granted, policy(public, ""), "hostname orders.example.com: this namespace has no grant for it; the operator grants hostnames by --hostnames"},
		"a method that never applies": {engine.Options{}, policy(public+", {name: keys, requirement: Required, apiKey: {selector: {matchLabels: {a: b}}}}", ""), "it never applies"},
	} {
		r := newAsked(c.options).answer(t, reviewOf(t, nil, c.policy, ""))
		text := strings.Join(r.Warnings, "\n")
		if !r.Allowed || (c.want == "") != (text == "") || !strings.Contains(text, c.want) || len(r.Warnings) > 1 {
			t.Errorf("%s: expected %q, got %q %+v", name, c.want, r.Warnings, r.Result)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	var hosts []string
	for i := range 16 {
		hosts = append(hosts, fmt.Sprintf("h%d.%sexample.com", i, strings.Repeat("s.", 110)))
	}
	other := engine.Options{HostnameGrants: engine.HostnameGrants{{Namespace: "other", Hostname: "*"}}}
	r := newAsked(other).answer(t, reviewOf(t, nil, strings.Replace(policy(public, ""), "[orders.example.com]", "["+strings.Join(hosts, ", ")+"]", 1), ""))
	if len(r.Warnings) != maxWarnings || !strings.HasPrefix(r.Warnings[maxWarnings-1], "and 9 more") {
		t.Errorf("got %d warnings %q", len(r.Warnings), r.Warnings)
	}
	for _, w := range r.Warnings {
		if len(w) > maxWarning {
			t.Errorf("got a warning of %d bytes", len(w))
		}
	}
	var rules []string
	for i := range 32 {
		rules = append(rules, fmt.Sprintf("{name: r%d, require: %q}", i, strings.Repeat("nothing.", 500)+"x"))
	}
	r = newAsked(engine.Options{}).answer(t, reviewOf(t, nil, policy(public, "  authorization: {rules: ["+strings.Join(rules, ", ")+"]}"), ""))
	if r.Allowed || len(r.Result.Message) > maxMessage || len(r.Result.Details.Causes) != maxProblems {
		t.Errorf("got %d bytes and %d causes", len(r.Result.Message), len(r.Result.Details.Causes))
	}
}
