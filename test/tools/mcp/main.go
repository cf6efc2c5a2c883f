// Command mcp is an agent and a server with the official Go SDK of the Model Context Protocol, which speaks its version
// 2026-07-28. It is a module of its own, so that the SDK is no dependency of agentauth.
//
//	mcp server PORT
//	MCP_URL=… MCP_TOKEN=… MCP_VERSION=… mcp client [list | TOOL ARGUMENTS]...
//
// The client trusts SSL_CERT_FILE, and says what happened in lines of JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		err = serve(os.Args[2])
	case len(os.Args) > 1 && os.Args[1] == "client":
		err = call(context.Background(), os.Args[2:])
	default:
		err = fmt.Errorf("expected server PORT or client, got %q", os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mcp:", err)
		os.Exit(1)
	}
}

type search struct {
	Query string `json:"query"`
}

type refund struct {
	Order  string  `json:"order"`
	Amount float64 `json:"amount"`
}

// serve answers who called, as the proxy says it, and refuses what carries a credential.
func serve(port string) error {
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "search_orders"}, func(_ context.Context, r *mcp.CallToolRequest, in search) (*mcp.CallToolResult, any, error) {
		return told(r, "an order of "+in.Query), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "refund"}, func(_ context.Context, r *mcp.CallToolRequest, in refund) (*mcp.CallToolResult, any, error) {
		return told(r, fmt.Sprintf("refunded %v of %s", in.Amount, in.Order)), nil, nil
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("authorization") != "" {
			http.Error(w, "a credential came to the server", http.StatusInternalServerError)
			return
		}
		handler.ServeHTTP(w, r)
	})
	return (&http.Server{Addr: "127.0.0.1:" + port, Handler: mux, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe()
}

func told(r *mcp.CallToolRequest, what string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: what + " for " + r.Extra.Header.Get("x-agent-id")}}}
}

// bearer sends a token, and says what was answered.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("authorization", "Bearer "+string(b))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		say(map[string]any{"fetch": r.URL.String(), "status": resp.StatusCode, "method": r.Header.Get("mcp-method"), "name": r.Header.Get("mcp-name")})
	}
	return resp, err
}

func call(ctx context.Context, steps []string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: os.Getenv("MCP_URL"), HTTPClient: &http.Client{Transport: bearer(os.Getenv("MCP_TOKEN"))}, MaxRetries: -1,
	}, &mcp.ClientSessionOptions{ProtocolVersion: os.Getenv("MCP_VERSION")})
	if err != nil {
		return err
	}
	defer session.Close()
	say(map[string]any{"connected": session.InitializeResult().ServerInfo.Name, "version": session.InitializeResult().ProtocolVersion})
	for _, step := range steps {
		result, err := do(ctx, session, step)
		if err != nil {
			say(map[string]any{"step": step, "error": err.Error()})
			continue
		}
		say(map[string]any{"step": step, "result": result})
	}
	return nil
}

func do(ctx context.Context, session *mcp.ClientSession, step string) (any, error) {
	name, text, _ := strings.Cut(step, " ")
	if name == "list" {
		listed, err := session.ListTools(ctx, nil)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, t := range listed.Tools {
			names = append(names, t.Name)
		}
		return names, nil
	}
	var arguments map[string]any
	if err := json.Unmarshal([]byte(text), &arguments); err != nil {
		return nil, err
	}
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		return nil, err
	}
	if text, ok := result.Content[0].(*mcp.TextContent); ok {
		return text.Text, nil
	}
	return nil, fmt.Errorf("expected a text")
}

func say(line map[string]any) {
	b, _ := json.Marshal(line) // of texts and numbers
	fmt.Println(string(b))
}
