package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

// emptyCommand makes this program the empty server: a process of its own, as its CPU time is measured.
const emptyCommand = "empty-server"

// emptyServer is the unit: grpc-go as it comes, its decoder, and an answer that says yes with one header, as that of
// test/bench/empty; it listens on a Unix socket too.
type emptyServer struct {
	authv3.UnimplementedAuthorizationServer
}

func (emptyServer) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-agent-id", Value: "7c2f7d4e-4f0e-4b61-9d5c-0f5b3c0a9b11"}}},
		}},
	}, nil
}

// serveEmpty serves on a free TCP port, which it prints, and on a Unix socket, until its input ends.
func serveEmpty(socket string) error {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	unix, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, emptyServer{})
	for _, l := range []net.Listener{tcp, unix} {
		go func() { _ = server.Serve(l) }()
	}
	fmt.Println(tcp.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return err
}

// startEmpty starts the empty server and returns its TCP address, its process id and how it ends.
func startEmpty(socket string) (address string, pid int, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	cmd := exec.Command(self, emptyCommand, socket) // #nosec G204 -- this program
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", 0, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", 0, nil, errors.Join(fmt.Errorf("the empty server: expected its address, got %w", err), stop())
	}
	return line[:len(line)-1], cmd.Process.Pid, stop, nil
}
