package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long anything may take before a script gives up.
const patience = 20 * time.Second

// server is a running `agentauth serve`, servers those of a script by name.
type (
	server struct {
		cmd    *exec.Cmd
		probes string
		ended  chan error
	}
	servers    map[string]*server
	serversKey struct{}
)

// serve NAME ARGUMENT…: starts `agentauth serve` with free ports, unless the
// arguments say otherwise. The door's address is then in $NAME, the log in the
// file NAME.log.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve NAME [ARGUMENT…]")
	}
	name, door, probes := args[0], freeAddress(ts), freeAddress(ts)
	log, err := os.Create(ts.MkAbs(name + ".log"))
	ts.Check(err)
	cmd := exec.Command("agentauth", append([]string{"serve", "--grpc-address", door, "--metrics-address", probes}, args[1:]...)...)
	cmd.Dir, cmd.Stderr, cmd.Stdout = ts.MkAbs("."), log, log
	ts.Check(cmd.Start())
	s := &server{cmd: cmd, probes: probes, ended: make(chan error, 1)}
	go func() { s.ended <- cmd.Wait() }()
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it has ended already if all went well
		_ = log.Close()
	})
	ts.Setenv(name, door)
	ts.Value(serversKey{}).(servers)[name] = s
}

func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

func running(ts *testscript.TestScript, name string) *server {
	s := ts.Value(serversKey{}).(servers)[name]
	if s == nil {
		ts.Fatalf("no server %s was started", name)
	}
	return s
}

// await NAME PATH STATUS [REGEXP]: asks the metrics address until it answers
// so.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: await NAME PATH STATUS [REGEXP]")
	}
	url := "http://" + running(ts, args[0]).probes + args[1]
	want := regexp.MustCompile("(?m)" + strings.Join(args[3:], " "))
	got := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var status int
		status, got = ask(url)
		if strconv.Itoa(status) == args[2] && want.MatchString(got) {
			return
		}
	}
	ts.Fatalf("%s: expected %s and %s, got\n%s\nthe log:\n%s", args[1], args[2], want, got, ts.ReadFile(args[0]+".log"))
}

var client = http.Client{Timeout: 5 * time.Second}

func ask(url string) (status int, body string) {
	answer, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(b)
}

// ends NAME CODE: sends SIGTERM and wants this exit code; with `itself` behind
// it nothing is sent: the server ends by itself.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ends NAME CODE [itself]")
	}
	s := running(ts, args[0])
	if len(args) == 2 {
		ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		ts.Fatalf("it still runs; the log:\n%s", ts.ReadFile(args[0]+".log"))
	}
	if got := s.cmd.ProcessState.ExitCode(); strconv.Itoa(got) != args[1] {
		ts.Fatalf("expected exit code %s, got %d; the log:\n%s", args[1], got, ts.ReadFile(args[0]+".log"))
	}
}
