package parts

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	readyWithin = 30 * time.Second
	stopWithin  = 15 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// Process is a part that runs as a program of its own.
type Process struct {
	Name string
	Log  string // file with its standard output and error

	cmd    *exec.Cmd
	exited chan struct{}
	ended  atomic.Bool // by Stop or Kill
}

// start runs a program in a process group of its own, so that a Ctrl-C at the terminal reaches it only
// through Stop, and so that whatever it starts ends with it.
func start(name, dir, path string, args ...string) (*Process, error) {
	log := filepath.Join(dir, name+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = out, out
	if err := StartGroup(cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &Process{Name: name, Log: log, cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the state says how it ended
		close(p.exited)
	}()
	return p, nil
}

// Exited is closed when the process has ended, by itself or by Stop.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Pid is its process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process alone.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// ExitCode waits for the end and returns its code; -1 if a signal ended it.
func (p *Process) ExitCode() int {
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// Stop asks the process to end (SIGTERM), kills it if it has not in 15 s, and returns when it is gone.
// To have ended by itself before, or to have to be killed, is an error. Stopping twice is fine.
func (p *Process) Stop() error {
	if p.ended.Swap(true) {
		<-p.exited
		return nil
	}
	select {
	case <-p.exited:
		return p.failed(fmt.Errorf("had ended by itself: %s", p.cmd.ProcessState))
	default:
	}
	_ = syscall.Kill(-p.Pid(), syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopWithin):
		p.Kill()
		return p.failed(fmt.Errorf("did not end within %s of SIGTERM and was killed", stopWithin))
	}
}

// Kill ends the process at once, as a crash would, and returns when it is gone.
func (p *Process) Kill() {
	p.ended.Store(true)
	select {
	case <-p.exited: // its id may be somebody else's by now
		return
	default:
	}
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	<-p.exited
}

// ready polls probe until it returns nil; if it does not, the process is killed.
func (p *Process) ready(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("not ready within %s", readyWithin))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return p.failed(fmt.Errorf("ended (%s) while it was waited for: %w", p.cmd.ProcessState, err))
		case <-ctx.Done():
			p.Kill()
			return p.failed(fmt.Errorf("%w: %w", context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

// failed adds what helps to find out why: the log's name and its last lines.
func (p *Process) failed(err error) error {
	const lines = 15
	log, _ := os.ReadFile(p.Log)
	all := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return fmt.Errorf("%s: %w\nits log is %s and ends with:\n  %s", p.Name, err, p.Log, strings.Join(all, "\n  "))
}

var probeClient = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil},
}

// get fetches a URL of a part and returns the body of a 200.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: expected 200, got %d: %s", url, resp.StatusCode, body)
	}
	return body, nil
}
