package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
)

// spanCollector takes spans by OTLP.
type spanCollector struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracev1.Span
	// answer is what it answers in place of that it has all of them; nil: nothing.
	answer func() (*collector.ExportTraceServiceResponse, error)
}

// Export implements the OTLP service.
func (c *spanCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answer != nil {
		return c.answer()
	}
	for _, of := range r.GetResourceSpans() {
		for _, scope := range of.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c *spanCollector) named(name string) (out []*tracev1.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name {
			out = append(out, s)
		}
	}
	return out
}

// startCollector listens on a free port of loopback.
func startCollector(t *testing.T) (c *spanCollector, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = &spanCollector{}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return c, listener.Addr().String()
}

// served is `agentauth serve` in this process.
type served struct {
	door, probes string
	file         string // of the policy
	log          *lockedBuffer
	// end tells it to stop, and returns what it returned.
	end func() error
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serveHere runs serve with a policy, and returns when it is ready.
func serveHere(t *testing.T, policy string, args ...string) served {
	t.Helper()
	dir := t.TempDir()
	s := served{file: filepath.Join(dir, "policy.yaml"), door: freePort(t), probes: freePort(t), log: &lockedBuffer{}}
	if err := os.WriteFile(s.file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := serveCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetErr(s.log)
	cmd.SetArgs(append([]string{"--policies", dir, "--grpc-address", s.door, "--metrics-address", s.probes}, args...))
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	s.end = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = s.end() })
	within(t, func() bool { status, _ := ask("http://" + s.probes + "/readyz"); return status == http.StatusOK }, s.log.String)
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// within polls until done.
func within(t *testing.T, done func() bool, why func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to be so: %s", why())
		}
	}
}

const tracedPolicy = `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication:
    methods:
    - name: oauth
      jwt: {issuer: "https://issuer.example.com", audiences: [orders], jwks: {uri: "PROVIDER/keys"}}
`

// The trace of a request goes on in the check, and from there to what the check waited
// for; what is left is sent at the end.
func TestACheckThroughTheDoorIsASpanOfTheProxysTrace(t *testing.T) {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
	}))
	defer provider.Close()
	spans, address := startCollector(t)
	s := serveHere(t, strings.ReplaceAll(tracedPolicy, "PROVIDER", provider.URL), "--egress-allow-http", "--egress-allow-cidr", "127.0.0.1/32",
		"--tracing-otlp-endpoint", "http://"+address, "--tracing-sample-ratio", "0")
	conn, err := grpc.NewClient(s.door, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	encoded := base64.RawURLEncoding.EncodeToString
	token := encoded([]byte(`{"alg":"ES256","kid":"unknown"}`)) + "." +
		encoded([]byte(`{"iss":"https://issuer.example.com","aud":"orders","exp":99999999999,"sub":"hunter2"}`)) + "." + encoded(make([]byte, 64))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	request, err := extauthz.NewCheckRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/hunter2",
		Headers: []authz.Header{{Name: "authorization", Value: "Bearer " + token}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // of the second nothing is waited for: keys are asked for once in a while
		if _, err := authv3.NewAuthorizationClient(conn).Check(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing sampled these: no traceparent, and a ratio of 0.
	if _, err := extauthz.Ask(t.Context(), s.door, authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/"}); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	checks, waits := spans.named("agentauth check"), spans.named("wait for keys")
	if len(checks) != 2 || len(waits) != 1 {
		t.Fatalf("expected the spans of two checks and of one wait, got %d and %d; the log:\n%s", len(checks), len(waits), s.log)
	}
	for _, c := range checks {
		if got := hex.EncodeToString(c.GetTraceId()) + " " + hex.EncodeToString(c.GetParentSpanId()); got != "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331" {
			t.Errorf("expected the trace and the span of the proxy, got %s", got)
		}
		if text := c.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "shop/orders") {
			t.Errorf("expected the policy and nothing of the request, got %s", text)
		}
	}
	if !bytes.Equal(waits[0].GetParentSpanId(), checks[0].GetSpanId()) {
		t.Errorf("expected a child of the first check, got %v", waits[0])
	}
}

func TestACollectorThatIsAwayHoldsUpNoCheckAndNoEnd(t *testing.T) {
	s := serveHere(t, strings.ReplaceAll(tracedPolicy, "PROVIDER", "https://keys.example.com"), "--tracing-otlp-endpoint", "http://"+freePort(t), "--tracing-sample-ratio", "1")
	for range 10 {
		if d, err := extauthz.Ask(t.Context(), s.door, authz.Raw{Method: "GET", Scheme: "https", Host: "other.example.com", Path: "/"}); err != nil || d.Status != 403 {
			t.Fatalf("expected 403, got %d, %v", d.Status, err)
		}
	}
	began := time.Now()
	if err := s.end(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s to end", took)
	}
}

func TestWhatACollectorOfSpansWritesIsNotLogged(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2")
	for want, answer := range map[string]func() (*collector.ExportTraceServiceResponse, error){
		"Unauthenticated": func() (*collector.ExportTraceServiceResponse, error) {
			return nil, status.Error(codes.Unauthenticated, "Bearer hunter2 is no token of mine")
		},
		"(1 spans rejected)": func() (*collector.ExportTraceServiceResponse, error) {
			return &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "not with Bearer hunter2"}}, nil
		},
	} {
		c, address := startCollector(t)
		c.answer = answer
		s := serveHere(t, strings.ReplaceAll(tracedPolicy, "PROVIDER", "https://keys.example.com"), "--tracing-otlp-endpoint", "http://"+address, "--tracing-sample-ratio", "1")
		if _, err := extauthz.Ask(t.Context(), s.door, authz.Raw{Method: "GET", Scheme: "https", Host: "other.example.com", Path: "/"}); err != nil {
			t.Fatal(err)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
		if log := s.log.String(); !strings.Contains(log, want) || strings.Contains(log, "hunter2") {
			t.Errorf("expected %s and no word of the collector, got\n%s", want, log)
		}
	}
}

func TestTheEndpointOfTracingIsReadStrictly(t *testing.T) {
	for given, want := range map[string]string{
		"collector.example.com:4317": "collector.example.com:4317 false", "http://c:4317": "c:4317 true", "https://c:4318/": "c:4318 false",
		"https://c": "c:4317 false", "http://[::1]": "[::1]:4317 true",
		"collector.example.com": "", "https://c/v1/traces": "", "https://user:hunter2@c:4317": "", "ftp://c:4317": "", "user:hunter2@c:4317": "", ":4317": "", "http://": "",
	} {
		f := tracingFlags{endpoint: given}
		host, plain, err := f.collector()
		got := ""
		if err == nil {
			got = host + map[bool]string{true: " true", false: " false"}[plain]
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the message repeats a password: %v", given, err)
		}
		if got != want {
			t.Errorf("%s: expected %q, got %q, %v", given, want, got, err)
		}
	}
}
