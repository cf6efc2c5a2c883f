package parts

import (
	"context"
	"fmt"
	"os/exec"
)

// Promtool runs Prometheus' promtool in the checkout, and returns all that it prints.
func Promtool(ctx context.Context, args ...string) (string, error) {
	path, err := installed(".parts", "bin", "promtool")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	if cmd.Dir, err = Root(); err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("promtool %q: %w\n%s", args, err, out)
	}
	return string(out), nil
}
