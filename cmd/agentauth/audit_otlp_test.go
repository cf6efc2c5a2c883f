package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// lineCollector takes log records by OTLP.
type lineCollector struct {
	collector.UnimplementedLogsServiceServer
	mu     sync.Mutex
	text   strings.Builder
	header string
}

// Export implements the OTLP service.
func (c *lineCollector) Export(ctx context.Context, r *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	c.header = strings.Join(md.Get("authorization"), ",")
	for _, of := range r.GetResourceLogs() {
		for _, scope := range of.GetScopeLogs() {
			for _, one := range scope.GetLogRecords() {
				c.text.WriteString(one.GetBody().GetStringValue() + "\n")
			}
		}
	}
	return &collector.ExportLogsServiceResponse{}, nil
}

func (c *lineCollector) got() (text, header string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String(), c.header
}

func startLineCollector(t *testing.T, options ...grpc.ServerOption) (c *lineCollector, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = &lineCollector{}
	server := grpc.NewServer(options...)
	collector.RegisterLogsServiceServer(server, c)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return c, listener.Addr().String()
}

func askOpen(t *testing.T, s served) *authz.Decision {
	t.Helper()
	d, err := extauthz.Ask(t.Context(), s.door, authz.Raw{ID: "req-1", Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestTheAuditStreamGoesToACollectorOverTLSWithTheCredentialOfTheEnvironment(t *testing.T) {
	server := httptest.NewUnstartedServer(nil) // for its certificate, of 127.0.0.1
	server.StartTLS()
	defer server.Close()
	pair := server.TLS.Certificates[0]
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", ca)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2")
	c, address := startLineCollector(t, grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}})))
	s := serveHere(t, openPolicy, "--audit-otlp-endpoint", "https://"+address, "--audit-required")
	if d := askOpen(t, s); d.Outcome != authz.Allow {
		t.Errorf("expected an allowance that was recorded, got %+v; the log:\n%s", d, s.log)
	}
	if text, header := c.got(); !strings.Contains(text, `"decision":"allow"`) || header != "Bearer hunter2" {
		t.Errorf("expected the record to be there when the decision is given, and the credential, got %q and\n%s", header, text)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	text, _ := c.got()
	var v audit.Verifier
	if err := v.File(strings.NewReader(text)); err != nil || !v.Begun || !strings.Contains(text, `"action":"stop"`) {
		t.Errorf("got %v, %+v in\n%s", err, v, text)
	}
	if log := s.log.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, `"sink":"otlp"`) {
		t.Errorf("expected where the chain is, and no credential, got\n%s", log)
	}
}

func TestNoTextOfAVariableThatCannotBeReadIsLogged(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:hunter2%zz@collector.example.com:4317")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "hunter2")
	_, address := startLineCollector(t)
	before := os.Stderr
	said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = said
	log.SetOutput(said) // the library's errors, where nobody takes them
	defer func() { os.Stderr = before; log.SetOutput(before) }()
	for _, more := range [][]string{nil, {"--tracing-otlp-endpoint", "http://" + address}} {
		s := serveHere(t, openPolicy, append([]string{"--audit-otlp-endpoint", "http://" + address}, more...)...)
		if err := s.end(); err != nil {
			t.Error(err)
		}
		text, _ := os.ReadFile(said.Name())
		if out := s.log.String() + string(text); strings.Contains(out, "hunter2") || !strings.Contains(out, `"variable":"OTEL_EXPORTER_OTLP_ENDPOINT"`) {
			t.Errorf("%v: expected the name of the variable and not its text, got\n%s", more, out)
		}
	}
}

func TestACollectorOfTheAuditStreamThatIsAwayStopsDecisionsOnlyWhereRecordsAreRequired(t *testing.T) {
	s := serveHere(t, openPolicy, "--audit-otlp-endpoint", freePort(t), "--audit-otlp-insecure", "--drain", "1s")
	if d := askOpen(t, s); d.Outcome != authz.Allow {
		t.Errorf("expected an allowance, got %+v", d)
	}
	told := "the collector of the audit stream took no records: they wait, and are sent again for a while"
	within(t, func() bool {
		return strings.Contains(s.log.String(), told) && strings.Contains(s.log.String(), "connection refused")
	}, s.log.String)
	if n := strings.Count(s.log.String(), told); n != 1 {
		t.Errorf("expected to be told once, got %d times", n)
	}
	s = serveHere(t, openPolicy, "--audit-otlp-endpoint", "http://"+freePort(t), "--audit-required", "--drain", "1s")
	if d := askOpen(t, s); d.Status != 503 || !strings.Contains(d.Body, "AuditUnavailable") && !strings.Contains(s.log.String(), "AuditUnavailable") {
		t.Errorf("expected 503, got %+v", d)
	}
}

func TestWhereTheAuditStreamGoesIsReadStrictly(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "ca.crt")
	for _, c := range []struct {
		args []string
		env  [2]string
		want string
	}{
		{args: []string{"--audit-otlp-endpoint", "collector.example.com"}, want: "--audit-otlp-endpoint: expected HOST:PORT as in"},
		{args: []string{"--audit-otlp-endpoint", "https://user:hunter2@c:4317"}, want: "--audit-otlp-endpoint: expected HOST:PORT, or a URL"},
		{args: []string{"--audit-otlp-endpoint", "https://c/v1/logs"}, want: "with nothing behind the port"},
		{args: []string{"--audit-otlp-endpoint", "https://c:4317", "--audit-otlp-insecure"}, want: "--audit-otlp-endpoint is https and --audit-otlp-insecure says without TLS"},
		{args: []string{"--audit-otlp-insecure"}, want: "--audit-otlp-insecure is of the audit stream, and nothing is recorded"},
		{args: []string{"--audit-stdout", "--audit-otlp-insecure"}, want: "--audit-otlp-insecure is for --audit-otlp-endpoint"},
		{args: []string{"--audit-required"}, want: "--audit-otlp-endpoint URL, and none is given"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_HEADERS", "hunter2"}, want: "OTEL_EXPORTER_OTLP_HEADERS: expected NAME=VALUE"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_LOGS_HEADERS", "a b=hunter2"}, want: "OTEL_EXPORTER_OTLP_LOGS_HEADERS: expected NAME=VALUE"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%0a"}, want: "expected NAME=VALUE"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%zz"}, want: "expected NAME=VALUE"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_CERTIFICATE", missing}, want: "OTEL_EXPORTER_OTLP_CERTIFICATE: open "},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", missing}, want: "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE, OTEL_EXPORTER_OTLP_CLIENT_KEY: expected a certificate and its key"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_CLIENT_KEY", missing}, want: "both, and one of them is not set"},
		{args: []string{"--audit-otlp-endpoint", "c:4317"}, env: [2]string{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"}, want: `OTEL_EXPORTER_OTLP_COMPRESSION "zstd": expected gzip or none`},
		{args: []string{"--audit-file", missing, "--audit-file-max-age", "-1"}, want: "--audit-file-max-age -1: expected days"},
		{args: []string{"--audit-file", missing, "--audit-file-max-backups", "-1"}, want: "--audit-file-max-backups -1: expected how many"},
		{args: []string{"--audit-file", missing, "--audit-file-max-size", "0"}, want: "--audit-file-max-size 0: expected at least 1"},
	} {
		t.Run(c.want, func(t *testing.T) {
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			cmd := serveCommand()
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetErr(&lockedBuffer{})
			cmd.SetArgs(append([]string{"--policies", t.TempDir(), "--grpc-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"}, c.args...))
			err := cmd.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("expected %q, got %v", c.want, err)
			}
		})
	}
}
