package extauthz

import (
	"context"
	"net"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/agentauth-dev/agentauth/authz"
)

// empty is the least an ext_authz server can do.
type empty struct {
	authv3.UnimplementedAuthorizationServer
}

func (empty) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &status.Status{}}, nil
}

func threeHeaders(context.Context, authz.Raw) authz.Decision {
	return authz.Decision{
		Outcome: authz.Allow,
		Set:     []authz.Header{{Name: "x-agent-id", Value: "a"}, {Name: "x-tenant", Value: "b"}, {Name: "x-scopes", Value: "c"}},
		Remove:  []string{"authorization", "x_agent_id"},
	}
}

// BenchmarkCheck is decoding and encoding alone.
func BenchmarkCheck(b *testing.B) {
	c, check := silentChecker(decide(threeHeaders)), parse(b, plaintextCheck)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(b.Context(), check); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDoor is a whole call over loopback, client included, of this door
// and of an empty server.
func BenchmarkDoor(b *testing.B) {
	b.Run("door", func(b *testing.B) {
		call(b, open(b, Config{Decider: decide(threeHeaders)}).Addr())
	})
	b.Run("empty", func(b *testing.B) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s := grpc.NewServer()
		authv3.RegisterAuthorizationServer(s, empty{})
		go func() { _ = s.Serve(listener) }()
		b.Cleanup(s.Stop)
		call(b, listener.Addr())
	})
}

func call(b *testing.B, addr net.Addr) {
	conn, err := grpc.NewClient("passthrough:///"+addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	client, check := authv3.NewAuthorizationClient(conn), parse(b, plaintextCheck)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Check(b.Context(), check); err != nil {
			b.Fatal(err)
		}
	}
}
