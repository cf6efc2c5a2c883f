package parts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// AgentauthConfig is how `agentauth serve` is run.
type AgentauthConfig struct {
	Dir    string   // run directory
	Binary string   // of Build, or `make build`
	Args   []string // after serve and the two addresses
}

// Agentauth is a running `agentauth serve`.
type Agentauth struct {
	*Process
	GRPCAddress    string
	MetricsAddress string
}

// Build compiles cmd/agentauth and returns the binary. Flags are those of `go build`, such as "-race".
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "agentauth")
	args := append(append([]string{"build", "-pgo=auto", "-o", binary}, flags...), "./cmd/agentauth")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %q: %w\n%s", args, err, out)
	}
	return binary, nil
}

// StartAgentauth runs `agentauth serve` with free ports for its two addresses, and returns when it says
// that it is ready.
func StartAgentauth(ctx context.Context, config AgentauthConfig) (*Agentauth, error) {
	a, err := LaunchAgentauth(config)
	if err != nil {
		return nil, err
	}
	return a, a.ready(ctx, func(ctx context.Context) error {
		_, err := a.Get(ctx, "/readyz")
		return err
	})
}

// LaunchAgentauth is StartAgentauth without waiting.
func LaunchAgentauth(config AgentauthConfig) (*Agentauth, error) {
	grpcPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	metricsPort, err := FreePort()
	if err != nil {
		return nil, err
	}
	a := &Agentauth{GRPCAddress: loopback(grpcPort), MetricsAddress: loopback(metricsPort)}
	args := append([]string{"serve", "--grpc-address", a.GRPCAddress, "--metrics-address", a.MetricsAddress}, config.Args...)
	a.Process, err = start("agentauth", config.Dir, config.Binary, args...)
	return a, err
}

// Get fetches a path of the metrics address: "/metrics", "/readyz?verbose".
func (a *Agentauth) Get(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, probeClient, "http://"+a.MetricsAddress+path)
}

// Records reads the JSON lines of the log so far. A line that is no JSON object is an error: logs are
// read by programs.
func (a *Agentauth) Records() ([]map[string]any, error) {
	content, err := os.ReadFile(a.Log)
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(content, '\n') + 1 // what follows is still being written
	var records []map[string]any
	lines := bufio.NewScanner(bytes.NewReader(content[:whole]))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var record map[string]any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("%s: expected a JSON object, got %q: %w", a.Log, lines.Text(), err)
		}
		records = append(records, record)
	}
	return records, lines.Err()
}
