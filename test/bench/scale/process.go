package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const processHeader = "| policies in a directory | text each | ready after | one policy in force after | VmRSS each, loaded | after changes |\n|---|---|---|---|---|---|"

// metricsAddress is where agentauth says that it is ready, and what it loaded.
var metricsAddress string

// measureProcess starts `agentauth serve --policies` with a file for each namespace.
func measureProcess(ctx context.Context, binary string, n int) (string, error) {
	dir, err := os.MkdirTemp("", "scale-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	text, err := writeAll(dir, n)
	if err != nil {
		return "", err
	}
	port, err := parts.FreePort()
	if err != nil {
		return "", err
	}
	metricsAddress = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	cmd := exec.CommandContext(ctx, binary, "serve", "--policies", dir, "--grpc-address", "127.0.0.1:0", "--metrics-address", metricsAddress, "--log-level", "error")
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := parts.StartGroup(cmd); err != nil {
		return "", err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if err := until(ctx, ready); err != nil {
		return "", fmt.Errorf("%w: readyz of %d policies", err, n)
	}
	took := time.Since(began)
	loaded, err := rss(cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	generation, err := metric("agentauth_config_reloads_total")
	if err != nil {
		return "", err
	}
	began = time.Now()
	if err := writeOne(dir); err != nil {
		return "", err
	}
	if err := until(ctx, func() bool {
		now, err := metric("agentauth_config_reloads_total")
		return err == nil && now != generation
	}); err != nil {
		return "", fmt.Errorf("%w: the change of a policy", err)
	}
	change := time.Since(began)
	after, err := rss(cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %d | %d B | %s | %s | %d B | %d B |", n, text/n, ms(took), ms(change), loaded/n, after/n), nil
}

// writeAll writes the manifests of n policies and their Secrets, and returns how long they are.
func writeAll(dir string, n int) (text int, err error) {
	for first := 0; first < n; first += perNamespace {
		var all strings.Builder
		for i := first; i < min(n, first+perNamespace); i++ {
			all.WriteString("---\n" + manifest(number(i)))
			if hasSecret(i) {
				all.WriteString("---\n" + manifest(secretManifest(i)))
			}
		}
		text += all.Len()
		if err := os.WriteFile(filepath.Join(dir, namespace(first)+".yaml"), []byte(all.String()), 0o600); err != nil {
			return 0, err
		}
	}
	return text, nil
}

func secretManifest(i int) *corev1.Secret {
	o := secretOf(namespace(i), "keys-of-"+app(i), app(i), i*perApp, (i+1)*perApp)
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, Labels: o.Labels}, Data: o.Data,
	}
}

// writeOne writes the file of the first namespace anew with one policy changed.
func writeOne(dir string) error {
	name := filepath.Join(dir, namespace(0)+".yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	next := strings.Replace(string(text), "value: identity.subject", "value: identity.method", 1)
	if err := os.WriteFile(name+".next", []byte(next), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".next", name)
}

// until waits for something to become true.
func until(ctx context.Context, is func() bool) error {
	deadline := time.Now().Add(5 * time.Minute)
	for !is() {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.New("expected within 5 minutes, and it did not come")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

func fetch(path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+metricsAddress+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

func ready() bool {
	answer, err := fetch("/readyz")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// rss is the resident memory of a process in bytes.
func rss(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, line, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(line)[0])
	return kb << 10, err
}

// metric is the sum of a counter of the process, as text.
func metric(name string) (string, error) {
	answer, err := fetch("/metrics")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name) && strings.Contains(line, `"ok"`) {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("expected the metric %s, and there is none", name)
}
