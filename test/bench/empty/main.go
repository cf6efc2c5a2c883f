// Command empty is the unit of all ratios: the least that an ext_authz server of grpc-go can do. It has the
// options that grpc-go has by itself, and allows every check with one header. With -door it answers the same through
// agentauth's own door: what is left of the cost when nothing is decided.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/listen"
)

func main() {
	grpcAddress := flag.String("grpc-address", "127.0.0.1:0", "where checks are answered; it is printed")
	metricsAddress := flag.String("metrics-address", "127.0.0.1:0", "/metrics, of the Go runtime; it is printed")
	door := flag.Bool("door", false, "answer through agentauth's door")
	flag.Parse()
	if err := serve(*grpcAddress, *metricsAddress, *door); err != nil {
		fmt.Fprintln(os.Stderr, "empty:", err)
		os.Exit(1)
	}
}

func serve(grpcAddress, metricsAddress string, door bool) error {
	address, answer, err := stock(grpcAddress)
	if door {
		address, answer, err = doorAlone(grpcAddress)
	}
	if err != nil {
		return err
	}
	metrics, err := net.Listen("tcp", metricsAddress)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, address, metrics.Addr())
	pages := &http.Server{Handler: promhttp.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = pages.Serve(metrics) }()
	return answer()
}

// stock is grpc-go as it comes.
func stock(address string) (net.Addr, func() error, error) {
	checks, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, empty{})
	return checks.Addr(), func() error { return server.Serve(checks) }, nil
}

// doorAlone is agentauth's door, and as few garbage collections as agentauth has.
func doorAlone(address string) (net.Addr, func() error, error) {
	door, err := extauthz.Listen(extauthz.Config{Listen: listen.Config{Address: address}, Decider: allow{}})
	if err != nil {
		return nil, nil, err
	}
	debug.SetGCPercent(6400) // of the 4 MiB that are in use at least
	return door.Addr(), door.Serve, nil
}

type allow struct{}

func (allow) Decide(context.Context, authz.Raw) authz.Decision {
	return authz.Decision{Outcome: authz.Allow, Set: []authz.Header{{Name: "x-agent-id", Value: agent}}}
}

const agent = "7c2f7d4e-4f0e-4b61-9d5c-0f5b3c0a9b11"

type empty struct {
	authv3.UnimplementedAuthorizationServer
}

func (empty) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status: &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-agent-id", Value: agent}}},
		}},
	}, nil
}
