package otlp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
	"github.com/agentauth-dev/agentauth/telemetry/audit/otlp"
)

var at = time.Date(2027, 1, 15, 8, 0, 0, 123456789, time.UTC)

// logCollector takes log records by OTLP. What answer says is the answer to a request, by
// its number from 1; nil, or an answer without an error and rejections, keeps the records.
type logCollector struct {
	collector.UnimplementedLogsServiceServer
	answer func(n int) (rejected int64, err error)
	holds  chan struct{} // nil: no request waits

	mu      sync.Mutex
	asked   int
	headers metadata.MD
	batches [][]*logsv1.LogRecord
	of      []*logsv1.ResourceLogs
}

// Export implements the OTLP service.
func (c *logCollector) Export(ctx context.Context, r *collector.ExportLogsServiceRequest) (*collector.ExportLogsServiceResponse, error) {
	if c.holds != nil {
		select {
		case <-c.holds:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	c.headers, _ = metadata.FromIncomingContext(ctx)
	if c.answer != nil {
		switch rejected, err := c.answer(c.asked); {
		case err != nil:
			return nil, err
		case rejected != 0:
			return &collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: "hunter2"}}, nil
		}
	}
	var batch []*logsv1.LogRecord
	for _, of := range r.GetResourceLogs() {
		for _, scope := range of.GetScopeLogs() {
			batch = append(batch, scope.GetLogRecords()...)
		}
	}
	c.of = append(c.of, r.GetResourceLogs()...)
	c.batches = append(c.batches, batch)
	return &collector.ExportLogsServiceResponse{}, nil
}

func (c *logCollector) requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func (c *logCollector) kept() (out []*logsv1.LogRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.batches {
		out = append(out, b...)
	}
	return out
}

// text is the bodies of the records that were kept, as the lines of a file.
func (c *logCollector) text() string {
	var b strings.Builder
	for _, r := range c.kept() {
		b.WriteString(r.GetBody().GetStringValue() + "\n")
	}
	return b.String()
}

func (c *logCollector) serve(t *testing.T, options ...grpc.ServerOption) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	collector.RegisterLogsServiceServer(server, c)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

var process = audit.Process{Version: "v1", Host: "pod-1", PID: 7}

func begin(t *testing.T, o otlp.Options, change func(*audit.Config)) *audit.Stream {
	t.Helper()
	o.Process = process
	sink, err := otlp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := audit.Config{Sinks: []audit.Sink{sink}, Allows: 1, Process: process}
	if change != nil {
		change(&c)
	}
	s, err := audit.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plain(address string) otlp.Options { return otlp.Options{Host: address, AllowPlaintext: true} }

func end(t *testing.T, s *audit.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// leave ends a stream whose collector is not there.
func leave(t *testing.T, s *audit.Stream) {
	t.Helper()
	ended, stop := context.WithCancel(t.Context())
	stop()
	_ = s.Close(ended)
}

func request() authz.Raw {
	return authz.Raw{ID: "req-1", Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/v1/patients",
		Headers: []authz.Header{{Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}
}

func allowed() *authz.Decision {
	return &authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/orders"}
}

func decide(t *testing.T, s *audit.Stream, n int) {
	t.Helper()
	raw := request()
	for range n {
		if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
			t.Fatal("expected every decision to be given")
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come about")
		}
	}
}

// verified is what the verification says of a text, which is whole.
func verified(t *testing.T, text string) audit.Verifier {
	t.Helper()
	var v audit.Verifier
	if err := v.File(strings.NewReader(text)); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := v.End(); err != nil {
		t.Fatal(err)
	}
	return v
}

func attributes(list []*commonv1.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range list {
		if out[a.GetKey()] = a.GetValue().GetStringValue(); out[a.GetKey()] == "" {
			out[a.GetKey()] = big.NewInt(a.GetValue().GetIntValue()).String()
		}
	}
	return out
}

// lines is a sink like stdout.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func TestTheBodyOfALogRecordIsTheLineThatOtherSinksGet(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=prod")
	c, other := &logCollector{}, &lines{}
	s := begin(t, plain(c.serve(t)), func(c *audit.Config) { c.Sinks = append(c.Sinks, audit.Writer("stdout", other)) })
	decide(t, s, 700)
	raw := request()
	s.Decision(t.Context(), &raw, &authz.Decision{Outcome: authz.Deny, Reason: authz.RuleDenied, Status: 403}, at, 0)
	s.Decision(t.Context(), &raw, &authz.Decision{Outcome: authz.Error, Reason: authz.Unavailable, Status: 503}, at, 0)
	end(t, s)
	if c.text() != other.text.String() {
		t.Errorf("expected the same bytes, got\n%.2000s\nand\n%.2000s", c.text(), other.text.String())
	}
	if v := verified(t, c.text()); v.Lines != 704 || v.First != 1 || !v.Begun || v.Hash != s.Stats()[0].Hash {
		t.Errorf("got %+v, %+v", v, s.Stats())
	}
	kept := c.kept()
	for _, want := range []struct {
		at       int
		severity logsv1.SeverityNumber
		fields   map[string]string
	}{
		{0, 9, map[string]string{"agentauth.seq": "1", "event.action": "start"}},
		{1, 9, map[string]string{"agentauth.seq": "2", "event.action": "decision", "event.outcome": "success", "event.reason": "Allowed", "agentauth.policy": "shop/orders"}},
		{701, 13, map[string]string{"agentauth.seq": "702", "event.action": "decision", "event.outcome": "failure", "event.reason": "RuleDenied"}},
		{702, 17, map[string]string{"agentauth.seq": "703", "event.action": "decision", "event.outcome": "unknown", "event.reason": "Unavailable"}},
	} {
		r := kept[want.at]
		got := attributes(r.GetAttributes())
		if len(got) != len(want.fields) || r.GetSeverityNumber() != want.severity || r.GetEventName() != otlp.EventName {
			t.Errorf("expected %+v, got %v", want, r)
		}
		for name, value := range want.fields {
			if got[name] != value {
				t.Errorf("%d: expected %s %s, got %s", want.at, name, value, got[name])
			}
		}
	}
	if r := kept[1]; r.GetTimeUnixNano() != uint64(at.UnixNano()) || hex.EncodeToString(r.GetTraceId()) != "0af7651916cd43dd8448eb211c80319c" || r.GetObservedTimeUnixNano() == 0 {
		t.Errorf("got %v", r)
	}
	of := attributes(c.of[0].GetResource().GetAttributes())
	if of["service.name"] != "agentauth" || of["service.version"] != "v1" || of["host.name"] != "pod-1" || of["deployment.environment.name"] != "prod" || len(of["service.instance.id"]) != 36 {
		t.Errorf("got %v", of)
	}
}

func TestEachProcessBeginsAChainThatItsInstanceNames(t *testing.T) {
	c := &logCollector{}
	address := c.serve(t)
	for range 2 {
		s := begin(t, plain(address), nil)
		decide(t, s, 3)
		end(t, s)
	}
	texts := map[string]string{}
	for _, of := range c.of {
		for _, r := range of.GetScopeLogs()[0].GetLogRecords() {
			texts[attributes(of.GetResource().GetAttributes())["service.instance.id"]] += r.GetBody().GetStringValue() + "\n"
		}
	}
	if len(texts) != 2 {
		t.Fatalf("expected two instances, got %v", texts)
	}
	for _, text := range texts {
		if v := verified(t, text); v.First != 1 || v.Lines != 5 || !v.Begun {
			t.Errorf("got %+v", v)
		}
	}
}

func TestRecordsAreSentInBatchesThatAreBounded(t *testing.T) {
	c := &logCollector{holds: make(chan struct{})}
	s := begin(t, plain(c.serve(t)), nil)
	decide(t, s, 2000)
	raw, large := request(), allowed()
	large.Identity = &authz.Identity{Subject: "robot"}
	for range 64 {
		large.Identity.Groups = append(large.Identity.Groups, strings.Repeat("g", 500))
		large.Identity.Scopes = append(large.Identity.Scopes, strings.Repeat("s", 500))
	}
	for range 40 {
		s.Decision(t.Context(), &raw, large, at, 0)
	}
	close(c.holds)
	end(t, s)
	if v := verified(t, c.text()); v.Lines != 2042 || v.Missing != 0 {
		t.Errorf("got %+v", v)
	}
	if n := len(c.batches); n < 5 || n > 20 {
		t.Errorf("expected a few batches, got %d", n)
	}
	for _, b := range c.batches {
		bytes := 0
		for _, r := range b {
			bytes += len(r.GetBody().GetStringValue())
		}
		if len(b) > 512 || bytes > 1<<20+512*96 {
			t.Errorf("got a batch of %d records and %d bytes", len(b), bytes)
		}
	}
}

func TestABatchThatFailsIsTriedAgainAsItIs(t *testing.T) {
	c := &logCollector{answer: func(n int) (int64, error) {
		if n > 3 {
			return 0, nil
		}
		s, err := status.New(codes.Unavailable, "hunter2").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(10 * time.Millisecond)})
		if err != nil {
			return 0, err
		}
		return 0, s.Err()
	}}
	s := begin(t, plain(c.serve(t)), nil)
	decide(t, s, 5)
	waitFor(t, func() bool { return s.Stats()[0].Written > 0 })
	end(t, s)
	if v := verified(t, c.text()); v.Lines != 7 || v.Missing != 0 || s.Stats()[0].Dropped != 0 {
		t.Errorf("got %+v, %+v", v, s.Stats())
	}
}

func TestABatchOfACollectorThatWantsToBeLeftAloneForLongIsLostWhenItsTimeIsOver(t *testing.T) {
	c := &logCollector{answer: func(int) (int64, error) {
		s, err := status.New(codes.ResourceExhausted, "hunter2").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)})
		if err != nil {
			return 0, err
		}
		return 0, s.Err()
	}}
	o := plain(c.serve(t))
	o.Patience = 100 * time.Millisecond
	s := begin(t, o, nil)
	waitFor(t, func() bool { return s.Stats()[0].Dropped == 1 })
	if st := s.Stats()[0]; !strings.Contains(st.Error, "ResourceExhausted") || strings.Contains(st.Error, "hunter2") {
		t.Errorf("got %+v", st)
	}
	leave(t, s)
}

func TestWhatNoCollectorTookIsCountedAndSaidInTheStream(t *testing.T) {
	c := &logCollector{answer: func(n int) (int64, error) {
		if n <= 2 {
			return 0, status.Error(codes.InvalidArgument, "your credential is hunter2")
		}
		return 0, nil
	}}
	s := begin(t, plain(c.serve(t)), nil)
	decide(t, s, 3)
	waitFor(t, func() bool { return s.Stats()[0].Dropped == 4 })
	if st := s.Stats()[0]; !strings.Contains(st.Error, "the collector answered InvalidArgument") || strings.Contains(st.Error, "hunter2") {
		t.Errorf("got %+v", st)
	}
	decide(t, s, 2)
	end(t, s)
	if v := verified(t, c.text()); v.Missing != 4 || v.First != 1 || v.Lines != 4 {
		t.Errorf("got %+v in\n%s", v, c.text())
	}
}

func TestABatchOfWhichSomeRecordsWereRejectedIsNotWritten(t *testing.T) {
	var rejected atomic.Int64
	c := &logCollector{answer: func(int) (int64, error) { return rejected.Load(), nil }}
	s := begin(t, plain(c.serve(t)), func(c *audit.Config) { c.Required = true })
	raw := request()
	if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected the decision to be given")
	}
	rejected.Store(-1)
	if s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected no decision whose batch was answered with a number that says nothing")
	}
	rejected.Store(2)
	if s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected no decision whose batch was rejected in part")
	}
	waitFor(t, func() bool { return s.Stats()[0].Dropped == 2 })
	if st := s.Stats()[0]; !strings.Contains(st.Error, "the collector rejected 2 log records") || strings.Contains(st.Error, "hunter2") {
		t.Errorf("got %+v", st)
	}
	rejected.Store(0)
	if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected decisions again")
	}
	end(t, s)
	if v := verified(t, c.text()); v.Missing != 2 || v.Lines != 5 {
		t.Errorf("got %+v", v)
	}
}

func TestNothingThatComesBehindTheEndCountsAsWritten(t *testing.T) {
	c := &logCollector{}
	o := plain(c.serve(t))
	sink, err := otlp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(`{"seq":1,"prev":"","schema":"agentauth.dev/audit/v1","@timestamp":"2027-01-15T08:00:00Z","event":{"id":"a","action":"start"}}`)
	if err := sink.Batches(t.Context(), [][]byte{line}); err != nil || c.requests() != 1 {
		t.Fatalf("got %v, %d requests", err, c.requests())
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sink.Batches(t.Context(), [][]byte{line}); err == nil || c.requests() != 1 {
		t.Errorf("expected an error for what was not sent, got %v, %d requests", err, c.requests())
	}
}

func TestACollectorThatIsAwayHoldsUpNoDecisionAndWhatHasNoSpaceIsCounted(t *testing.T) {
	o := plain(nobody(t))
	s := begin(t, o, func(c *audit.Config) { c.MaxWaiting = 100 })
	began := time.Now()
	decide(t, s, 1000)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("decisions took %s", took)
	}
	if st := s.Stats()[0]; st.Dropped != 901 {
		t.Errorf("expected 100 records to wait and the others to be lost, got %+v", st)
	}
	began = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "audit sink otlp: 100 records were not written in time") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end took %s", took)
	}
}

func TestACollectorThatIsAwayIsSaidWithTheCause(t *testing.T) {
	o := plain(nobody(t))
	o.Patience = time.Second
	s := begin(t, o, nil)
	waitFor(t, func() bool { return s.Stats()[0].Dropped == 1 })
	if st := s.Stats()[0]; !strings.Contains(st.Error, "connection refused") {
		t.Errorf("got %+v", st)
	}
	leave(t, s)
}

func TestARequiredRecordIsSentAtOnceAndADecisionWaitsForTheCollector(t *testing.T) {
	c := &logCollector{holds: make(chan struct{}, 1)}
	s := begin(t, plain(c.serve(t)), func(c *audit.Config) { c.Required = true })
	c.holds <- struct{}{} // the start
	waitFor(t, func() bool { return c.requests() == 1 })
	raw := request()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if s.Decision(ctx, &raw, allowed(), at, 0) {
		t.Error("expected no decision before the collector has its record")
	}
	close(c.holds)
	if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected a decision")
	}
	if got := verified(t, c.text()); got.Lines < 3 {
		t.Errorf("expected the collector to have the record when the decision is given, got %+v", got)
	}
	end(t, s)
	dead := begin(t, plain(nobody(t)), func(c *audit.Config) { c.Required = true })
	if dead.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected no decision where there is no collector")
	}
	leave(t, dead)
}

func TestACollectorIsVerifiedUnlessTheOperatorSaysOtherwise(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "c"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	c := &logCollector{}
	address := c.serve(t, grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})))
	// Neither turns TLS off, or sends records elsewhere.
	t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
	t.Setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://"+nobody(t))
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2")
	unknown := begin(t, otlp.Options{Host: address, Patience: 2 * time.Second}, nil)
	waitFor(t, func() bool { return unknown.Stats()[0].Dropped == 1 })
	if st := unknown.Stats()[0]; st.Error == "" || strings.Contains(st.Error, "hunter2") {
		t.Errorf("expected an authority that is not known to be refused, got %+v", st)
	}
	leave(t, unknown)
	if c.requests() != 0 {
		t.Error("expected nothing to be sent")
	}
	known := begin(t, otlp.Options{Host: address, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}}, nil)
	end(t, known)
	if v := verified(t, c.text()); v.Lines != 2 {
		t.Errorf("got %+v", v)
	}
	if got := c.headers.Get("authorization"); len(got) != 1 || got[0] != "Bearer hunter2" {
		t.Errorf("expected the credential of the environment, got %v", got)
	}
}

func TestWhatWaitsIsSentAtTheEnd(t *testing.T) {
	c := &logCollector{}
	s := begin(t, plain(c.serve(t)), nil)
	decide(t, s, 5000)
	end(t, s)
	if v := verified(t, c.text()); v.Lines != 5002 || !strings.Contains(c.text(), `"action":"stop"`) {
		t.Errorf("got %+v", v)
	}
}
