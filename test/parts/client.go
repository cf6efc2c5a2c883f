package parts

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// ClientRun is how a client program ended.
type ClientRun struct {
	ExitCode       int
	Stdout, Stderr string
}

// RunClient runs test/clients/NAME with node, and with env ("KEY=value") added to the environment.
// A client that exits with an error code is no error here.
func RunClient(ctx context.Context, name string, env ...string) (ClientRun, error) {
	return RunClientWith(ctx, name, nil, env...)
}

// RunClientWith is RunClient with arguments.
func RunClientWith(ctx context.Context, name string, args []string, env ...string) (ClientRun, error) {
	if _, err := installed("test", "clients", "node_modules", "axios", "package.json"); err != nil {
		return ClientRun{}, err
	}
	program, err := installed("test", "clients", name)
	if err != nil {
		return ClientRun{}, err
	}
	cmd := exec.CommandContext(ctx, "node", append([]string{program}, args...)...)
	cmd.Dir = filepath.Dir(program)
	return outcome(cmd, env)
}

// outcome runs a program to its end.
func outcome(cmd *exec.Cmd, env []string) (ClientRun, error) {
	var stdout, stderr bytes.Buffer
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	run := ClientRun{Stdout: stdout.String(), Stderr: stderr.String()}
	if cmd.ProcessState != nil {
		run.ExitCode = cmd.ProcessState.ExitCode()
	}
	return run, err
}
