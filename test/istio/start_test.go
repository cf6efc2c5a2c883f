//go:build e2e && linux

package istio

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// From its first answer on: it listens when it knows what to ask.
func TestAnIngressThatStartsLetsNobodyThrough(t *testing.T) {
	s := theStage
	bad := parts.Get("orders.example.test/starting", spoof)
	s.http.Becomes(t, http.StatusUnauthorized, bad)
	parts.Must(t, s.ingress.Stop())
	started := make(chan error, 1)
	go func() { started <- s.startIngress(context.WithoutCancel(t.Context())) }()
	answers, done := 0, false
	for end := time.Now().Add(time.Minute); (!done || answers < 20) && time.Now().Before(end); {
		select {
		case err := <-started:
			parts.Must(t, err)
			done = true
		default:
		}
		a, err := s.http.Ask(t.Context(), bad)
		if err != nil {
			continue
		}
		answers++
		if a.Status == http.StatusOK {
			t.Errorf("answer %d let it through", answers)
		}
	}
	if !done {
		parts.Must(t, <-started)
	}
	s.http.Becomes(t, http.StatusUnauthorized, bad)
}

func TestWithoutAgentauthNothingIsLetThrough(t *testing.T) {
	s := theStage
	good := parts.Get("orders.example.test/alone", key)
	for _, w := range s.ingresses() {
		w.http.Becomes(t, http.StatusOK, good)
	}
	parts.Must(t, s.agentauth.Stop())
	before := s.upstream.Count()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end) && !t.Failed(); {
		for _, w := range s.ingresses() {
			w.http.Answers(t, http.StatusServiceUnavailable, good)
		}
	}
	if s.upstream.Count() != before {
		t.Error("a request reached the upstream")
	}
	for _, w := range s.ingresses() {
		w.http.Answers(t, http.StatusOK, parts.Get("open.example.test/")) // is not protected
	}
	parts.Must(t, s.startAgentauth(context.WithoutCancel(t.Context())))
	for _, w := range s.ingresses() {
		w.http.Becomes(t, http.StatusOK, good)
	}
}
