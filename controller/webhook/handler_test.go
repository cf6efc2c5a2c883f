package webhook

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

func TestWhatIsNoReviewIsNoDecision(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"nothing":          {"", 400},
		"no JSON":          {"{", 400},
		"another kind":     {`{"apiVersion":"v1","kind":"Pod"}`, 400},
		"an older version": {strings.Replace(reviewOf(t, nil, policy(public, ""), ""), "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1), 400},
		"no request":       {`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, 400},
		"no uid":           {reviewOf(t, func(r *admissionv1.AdmissionRequest) { r.UID = "" }, policy(public, ""), ""), 400},
		"another resource": {reviewOf(t, func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "secrets" }, policy(public, ""), ""), 400},
		"another version":  {reviewOf(t, func(r *admissionv1.AdmissionRequest) { r.Resource.Version = "v1" }, policy(public, ""), ""), 400},
		"metadata is text": {reviewOf(t, nil, "metadata: text", ""), 400},
		"too large":        {reviewOf(t, nil, policy(public, ""), "") + strings.Repeat(" ", maxBody), 413},
	} {
		a := newAsked(engine.Options{})
		if w := a.post(c.body); w.Code != c.status || !slices.Equal(a.told(), []string{Failed}) {
			t.Errorf("%s: expected %d, got %d %s and %q", name, c.status, w.Code, w.Body, a.told())
		}
	}
}

func TestOnlyAPostOfJSONToThePathIsRead(t *testing.T) {
	body := reviewOf(t, nil, policy(public, ""), "")
	for _, c := range []struct {
		method, path, kind string
		status             int
	}{
		{"POST", Path, "application/json; charset=utf-8", 200},
		{"POST", Path, "text/plain", 415}, {"POST", Path, "", 415},
		{"GET", Path, "application/json", 405}, {"PUT", Path, "application/json", 405},
		{"POST", "/", "application/json", 404},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		if newAsked(engine.Options{}).ServeHTTP(w, r); w.Code != c.status {
			t.Errorf("%s %s %q: expected %d, got %d", c.method, c.path, c.kind, c.status, w.Code)
		}
	}
}

func TestADefectIsNoDecision(t *testing.T) {
	a := askedOf(Judge{CheckURL: func(string) error { panic("a defect") }})
	if w := a.post(reviewOf(t, nil, policy(idp, ""), "")); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "a defect\n") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if r := a.answer(t, reviewOf(t, nil, policy(public, ""), "")); !r.Allowed { // the slots were given back
		t.Errorf("got %+v", r)
	}
}

func TestOneReviewIsCompiledAtATimeAndAQueueThatIsFullIsToldSo(t *testing.T) {
	reached, free := make(chan struct{}, maxAtOnce), make(chan struct{})
	a := askedOf(Judge{CheckURL: func(string) error {
		reached <- struct{}{}
		<-free
		return nil
	}})
	body := reviewOf(t, nil, policy(idp, ""), "")
	codes := make(chan int, maxAtOnce)
	for range maxAtOnce - 1 {
		go func() { codes <- a.post(body).Code }()
	}
	for range maxAtOnce - 1 - 1 - queue { // one is compiled, and as many wait as may
		if code := <-codes; code != http.StatusTooManyRequests {
			t.Errorf("expected 429, got %d", code)
		}
	}
	<-reached
	if n := len(reached); n != 0 {
		t.Errorf("expected one to be compiled, got %d more", n)
	}
	other := strings.Replace(body, `"namespace":"shop"`, `"namespace":"bank"`, 1)
	go func() { codes <- a.post(other).Code }() // another namespace has a queue of its own
	close(free)
	for range 1 + queue + 1 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("expected 200, got %d", code)
		}
	}
}

// Nothing panics, and whatever comes is answered with the request's uid or is
// the caller's fault.
func FuzzReview(f *testing.F) {
	for _, p := range []string{policy(public, ""), policy(staff, typo), targets("HTTPRoute", "orders", "x"), "metadata: {}", "spec: {routes: {}}", "spec: null"} {
		f.Add([]byte(reviewOf(f, nil, p, "")))
		f.Add([]byte(reviewOf(f, nil, p, policy(public, ""))))
	}
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := newAsked(engine.Options{}).post(string(body))
		if w.Code >= 400 && w.Code < 500 {
			return
		}
		var asked, answered admissionv1.AdmissionReview
		if err := json.UnmarshalCaseSensitivePreserveInts(body, &asked); err != nil {
			t.Fatal(err)
		}
		if err := json.UnmarshalCaseSensitivePreserveInts(w.Body.Bytes(), &answered); err != nil || w.Code != http.StatusOK ||
			answered.Response == nil || answered.Response.UID != asked.Request.UID {
			t.Fatalf("expected an answer with uid %q, got %d %s, %v", asked.Request.UID, w.Code, w.Body, err)
		}
	})
}
