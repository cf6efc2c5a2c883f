//go:build e2e && linux

package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// health is the gRPC API behind the Gateway. It tells by whom it was called.
type health struct {
	address string
	server  *grpc.Server
}

func startHealth() (*health, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	// What it was told of the caller goes back as a header.
	tell := func(ctx context.Context) metadata.MD {
		in, _ := metadata.FromIncomingContext(ctx)
		return metadata.Pairs("x-seen", strings.Join(in.Get("x-agent-id"), ","), "x-key", strings.Join(in.Get("x-api-key"), ","))
	}
	h := &health{address: listener.Addr().String(), server: grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := grpc.SetHeader(ctx, tell(ctx)); err != nil {
				return nil, err
			}
			return handle(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if err := stream.SetHeader(tell(stream.Context())); err != nil {
				return err
			}
			return handle(srv, stream)
		}),
	)}
	healthpb.RegisterHealthServer(h.server, grpchealth.NewServer())
	go func() { _ = h.server.Serve(listener) }()
	return h, nil
}

// call calls Check, or Watch, with a key, and returns the code and who the API saw.
func call(t *testing.T, conn *grpc.ClientConn, method, key string) (codes.Code, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if name, value, ok := strings.Cut(key, ": "); ok {
		ctx = metadata.AppendToOutgoingContext(ctx, name, value)
	}
	client, header, err := healthpb.NewHealthClient(conn), metadata.MD{}, error(nil)
	switch method {
	case "Check":
		_, err = client.Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Header(&header))
	case "Watch":
		stream, failed := client.Watch(ctx, &healthpb.HealthCheckRequest{})
		if err = failed; err == nil {
			if _, err = stream.Recv(); err == nil {
				header, err = stream.Header()
			}
		}
	}
	if keys := header.Get("x-key"); err == nil && (len(keys) != 1 || keys[0] != "") {
		t.Errorf("%s: expected the API to see no key, got %q", method, keys)
	}
	return status.Code(err), strings.Join(header.Get("x-seen"), ",")
}

func TestAGRPCRouteAndARuleOfItHaveTheirPolicies(t *testing.T) {
	s := theStage
	encrypted := s.teamsTLS.Client.Transport.(*http.Transport).TLSClientConfig
	for name, way := range map[string]struct {
		base    string
		channel credentials.TransportCredentials
	}{
		"plaintext":                   {s.teams.Base, insecure.NewCredentials()},
		"TLS":                         {s.teamsTLS.Base, credentials.NewTLS(&tls.Config{RootCAs: encrypted.RootCAs, MinVersion: tls.VersionTLS12, ServerName: "health.example.test"})},
		"where the route is not told": {s.blind.Base, insecure.NewCredentials()},
	} {
		t.Run(name, func(t *testing.T) {
			_, address, _ := strings.Cut(way.base, "://")
			conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(way.channel), grpc.WithAuthority("health.example.test"))
			parts.Must(t, err)
			defer conn.Close()
			parts.Within(t, 20*time.Second, func() error {
				code, _ := call(t, conn, "Check", keyOf("health"))
				return status.Error(code, "Check")
			})
			for _, c := range []struct {
				method, key string
				code        codes.Code
				agent       string
			}{
				{"Check", keyOf("health"), codes.OK, "health"},
				{"Check", keyOf("watch"), codes.Unauthenticated, ""},
				{"Check", keyOf("teams"), codes.Unauthenticated, ""},
				{"Check", "", codes.Unauthenticated, ""},
				{"Watch", keyOf("watch"), codes.OK, "watch"},
				{"Watch", keyOf("health"), codes.Unauthenticated, ""},
				{"Watch", "", codes.Unauthenticated, ""},
			} {
				if code, agent := call(t, conn, c.method, c.key); code != c.code || agent != c.agent {
					t.Errorf("%s with %q: expected %s and agent %q, got %s and %q", c.method, c.key, c.code, c.agent, code, agent)
				}
			}
		})
	}
}
