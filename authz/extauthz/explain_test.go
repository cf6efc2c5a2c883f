package extauthz

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/test/parts"
)

type explains func(ctx context.Context, raw authz.Raw, by string) (string, error)

func (f explains) Explain(ctx context.Context, raw authz.Raw, by string) (string, error) {
	return f(ctx, raw, by)
}

var tellsWho = explains(func(_ context.Context, raw authz.Raw, by string) (string, error) {
	return by + " asks about " + raw.Path, nil
})

func explained(t *testing.T, conn *grpc.ClientConn) (string, error) {
	t.Helper()
	request, err := NewCheckRequest(authz.Raw{Method: "GET", Host: "api.example.com", Path: "/v1"})
	if err != nil {
		t.Fatal(err)
	}
	var answer wrapperspb.StringValue
	err = conn.Invoke(within(t), "/agentauth.v1.Explain/Explain", request, &answer)
	return answer.GetValue(), err
}

// mutual opens a door for proxy.example.com, and returns what dials it by a certificate.
func mutual(t *testing.T, c Config) func(leaf parts.Leaf) *grpc.ClientConn {
	t.Helper()
	ca, err := parts.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Server("localhost")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if c.Listen.TLSCert, c.Listen.TLSKey, err = pair.Write(dir, "tls"); err != nil {
		t.Fatal(err)
	}
	if c.Listen.ClientCA, err = ca.Write(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	return func(leaf parts.Leaf) *grpc.ClientConn {
		leaf.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		client, err := ca.Issue(leaf)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := tls.X509KeyPair(client.Cert, client.Key)
		if err != nil {
			t.Fatal(err)
		}
		return dial(t, s, credentials.NewTLS(&tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12}))
	}
}

func TestAClientMayDoWhatItsNamesAreNamedForOnly(t *testing.T) {
	var asked atomic.Int32
	var refused atomic.Int32
	as := mutual(t, Config{
		Listen: listen.Config{ClientNames: []string{"proxy.example.com", "both.example.com"}},
		Decider: decide(func(context.Context, authz.Raw) authz.Decision {
			asked.Add(1)
			return authz.Decision{Outcome: authz.Allow}
		}),
		Explain:   Explain{Names: []string{"operator.example.com", "both.example.com", "spiffe://mesh.example/operator"}, Explainer: tellsWho},
		OnRefused: func(listen.Refusal) { refused.Add(1) },
	})
	for name, c := range map[string]struct {
		leaf             parts.Leaf
		checks, explains bool
		by               string
	}{
		"proxy":              {parts.Leaf{DNSNames: []string{"proxy.example.com"}}, true, false, ""},
		"operator":           {parts.Leaf{DNSNames: []string{"operator.example.com"}}, false, true, "operator.example.com"},
		"operator by URI":    {parts.Leaf{URIs: []string{"spiffe://mesh.example/operator"}}, false, true, "spiffe://mesh.example/operator"},
		"both by one name":   {parts.Leaf{DNSNames: []string{"both.example.com"}}, true, true, "both.example.com"},
		"both by two names":  {parts.Leaf{DNSNames: []string{"proxy.example.com", "operator.example.com"}}, true, true, "operator.example.com"},
		"operator's letters": {parts.Leaf{DNSNames: []string{"proxy.example.com", "Operator.example.com"}}, true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := as(c.leaf)
			asked.Store(0)
			refused.Store(0)
			answer, err := authv3.NewAuthorizationClient(conn).Check(within(t), &authv3.CheckRequest{})
			if err != nil {
				t.Fatalf("a check has an answer, whoever asks: %v", err)
			}
			if d := ReadAnswer(answer); (d.Outcome == authz.Allow) != c.checks || !c.checks && d.Status != 503 || asked.Load() > 0 != c.checks {
				t.Errorf("check: expected %t, got %+v", c.checks, d)
			}
			text, err := explained(t, conn)
			switch {
			case c.explains && (err != nil || text != c.by+" asks about /v1"):
				t.Errorf("expected an explanation for %s, got %q, %v", c.by, text, err)
			case !c.explains && (status.Code(err) != codes.PermissionDenied || text != ""):
				t.Errorf("expected no permission, got %q, %v", text, err)
			}
			if told := refused.Load(); told > 0 == (c.checks && c.explains) {
				t.Errorf("the operator was told of %d refusals", told)
			}
		})
	}
}

func TestAnyClientThatMayCheckMayNotExplain(t *testing.T) {
	as := mutual(t, Config{Listen: listen.Config{ClientNames: []string{"*"}}, Explain: Explain{Names: []string{"operator.example.com"}, Explainer: tellsWho}})
	if text, err := explained(t, as(parts.Leaf{DNSNames: []string{"anybody.example.com"}})); status.Code(err) != codes.PermissionDenied {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestADoorThatIsNotToldToExplainsNothing(t *testing.T) {
	for name, c := range map[string]Config{
		"on loopback":     {Listen: loopback},
		"on a network":    {Listen: listen.Config{TrustNetwork: true}},
		"names forgotten": {Listen: loopback, Explain: Explain{Explainer: tellsWho}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := explained(t, plain(t, open(t, c)))
			if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "--explain-client-name NAME") || text != "" {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
	as := mutual(t, Config{Listen: listen.Config{ClientNames: []string{"proxy.example.com"}}})
	if _, err := explained(t, as(parts.Leaf{DNSNames: []string{"proxy.example.com"}})); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("got %v", err)
	}
}

func TestADoorOnLoopbackExplainsWhereItIsToldTo(t *testing.T) {
	conn := plain(t, open(t, Config{Listen: loopback, Explain: Explain{OnLoopback: true, Explainer: tellsWho}}))
	if text, err := explained(t, conn); err != nil || text != "loopback asks about /v1" {
		t.Errorf("got %q, %v", text, err)
	}
	answer, err := authv3.NewAuthorizationClient(conn).Check(within(t), &authv3.CheckRequest{})
	if err != nil || ReadAnswer(answer).Outcome != authz.Allow {
		t.Errorf("checks go on: got %v, %v", answer, err)
	}
}

func TestTwoDecisionsAreExplainedAtOnce(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	conn := plain(t, open(t, Config{Listen: loopback, Explain: Explain{OnLoopback: true, Explainer: explains(func(context.Context, authz.Raw, string) (string, error) {
		entered <- struct{}{}
		<-goOn
		return "{}", nil
	})}}))
	done := make(chan error, maxExplained)
	for range maxExplained {
		go func() { _, err := explained(t, conn); done <- err }()
	}
	for range maxExplained {
		<-entered
	}
	if _, err := explained(t, conn); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("expected one too many, got %v", err)
	}
	close(goOn)
	for range maxExplained {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	go func() { <-entered }()
	if _, err := explained(t, conn); err != nil {
		t.Errorf("a turn that ended is free again: %v", err)
	}
}

func TestAnExplanationThatFailsTellsNothingOfItsCause(t *testing.T) {
	var panics atomic.Int32
	for name, f := range map[string]explains{
		"error": func(context.Context, authz.Raw, string) (string, error) { return "half", errors.New("s3cr3t") },
		"panic": func(context.Context, authz.Raw, string) (string, error) { panic("s3cr3t") },
	} {
		conn := plain(t, open(t, Config{Listen: loopback, OnPanic: func(any, []byte) { panics.Add(1) }, Explain: Explain{OnLoopback: true, Explainer: f}}))
		if text, err := explained(t, conn); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "s3cr3t") || text != "" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
	if panics.Load() != 1 {
		t.Errorf("expected that the panic is told, got %d", panics.Load())
	}
}

func TestWhoMayExplainIsSaidCompletely(t *testing.T) {
	for want, c := range map[string]Config{
		"needs an Explainer":                   {Listen: loopback, Explain: Explain{OnLoopback: true}},
		"--explain-client-name is empty":       {Listen: loopback, Explain: Explain{Names: []string{}, Explainer: tellsWho}},
		"expected names, one by one":           {Listen: loopback, Explain: Explain{Names: []string{"*"}, Explainer: tellsWho}},
		"needs --client-ca":                    {Listen: loopback, Explain: Explain{Names: []string{"a"}, Explainer: tellsWho}},
		"--client-ca needs --client-name":      {Listen: listen.Config{Address: "127.0.0.1:0", TLSCert: "a", TLSKey: "b", ClientCA: "c"}, Explain: Explain{Names: []string{"a"}, Explainer: tellsWho}},
		"for a door without client":            {Listen: listen.Config{Address: "127.0.0.1:0", TLSCert: "a", TLSKey: "b", ClientCA: "c", ClientNames: []string{"d"}}, Explain: Explain{OnLoopback: true, Explainer: tellsWho}},
		"expected a loopback --grpc-address, ": {Listen: listen.Config{Address: ":0", TrustNetwork: true}, Explain: Explain{OnLoopback: true, Explainer: tellsWho}},
	} {
		c.Decider = decide(allowAll)
		s, err := Listen(c)
		var usage *listen.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, got %v, %v", want, s, err)
		}
	}
}
