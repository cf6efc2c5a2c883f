package main

import (
	"encoding/json"
	"strings"
)

// mcpServer is the policy of the main scenario, of an MCP server: a call has its tool and an argument looked at.
func mcpServer() []string {
	policy := strings.Replace(tools(), "value: /v1/tools", "value: /", 1)
	return []string{strings.Replace(policy, "  response:\n", `  mcp:
    resource: `+audience+`
    authorizationServers: [`+issuer+`]
    allowedOrigins: [https://chat.example.com]
    tools: [{names: [weather], scopes: ["tools:list"], require: 'mcp.arguments.units == "metric"'}]
  response:
`, 1)}
}

// callOf makes requests calls of a tool, whose message has so many bytes.
func callOf(r []request, bytes int) []request {
	message := func(filler string) []byte {
		text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{
			"name": "weather", "arguments": map[string]any{"units": "metric", "text": filler}}})
		must(err)
		return text
	}
	for i := range r {
		r[i].body = message(strings.Repeat("0123456789abcdef", bytes/16)[:bytes-len(message(""))])
	}
	return r
}
