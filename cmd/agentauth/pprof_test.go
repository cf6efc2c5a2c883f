package main

import (
	"net/http"
	"strings"
	"testing"
)

const openPolicy = `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: open, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication: {methods: [{name: anybody, anonymous: {}}]}
`

func TestProfilesAreServedWhereTheyAreAskedForAndToThisMachine(t *testing.T) {
	at := freePort(t)
	s := serveHere(t, openPolicy, "--pprof-address", at)
	if status, body := ask("http://" + at + "/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("expected a profile, got %d %.200s", status, body)
	}
	if status, _ := ask("http://" + s.probes + "/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("expected none at the probes, got %d", status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at+"/debug/pprof/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "rebound.example.com"
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("expected another host to be refused, got %d", answer.StatusCode)
	}
}
