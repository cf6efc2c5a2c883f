package reviewer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/agentauth-dev/agentauth/authz/reviews"
)

func reviewerOf(t *testing.T, handler http.HandlerFunc) *Reviewer {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r, err := New(&rest.Config{Host: server.URL}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// answering answers a request whose body holds all of wants.
func answering(t *testing.T, path string, status int, answer string, wants ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, want := range wants {
			if !strings.Contains(string(body), want) {
				t.Errorf("expected %s in %s", want, body)
			}
		}
		if r.URL.Path != path {
			t.Errorf("expected %s, got %s", path, r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}
}

const (
	tokens = "/apis/authentication.k8s.io/v1/tokenreviews"
	access = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
)

func TestATokenIsReviewed(t *testing.T) {
	r := reviewerOf(t, answering(t, tokens, 201, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"audiences":["orders"],
		"user":{"username":"u","uid":"1","groups":["g"],"extra":{"x":["y"]}}}}`, `"token":"a.b.c"`, `"audiences":["orders","billing"]`))
	got, err := r.ReviewToken(t.Context(), "a.b.c", []string{"orders", "billing"})
	want := reviews.Token{Authenticated: true, Username: "u", UID: "1", Groups: []string{"g"}, Audiences: []string{"orders"}, Extra: map[string][]string{"x": {"y"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("expected %+v, got %+v, %v", want, got, err)
	}
}

func TestAnAccessIsReviewed(t *testing.T) {
	q := reviews.Question{Username: "u", UID: "1", Groups: []string{"g"}, Extra: map[string][]string{"x": {"y"}},
		Resource: reviews.Resource{Verb: "get", Group: "a.example.com", Resource: "orders", Subresource: "status", Namespace: "shop", Name: "n"}}
	for answer, want := range map[string]bool{
		`{"allowed":true}`:                             true,
		`{"allowed":true,"denied":true}`:               false,
		`{"allowed":false}`:                            false,
		`{"allowed":false,"evaluationError":"unsure"}`: false,
		`{}`: false,
	} {
		r := reviewerOf(t, answering(t, access, 201, `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":`+answer+`}`,
			`"user":"u"`, `"uid":"1"`, `"groups":["g"]`, `"x":["y"]`, `"verb":"get"`, `"group":"a.example.com"`, `"resource":"orders"`, `"subresource":"status"`, `"namespace":"shop"`, `"name":"n"`))
		if got, err := r.ReviewAccess(t.Context(), q); err != nil || got != want {
			t.Errorf("%s: expected %v, got %v, %v", answer, want, got, err)
		}
	}
}

func TestWhatIsNoReviewIsAnErrorThatRepeatsNothing(t *testing.T) {
	const sent = "sent-by-the-server"
	for name, c := range map[string]struct {
		status int
		answer string
		want   error
	}{
		"403":           {403, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"` + sent + `","code":403}`, reviews.ErrForbidden},
		"401":           {401, sent, reviews.ErrUnauthorized},
		"500":           {500, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"` + sent + `","code":500}`, nil},
		"429":           {429, sent, nil},
		"no JSON":       {201, "<html>" + sent, nil},
		"another kind":  {201, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"` + sent + `"}}`, nil},
		"half a review": {201, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":tr`, nil},
	} {
		var calls atomic.Int64
		r := reviewerOf(t, func(w http.ResponseWriter, q *http.Request) {
			calls.Add(1)
			answering(t, tokens, c.status, c.answer)(w, q)
		})
		got, err := r.ReviewToken(t.Context(), "a.b.c", []string{"orders"})
		if err == nil || got.Authenticated || c.want != nil && !errors.Is(err, c.want) || strings.Contains(err.Error(), sent) {
			t.Errorf("%s: expected an error, got %+v, %v", name, got, err)
		}
		if calls.Load() != 1 {
			t.Errorf("%s: expected one call, got %d", name, calls.Load())
		}
	}
}

func TestACheckThatEndsIsTold(t *testing.T) {
	r := reviewerOf(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.ReviewAccess(ctx, reviews.Question{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the deadline, got %v", err)
	}
}

func TestTheIssuerIsThatOfTheDiscoveryDocument(t *testing.T) {
	r := reviewerOf(t, answering(t, "/.well-known/openid-configuration", 200, `{"issuer":"https://kubernetes.default.svc","jwks_uri":"https://127.0.0.1/openid/v1/jwks"}`))
	if got := r.Issuer(); got != "" {
		t.Errorf("expected none before it was asked for, got %s", got)
	}
	<-r.Find()
	if got := r.Issuer(); got != "https://kubernetes.default.svc" {
		t.Errorf("got %q", got)
	}
	<-r.Find()
}

func TestADocumentThatNamesNoIssuerIsNone(t *testing.T) {
	for _, c := range []struct {
		status int
		answer string
	}{{200, `{}`}, {200, `{"issuer":5}`}, {200, `{"issuer":"a","issuer":"b"}`}, {200, `<html>`}, {403, `{}`}, {500, `{}`}} {
		r := reviewerOf(t, answering(t, "/.well-known/openid-configuration", c.status, c.answer))
		if issuer, err := r.discover(); err == nil {
			t.Errorf("%d %s: expected an error, got %s", c.status, c.answer, issuer)
		}
	}
}
