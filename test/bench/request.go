package main

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// A form is how Envoy writes the fields of a request.
type form string

const (
	headers   form = "headers"    // a map of texts, the default
	headerMap form = "header_map" // encode_raw_headers: a list of bytes
)

// A request is what a caller asks of the proxy.
type request struct {
	host, path string
	credential [2]string // name and value of its header; none without a name
	more       [][2]string
	body       []byte
	// certificate is what the proxy hands on of the client's; "" is none.
	certificate string
}

func bearer(token string) request {
	return request{host: "api.example.com", path: "/v1/tools/weather/invoke?units=metric&lang=en", credential: [2]string{"authorization", "Bearer " + token}}
}

func bearers(tokens []string) []request {
	out := make([]request, len(tokens))
	for i, t := range tokens {
		out[i] = bearer(t)
	}
	return out
}

func login(user, password string) request {
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return request{host: "reports.example.com", path: "/reports/2027?format=csv", credential: [2]string{"authorization", "Basic " + pair}}
}

func withKey(key string) request {
	return request{host: "inventory.example.com", path: "/items?page=2", credential: [2]string{"x-api-key", key}}
}

// requestID is where each message that is sent gets a number of its own, as each request has its own id.
const requestID = "b9a4c7b4-4b39-9b3f-8d57-2b3b0a7d8c11"

// fields are those of a client of MCP behind a load balancer, in the order in which they came.
func (r request) fields() [][2]string {
	out := [][2]string{
		{":authority", r.host}, {":method", "POST"}, {":path", r.path}, {":scheme", "https"},
		{"accept", "application/json, text/event-stream"}, {"accept-encoding", "gzip, deflate, br"}, {"accept-language", "en-GB,en;q=0.9"},
		{"cache-control", "no-cache"}, {"content-length", strconv.Itoa(max(len(r.body), 412))}, {"content-type", "application/json"},
		{"mcp-session-id", "6f0d1f0e-8d3f-4a3f-9b16-3d6a1b8f2a10"}, {"origin", "https://chat.example.com"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		{"user-agent", "mcp-client/1.4.2 (linux; amd64) node/22.11.0"},
		{"x-client-ip", "203.0.113.7"}, {"x-envoy-external-address", "203.0.113.7"}, {"x-forwarded-for", "203.0.113.7"},
		{"x-forwarded-proto", "https"}, {"x-request-id", requestID},
	}
	if r.credential[0] != "" {
		out = append(out, r.credential)
	}
	if len(r.body) > 0 {
		out = append(out, [2]string{"x-envoy-auth-partial-body", "false"})
	}
	return append(out, r.more...)
}

// check is the message that Envoy's filter sends.
func (r request) check(f form) *authv3.CheckRequest {
	extension, err := structpb.NewStruct(map[string]any{"tenant": "acme", "route": "tools", "tier": "gold", "weight": 3.0})
	must(err)
	http := &authv3.AttributeContext_HttpRequest{
		Id: "1234567890123456789", Method: "POST", Path: r.path, Host: r.host, Scheme: "https", Protocol: "HTTP/2",
		Size: int64(max(len(r.body), 412)), RawBody: r.body,
	}
	switch f {
	case headers:
		http.Headers = map[string]string{}
		for _, h := range r.fields() {
			http.Headers[h[0]] = h[1]
		}
	case headerMap:
		http.HeaderMap = &corev3.HeaderMap{}
		for _, h := range r.fields() {
			http.HeaderMap.Headers = append(http.HeaderMap.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
		}
	}
	source := peer("10.12.33.7", 41234, "")
	source.Certificate = r.certificate
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:               source,
		Destination:          peer("10.12.40.9", 8443, "spiffe://cluster.local/ns/tools/sa/tools-api"),
		Request:              &authv3.AttributeContext_Request{Time: timestamppb.Now(), Http: http},
		MetadataContext:      &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy.filters.http.rbac": extension}},
		RouteMetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"example.policy": extension}},
		TlsSession:           &authv3.AttributeContext_TLSSession{Sni: r.host},
	}}
}

func peer(ip string, port uint32, principal string) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Principal: principal, Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}},
	}}}
}

// messages are requests as they go over the wire.
type messages struct {
	list []message
	once bool // each is sent once
	sent int
}

type message struct {
	frame []byte
	id    int // where the request's id is
}

func encode(requests []request, f form, once bool) *messages {
	m := &messages{once: once, list: make([]message, len(requests))}
	for i, r := range requests {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.check(f))
		must(err)
		m.list[i].frame = worker.Frame(text)
		m.list[i].id = bytes.Index(m.list[i].frame, []byte(requestID))
	}
	return m
}

// next returns the next message, with an id of its own, and begins again after the last, unless each is sent once.
func (m *messages) next() ([]byte, bool) {
	if m.once && m.sent == len(m.list) {
		return nil, false
	}
	one := m.list[m.sent%len(m.list)]
	m.sent++
	number := strconv.FormatInt(int64(m.sent), 16)
	copy(one.frame[one.id:], strings.Repeat("0", 8-min(8, len(number)))+number)
	return one.frame, true
}
