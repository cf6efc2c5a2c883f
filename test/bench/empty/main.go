// Command empty is the unit of all ratios: the least that an ext_authz server of grpc-go can do. It has the
// options that grpc-go has by itself, and allows every check with one header.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

func main() {
	grpcAddress := flag.String("grpc-address", "127.0.0.1:0", "where checks are answered; it is printed")
	metricsAddress := flag.String("metrics-address", "127.0.0.1:0", "/metrics, of the Go runtime; it is printed")
	flag.Parse()
	if err := serve(*grpcAddress, *metricsAddress); err != nil {
		fmt.Fprintln(os.Stderr, "empty:", err)
		os.Exit(1)
	}
}

func serve(grpcAddress, metricsAddress string) error {
	checks, err := net.Listen("tcp", grpcAddress)
	if err != nil {
		return err
	}
	metrics, err := net.Listen("tcp", metricsAddress)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, checks.Addr(), metrics.Addr())
	pages := &http.Server{Handler: promhttp.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = pages.Serve(metrics) }()
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, empty{})
	return server.Serve(checks)
}

type empty struct {
	authv3.UnimplementedAuthorizationServer
}

func (empty) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status: &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-agent-id", Value: "7c2f7d4e-4f0e-4b61-9d5c-0f5b3c0a9b11"}}},
		}},
	}, nil
}
