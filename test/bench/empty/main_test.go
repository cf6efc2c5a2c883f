package main

import (
	"net"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

func TestTheWorkerCountsTheAnswersOfTheEmptyServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, empty{})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	check, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{ContextExtensions: map[string]string{"a": "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	const checks = 100
	sent := 0
	w, err := worker.Dial(t.Context(), worker.Config{
		Address: listener.Addr().String(),
		Next:    func() ([]byte, bool) { sent++; return worker.Frame(check), sent <= checks },
		Check:   worker.Want(worker.Verdict{Status: 200, Headers: 1}),
		Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Keep(8)
	var got worker.Tally
	for deadline := time.Now().Add(20 * time.Second); len(got.Latencies)+got.Wrong < checks; time.Sleep(time.Millisecond) {
		one := w.Take()
		got.Latencies, got.Wrong = append(got.Latencies, one.Latencies...), got.Wrong+one.Wrong
		if time.Now().After(deadline) {
			break
		}
	}
	if len(got.Latencies) != checks || got.Wrong != 0 {
		t.Errorf("expected %d answers, got %d, and %d wrong ones", checks, len(got.Latencies), got.Wrong)
	}
}
