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
	cmd.Env = toolEnv(dir, kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %q: %w\n%s%s", args, err, complaints.String(), out.String())
	}
	return out.String(), nil
}

// toolEnv has kubectl and helm keep in dir what they keep.
func toolEnv(dir, kubeconfig string) []string {
	return append(os.Environ(), "HOME="+dir, "KUBECONFIG="+kubeconfig, "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
}

// Shell runs a bash script in the checkout, where kubectl and helm are an administrator's, and returns all that it
// prints.
func (c *Cluster) Shell(ctx context.Context, script string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "bash", "-ec", script)
	cmd.Dir = root
	cmd.Env = append(toolEnv(c.Dir, c.Kubeconfig), "PATH="+filepath.Join(root, ".parts", "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", script, err, out)
	}
	return string(out), err
}
