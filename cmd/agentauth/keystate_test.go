package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestServeSaysThatAProviderCannotBeReachedAndThatItCanAgain(t *testing.T) {
	t.Parallel()
	var good atomic.Bool
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !good.Load() {
			http.Error(w, "secret", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(onePublicKey))
	}))
	defer provider.Close()
	log := &logged{}
	f := &serveFlags{policies: t.TempDir(), unmatched: "deny", pathCase: "fold", egress: egressFlags{allowHTTP: true, cidrs: []string{"127.0.0.0/8"}}}
	nothing := func() []string { return nil }
	f.cluster.given, f.tracing.given, f.audit.given = nothing, nothing, nothing
	s, err := f.service(slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	in := engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "shop"},
		Spec: v1alpha1.PolicySpec{
			Routes: []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{"api.example.com"}}},
			Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{{Name: "token", JWT: &v1alpha1.JWT{
				AnyIssuer: true, AnyAudience: true, JWKS: &v1alpha1.JWKS{URI: provider.URL}}}}},
		},
	}}}
	message := func() string {
		snapshot, reports := s.kernel.Compile(in)
		s.kernel.Swap(snapshot)
		for _, c := range reports[0].Conditions {
			if c.Type == v1alpha1.ConditionResolvedRefs {
				return c.Message
			}
		}
		return ""
	}
	message()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	again := make(chan struct{}, 1)
	go s.followKeys(ctx, func() { signalTo(again) })
	wait := func() {
		t.Helper()
		select {
		case <-again:
		case <-time.After(time.Minute):
			t.Fatalf("nothing changed; the log has\n%s", log)
		}
	}
	wait()
	if got := message(); !strings.Contains(got, "KeysUnreachable") && !strings.Contains(got, "cannot be fetched: key set: answered 500, 200 was expected; no keys are held") {
		t.Errorf("the condition says %s", got)
	}
	if testing.Short() {
		return // the set is tried again after 10 s
	}
	good.Store(true)
	wait()
	if got := message(); got != "every reference resolves" {
		t.Errorf("the condition says %s", got)
	}
	text := log.String()
	if strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=INFO") != 1 || strings.Contains(text, "secret") ||
		!strings.Contains(text, `msg="the keys of a provider cannot be fetched" source=`+provider.URL+` policies=shop/orders cause="key set: answered 500, 200 was expected"`) {
		t.Errorf("the log has\n%s", text)
	}
}
