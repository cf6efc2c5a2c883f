package extauthz

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const patience = 10 * time.Second

var loopback = listen.Config{Address: "127.0.0.1:0"}

// open serves a door until the test ends.
func open(t testing.TB, c Config) *Server {
	t.Helper()
	c.Listen.Address = "127.0.0.1:0"
	if c.Decider == nil {
		c.Decider = decide(allowAll)
	}
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: got %v after Shutdown, want nil", err)
		}
	})
	return s
}

func dial(t testing.TB, s *Server, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func plain(t testing.TB, s *Server) *grpc.ClientConn { return dial(t, s, insecure.NewCredentials()) }

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestACheckGoesThroughTheDoor(t *testing.T) {
	raws := make(chan authz.Raw, 1)
	s := open(t, Config{Clock: func() time.Time { return noon }, Decider: decide(func(ctx context.Context, raw authz.Raw) authz.Decision {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the proxy's deadline was lost")
		}
		if by := Proxy(ctx); by != listen.Loopback {
			t.Errorf("expected the word for who asked, got %q", by)
		}
		raws <- raw
		return authz.Decision{Outcome: authz.Allow, Set: []authz.Header{{Name: "x-agent-id", Value: "a"}}}
	})})
	got, err := authv3.NewAuthorizationClient(plain(t, s)).Check(within(t), parse(t, plaintextCheck))
	if err != nil {
		t.Fatal(err)
	}
	same(t, answer(t, `status {} ok_response { headers { header { key: "x-agent-id" value: "a" } append_action: OVERWRITE_IF_EXISTS_OR_ADD } }`), got)
	if raw := <-raws; raw.ContextExtensions["agentauth.dev/policy"] != "shop/orders" || !raw.Time.Equal(noon) {
		t.Errorf("got %+v", raw)
	}
}

func TestOnlyWhoMayStandAtTheDoorIsAnswered(t *testing.T) {
	ca, err := parts.NewCA("ca")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	authority, err := ca.Write(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := server.Write(dir, "tls")
	if err != nil {
		t.Fatal(err)
	}
	var by atomic.Value
	s := open(t, Config{
		Listen: listen.Config{TLSCert: cert, TLSKey: key, ClientCA: authority, ClientNames: []string{"spiffe://prod/proxy"}},
		Decider: decide(func(ctx context.Context, _ authz.Raw) authz.Decision {
			by.Store(Proxy(ctx))
			return authz.Decision{Outcome: authz.Allow}
		}),
	})
	client := func(uri string) credentials.TransportCredentials {
		pair, err := ca.Client(uri)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		return credentials.NewTLS(&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12})
	}
	for name, c := range map[string]struct {
		creds credentials.TransportCredentials
		want  bool
	}{
		"the named proxy": {client("spiffe://prod/proxy"), true},
		"another name":    {client("spiffe://prod/other"), false},
		"no certificate":  {credentials.NewTLS(&tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}), false},
		"plaintext":       {insecure.NewCredentials(), false},
	} {
		_, err := authv3.NewAuthorizationClient(dial(t, s, c.creds)).Check(within(t), parse(t, plaintextCheck))
		if (err == nil) != c.want {
			t.Errorf("%s: got %v, want success to be %v", name, err, c.want)
		}
	}
	if by.Load() != "spiffe://prod/proxy" {
		t.Errorf("expected the name of the proxy that asked, got %v", by.Load())
	}
	if _, err := Listen(Config{Listen: listen.Config{Address: ":0"}, Decider: decide(allowAll)}); err == nil {
		t.Error("a door opened where anyone could ask")
	}
	if _, err := Listen(Config{Listen: loopback}); err == nil {
		t.Error("a door without a Decider opened")
	}
}

// wire is a codec that sends bytes as they are.
type wire struct{}

func (wire) Name() string { return "proto" }
func (wire) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (wire) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func TestACheckThatCannotBeReadIsRefusedAndNoError(t *testing.T) {
	badUTF8, err := proto.Marshal(parse(t, http(`path: "/aaaa" method: "GET" host: "a"`)))
	if err != nil {
		t.Fatal(err)
	}
	badUTF8 = []byte(strings.Replace(string(badUTF8), "/aaaa", "/a\xff\xfea", 1))
	var reports atomic.Int64
	s := open(t, Config{
		OnError: func(error) { reports.Add(1); panic("a callback's own defect") },
		Decider: decide(func(_ context.Context, raw authz.Raw) authz.Decision {
			if _, err := authz.NewRequest(raw); err != nil {
				return authz.Decision{Status: 400, Reason: authz.BadRequest}
			}
			return authz.Decision{Outcome: authz.Allow}
		}),
	})
	conn := plain(t, s)
	for i, message := range [][]byte{badUTF8, {0xff}, make([]byte, maxCheck+1)} {
		var out []byte
		err := conn.Invoke(within(t), authv3.Authorization_Check_FullMethodName, message, &out, grpc.ForceCodecV2(wire{}))
		if err != nil {
			t.Errorf("message %d: a gRPC error, which failure_mode_allow turns into a yes: %v", i, err)
			continue
		}
		got := &authv3.CheckResponse{}
		if err := proto.Unmarshal(out, got); err != nil {
			t.Fatal(err)
		}
		same(t, answer(t, `status { code: 3 } denied_response { status { code: BadRequest } }`), got)
		if n := reports.Load(); n != int64(i+1) {
			t.Errorf("message %d: %d reports", i, n)
		}
	}
}

func TestTheProcessOutlivesAPanic(t *testing.T) {
	var panics atomic.Int64
	s := open(t, Config{
		OnPanic: func(any, []byte) { panics.Add(1); panic("a callback's own defect") },
		Decider: decide(func(_ context.Context, raw authz.Raw) authz.Decision {
			if raw.Path == "/boom" {
				panic("boom")
			}
			return authz.Decision{Outcome: authz.Allow}
		}),
	})
	client := authv3.NewAuthorizationClient(plain(t, s))
	for path, want := range map[string]*authv3.CheckResponse{"/boom": mustRead(unavailable), "/": answer(t, "status {} ok_response {}")} {
		got, err := client.Check(within(t), parse(t, http(`path: "`+path+`"`)))
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, got)
	}
	if panics.Load() != 1 {
		t.Errorf("%d panics were reported, want 1", panics.Load())
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	s := open(t, Config{})
	client := healthpb.NewHealthClient(plain(t, s))
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		if got, err := client.Check(within(t), &healthpb.HealthCheckRequest{Service: service}); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("%q: before the first word: got %v, %v", service, got, err)
		}
	}
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		for _, ready := range []bool{false, true, false} {
			s.SetReady(ready)
			want := healthpb.HealthCheckResponse_NOT_SERVING
			if ready {
				want = healthpb.HealthCheckResponse_SERVING
			}
			got, err := client.Check(within(t), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("%q: check got %v, %v, want %v", service, got, err, want)
			}
		}
	}
}

func TestShutdownSaysSoAndFinishesWhatIsUnderWay(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := open(t, Config{Decider: decide(func(context.Context, authz.Raw) authz.Decision {
		close(entered)
		<-leave
		return authz.Decision{Outcome: authz.Allow}
	})})
	s.SetReady(true)
	conn := plain(t, s)
	watch, err := healthpb.NewHealthClient(conn).Watch(within(t), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unimplemented {
		t.Errorf("a watch, which would outlast the door: got %v", err)
	}
	serving := func() healthpb.HealthCheckResponse_ServingStatus {
		got, err := s.health.Check(within(t), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetStatus()
	}
	if got := serving(); got != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("got %v", got)
	}
	checked := make(chan error, 1)
	go func() {
		got, err := authv3.NewAuthorizationClient(conn).Check(within(t), parse(t, plaintextCheck))
		if err == nil && got.GetOkResponse() == nil {
			err = errors.New("not allowed")
		}
		checked <- err
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(within(t)) }()
	for ctx := within(t); serving() != healthpb.HealthCheckResponse_NOT_SERVING; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatal("a door that closes says SERVING")
		}
	}
	s.SetReady(true)
	if got := serving(); got != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("a door that closes can be made to say %v", got)
	}
	close(leave)
	if err := <-checked; err != nil {
		t.Errorf("the check under way: %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownCutsOffWhatDoesNotEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := open(t, Config{Decider: decide(func(context.Context, authz.Raw) authz.Decision {
		close(entered)
		<-leave
		return authz.Decision{Outcome: authz.Allow}
	})})
	defer close(leave)
	checked := make(chan error, 1)
	client := authv3.NewAuthorizationClient(plain(t, s))
	go func() {
		_, err := client.Check(within(t), parse(t, plaintextCheck))
		checked <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := <-checked; status.Code(err) != codes.Unavailable {
		t.Errorf("the check got %v, want Unavailable", err)
	}
}

func TestADoorThatNeverServedCanBeShut(t *testing.T) {
	s, err := Listen(Config{Listen: loopback, Decider: decide(allowAll)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(within(t)); err != nil {
		t.Error(err)
	}
	if err := s.Serve(); err != nil {
		t.Errorf("Serve after Shutdown: got %v, want nil", err)
	}
	again, err := Listen(Config{Listen: listen.Config{Address: s.Addr().String()}, Decider: decide(allowAll)})
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	_ = again.Shutdown(within(t))
}
