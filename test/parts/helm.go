package parts

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Helm runs helm in the checkout, for a cluster or, without a kubeconfig, for none, and returns what it prints;
// its complaints are in the error. What it keeps is in dir.
func Helm(ctx context.Context, dir, kubeconfig, stdin string, args ...string) (string, error) {
	path, err := installed(".parts", "bin", "helm")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = filepath.Dir(filepath.Dir(filepath.Dir(path)))
	cmd.Env = append(os.Environ(), "HOME="+dir, "KUBECONFIG="+kubeconfig,
		"HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %q: %w\n%s%s", args, err, complaints.String(), out.String())
	}
	return out.String(), nil
}
