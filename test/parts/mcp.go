package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// MCPServer is a server of the Model Context Protocol that knows nothing of OAuth.
type MCPServer struct {
	*Process
	Address string // host:port
}

// StartMCPServer runs the server of the official TypeScript SDK and returns when it answers.
func StartMCPServer(ctx context.Context, dir string) (*MCPServer, error) {
	program, err := installed("test", "clients", "node_modules", "@modelcontextprotocol", "sdk", "package.json")
	if err != nil {
		return nil, err
	}
	return startMCPServer(ctx, dir, "mcp-server", "node", filepath.Join(filepath.Dir(program), "..", "..", "..", "mcp-server.mjs"))
}

// StartGoMCPServer is StartMCPServer for the official Go SDK, and its version 2026-07-28.
func StartGoMCPServer(ctx context.Context, dir, program string) (*MCPServer, error) {
	return startMCPServer(ctx, dir, "mcp-go-server", program, "server")
}

func startMCPServer(ctx context.Context, dir, name, program string, args ...string) (*MCPServer, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &MCPServer{Address: loopback(port)}
	if s.Process, err = start(name, dir, program, append(args, strconv.Itoa(port))...); err != nil {
		return nil, err
	}
	return s, s.ready(ctx, func(ctx context.Context) error {
		_, err := get(ctx, probeClient, "http://"+s.Address+"/healthz")
		return err
	})
}

// BuildMCP compiles the client and server of the Go SDK, a module of its own, and returns the program.
func BuildMCP(ctx context.Context, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "mcp")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, "test", "tools", "mcp"), "-o", program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%q: %w\n%s", cmd.Args, err, out)
	}
	return program, nil
}

// RunMCP runs that program as a client.
func RunMCP(ctx context.Context, program string, args []string, env ...string) (ClientRun, error) {
	return outcome(exec.CommandContext(ctx, program, append([]string{"client"}, args...)...), env)
}

// Event is a line of JSON that an MCP client says of what happened.
type Event map[string]any

// Text is a member, as text; "" if there is none.
func (e Event) Text(name string) string {
	if e[name] == nil {
		return ""
	}
	return fmt.Sprint(e[name])
}

// Events are the lines that a client wrote.
func (r ClientRun) Events() (events []Event, err error) {
	for line := range strings.Lines(r.Stdout) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return events, fmt.Errorf("expected lines of JSON, got %q and %s", line, r.Stderr)
		}
		events = append(events, e)
	}
	if r.ExitCode != 0 {
		return events, fmt.Errorf("the client ended with %d: %s", r.ExitCode, r.Stderr)
	}
	return events, nil
}
