package main

import (
	"fmt"
	"strings"
)

// requestBytes is an agent's call of a tool, of 1.3 KiB without its body.
func requestBytes(token string, body int) []byte {
	var b strings.Builder
	method := "GET"
	if body > 0 {
		method = "POST"
	}
	fmt.Fprintf(&b, "%s /v1/tools/weather/invoke?units=metric&lang=en HTTP/1.1\r\n", method)
	for _, header := range [][2]string{
		{"host", "api.example.com"},
		{"authorization", "Bearer " + token},
		{"accept", "application/json, text/event-stream"},
		{"accept-encoding", "gzip, deflate, br"},
		{"accept-language", "en-GB,en;q=0.9"},
		{"cache-control", "no-cache"},
		{"mcp-session-id", "6f0d1f0e-8d3f-4a3f-9b16-3d6a1b8f2a10"},
		{"origin", "https://chat.example.com"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		{"user-agent", "tools-client/1.4.2 (linux; amd64) node/22.11.0"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", header[0], header[1])
	}
	if body > 0 {
		fmt.Fprintf(&b, "content-type: application/json\r\ncontent-length: %d\r\n", body)
	}
	b.WriteString("\r\n")
	b.WriteString(strings.Repeat("x", body))
	return []byte(b.String())
}
