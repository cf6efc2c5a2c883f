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
	if _, err := installed("test", "clients", "node_modules", "axios", "package.json"); err != nil {
		return ClientRun{}, err
	}
	program, err := installed("test", "clients", name)
	if err != nil {
		return ClientRun{}, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", program)
	cmd.Dir = filepath.Dir(program)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	run := ClientRun{Stdout: stdout.String(), Stderr: stderr.String()}
	if cmd.ProcessState != nil {
		run.ExitCode = cmd.ProcessState.ExitCode()
	}
	return run, err
}
