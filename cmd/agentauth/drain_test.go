package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
)

func TestAReplicaThatEndsIsNotReadyAndStillTakesNewChecksForTheDelay(t *testing.T) {
	s := serveHere(t, openPolicy, "--drain-delay", "3s")
	conn, err := grpc.NewClient(s.door, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- s.end() }()
	within(t, func() bool {
		health, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		return err == nil && health.GetStatus() == healthpb.HealthCheckResponse_NOT_SERVING
	}, s.log.String)
	if status, _ := ask("http://" + s.probes + "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("expected not ready, got %d", status)
	}
	if d, err := extauthz.Ask(t.Context(), s.door, authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/"}); err != nil || d.Outcome != authz.Allow {
		t.Errorf("expected a new connection to be answered, got %v, %v", d.Outcome, err)
	}
	if err := <-ended; err != nil || time.Since(began) < 3*time.Second {
		t.Errorf("expected an end without an error after the delay, got %v after %v", err, time.Since(began))
	}
}

// What takes a right away comes in force also on a replica that ends and still takes checks.
func TestAPolicyThatIsTakenAwayDuringTheDelayLetsNobodyThrough(t *testing.T) {
	s := serveHere(t, openPolicy, "--drain-delay", "8s")
	ended := make(chan error, 1)
	go func() { ended <- s.end() }()
	within(t, func() bool {
		status, _ := ask("http://" + s.probes + "/readyz")
		return status == http.StatusServiceUnavailable
	}, s.log.String)
	if err := os.WriteFile(s.file, []byte(strings.Replace(openPolicy, "api.example.com", "other.example.com", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, func() bool {
		d, err := extauthz.Ask(t.Context(), s.door, authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/"})
		if err != nil {
			t.Fatalf("what was taken away was let through until the door closed: %v", err)
		}
		return d.Outcome == authz.Deny
	}, s.log.String)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
