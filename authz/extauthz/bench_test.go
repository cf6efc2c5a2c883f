package extauthz

import (
	"context"
	"net"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"

	"github.com/agentauth-dev/agentauth/authz"
)

// empty is the least an ext_authz server can do.
type empty struct {
	authv3.UnimplementedAuthorizationServer
}

func (empty) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &status.Status{}}, nil
}

func threeHeaders(context.Context, authz.Raw) authz.Decision {
	return authz.Decision{
		Outcome: authz.Allow,
		Set:     []authz.Header{{Name: "x-agent-id", Value: "a"}, {Name: "x-tenant", Value: "b"}, {Name: "x-scopes", Value: "c"}},
		Remove:  []string{"authorization", "x_agent_id"},
	}
}

// agentsCheck is a check as an agent's request makes it: a token of 800 bytes and a
// usual number of headers.
func agentsCheck(b testing.TB, listed bool) []byte {
	request := parse(b, `attributes {
	  source { address { socket_address { address: "10.12.33.7" port_value: 41234 } } principal: "spiffe://prod/ns/ingress/sa/gateway" }
	  destination { address { socket_address { address: "10.12.40.9" port_value: 8443 } } principal: "spiffe://prod/ns/tools/sa/api" }
	  request { time { seconds: 1 } http { id: "2425260417942089628" method: "POST" path: "/v1/tools/invoke?units=metric" host: "api.example.com" scheme: "https" size: 412 protocol: "HTTP/2" } }
	  context_extensions { key: "route" value: "tools" }
	  metadata_context { filter_metadata { key: "envoy.filters.http.rbac" value { fields { key: "tier" value { string_value: "gold" } } } } }
	  route_metadata_context { filter_metadata { key: "example" value { fields { key: "tier" value { string_value: "gold" } } } } }
	  tls_session { sni: "api.example.com" } }`)
	h := request.GetAttributes().GetRequest().GetHttp()
	headers := [][2]string{
		{":authority", "api.example.com"}, {":method", "POST"}, {":path", "/v1/tools/invoke?units=metric"}, {":scheme", "https"},
		{"accept", "application/json, text/event-stream"}, {"accept-encoding", "gzip, deflate, br"}, {"accept-language", "en-GB,en;q=0.9"},
		{"authorization", "Bearer " + strings.Repeat("abcdefgh", 100)}, {"cache-control", "no-cache"}, {"content-length", "412"},
		{"content-type", "application/json"}, {"mcp-session-id", "6f0d1f0e-8d3f-4a3f-9b16-3d6a1b8f2a10"}, {"origin", "https://chat.example.com"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, {"user-agent", "client/1.4.2 (linux; amd64) node/22.11.0"},
		{"x-forwarded-for", "203.0.113.7"}, {"x-forwarded-proto", "https"}, {"x-request-id", "b9a4c7b4-4b39-9b3f-8d57-2b3b0a7d8c11"},
	}
	h.Headers = map[string]string{}
	for _, header := range headers {
		if listed {
			if h.HeaderMap == nil {
				h.HeaderMap = &corev3.HeaderMap{}
			}
			h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: header[0], RawValue: []byte(header[1])})
		} else {
			h.Headers[header[0]] = header[1]
		}
	}
	return marshal(request)
}

// BenchmarkRead reads a check in both forms of headers: by the door, and by the
// library.
func BenchmarkRead(b *testing.B) {
	for name, listed := range map[string]bool{"headers": false, "header_map": true} {
		wire := mem.BufferSlice{mem.SliceBuffer(agentsCheck(b, listed))}
		c := newCodec(&Config{})
		b.Run(name+"/door", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q, _ := checks.Get().(*check)
				if err := c.Unmarshal(wire, q); err != nil || q.raw.Method != "POST" {
					b.Fatal(err)
				}
				q.release()
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var m authv3.CheckRequest
				if err := c.CodecV2.Unmarshal(wire, &m); err != nil {
					b.Fatal(err)
				}
				plainDecode(&m, noon)
			}
		})
	}
}

// BenchmarkAnswer writes an answer: by the door, and by the library.
func BenchmarkAnswer(b *testing.B) {
	d := threeHeaders(b.Context(), authz.Raw{})
	b.Run("door", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := encode(&d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m, err := plainEncode(d)
			if err != nil {
				b.Fatal(err)
			}
			marshal(m)
		}
	})
}

func TestReadingACheckAllocatesItsTextAndNoMore(t *testing.T) {
	c := newCodec(&Config{})
	for name, listed := range map[string]bool{"headers": false, "header_map": true} {
		wire := mem.BufferSlice{mem.SliceBuffer(agentsCheck(t, listed))}
		q := &check{}
		if got := testing.AllocsPerRun(100, func() {
			if err := c.Unmarshal(wire, q); err != nil {
				t.Fatal(err)
			}
			q.reset()
		}); got > 1 {
			t.Errorf("%s: expected one allocation, got %v", name, got)
		}
	}
}

// BenchmarkDoor is a whole call over loopback, client included, of this door
// and of an empty server.
func BenchmarkDoor(b *testing.B) {
	b.Run("door", func(b *testing.B) {
		call(b, open(b, Config{Decider: decide(threeHeaders)}).Addr())
	})
	b.Run("empty", func(b *testing.B) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s := grpc.NewServer()
		authv3.RegisterAuthorizationServer(s, empty{})
		go func() { _ = s.Serve(listener) }()
		b.Cleanup(s.Stop)
		call(b, listener.Addr())
	})
}

func call(b *testing.B, addr net.Addr) {
	conn, err := grpc.NewClient("passthrough:///"+addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	client, check := authv3.NewAuthorizationClient(conn), parse(b, plaintextCheck)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Check(b.Context(), check); err != nil {
			b.Fatal(err)
		}
	}
}
