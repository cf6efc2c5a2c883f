package main

import (
	"net"
	"runtime/debug"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

func TestTheWorkerCountsTheAnswersOfTheEmptyServers(t *testing.T) {
	for name, open := range map[string]func(string) (net.Addr, func() error, error){"stock": stock, "the door alone": doorAlone} {
		t.Run(name, func(t *testing.T) {
			percent := debug.SetGCPercent(100)
			defer debug.SetGCPercent(percent)
			address, serve, err := open("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = serve() }()
			countAnswers(t, address.String())
		})
	}
}

func countAnswers(t *testing.T, address string) {
	check, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{ContextExtensions: map[string]string{"a": "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	const checks = 100
	sent := 0
	w, err := worker.Dial(t.Context(), worker.Config{
		Address: address,
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
