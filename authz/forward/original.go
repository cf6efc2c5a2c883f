package forward

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxBody is what is read of the body of a subrequest, in bytes.
const maxBody = 4 << 20

// original is the request that a subrequest is about. An error says what the proxy has
// to be told; it holds nothing of the request.
func (s *Server) original(r *http.Request) (authz.Raw, error) {
	d, h := s.dialect, read{r.Header, nil}
	raw := authz.Raw{
		ID: r.Header.Get("x-request-id"), Method: h.said(d.method, r.Method), Scheme: h.one(d.proto),
		Host: h.said(d.host, r.Host), Path: h.said(d.target, r.RequestURI), Joined: d.joined, Time: s.clock(),
	}
	raw.Source.Address = h.address(d.source)
	switch {
	case h.bad != nil:
		return raw, h.bad
	case !strings.HasPrefix(raw.Path, "/") || strings.Contains(raw.Path, "#"):
		return raw, fmt.Errorf("the target of a request is no path with or without a query: expected one in %s", or(d.target, "the request line"))
	}
	if raw.Scheme, h.bad = scheme(d.proto, raw.Scheme); h.bad != nil {
		return raw, h.bad
	}
	if s.refuseXFCC && len(r.Header[http.CanonicalHeaderKey(clientCertificate)]) > 0 {
		return raw, fmt.Errorf("the header %s came, which policies believe (--trust-xfcc) and this proxy does not write: let it remove a caller's own", clientCertificate)
	}
	raw.TLS = raw.Scheme == "https"
	err := s.readBody(r, &raw)
	raw.Headers = s.headers(r, raw.BodyKnown)
	return raw, err
}

// clientCertificate is the header in which Envoy names the certificate of a client.
const clientCertificate = "x-forwarded-client-cert"

// read reads headers of which the proxy is the author. bad is the first problem.
type read struct {
	header http.Header
	bad    error
}

// said is the value of a header, or what the subrequest says itself where the dialect has
// no header for it.
func (h *read) said(name, own string) string {
	if name == "" {
		return own
	}
	return h.one(name)
}

// one is the value of a header that comes once.
func (h *read) one(name string) string {
	values := h.header[http.CanonicalHeaderKey(name)]
	if len(values) == 1 && values[0] != "" {
		return values[0]
	}
	if h.bad == nil {
		h.bad = fmt.Errorf("expected one header %s, got %d: let the proxy set it, over what the caller sent", name, len(values))
	}
	return ""
}

// address is that of the peer of the proxy. In a list it is the last one: each proxy adds
// who it got the request from.
func (h *read) address(name string) string {
	values := h.header[http.CanonicalHeaderKey(name)]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return "" // nothing is known of the peer
	}
	last := h.one(name)
	if name == "x-forwarded-for" {
		last = strings.Trim(last[strings.LastIndexByte(last, ',')+1:], " \t")
	}
	ip, known := peer(last)
	if !known && h.bad == nil {
		h.bad = fmt.Errorf("expected an IP address in the header %s", name)
	}
	if !ip.IsValid() {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}

// peer reads how proxies write who they got a request from. Who came over a Unix socket
// has no address: nginx writes "unix:", Go "@", Envoy the path of the socket, and others
// "-" or nothing. It is not valid then. known is false for what is neither.
func peer(said string) (ip netip.Addr, known bool) {
	switch {
	case said == "", said == "-", said[0] == '@', said[0] == '/', strings.HasPrefix(said, "unix:"):
		return ip, true
	}
	if with, err := netip.ParseAddrPort(said); err == nil {
		return with.Addr(), true
	}
	if inner, ok := strings.CutPrefix(said, "["); ok && strings.HasSuffix(inner, "]") {
		said = strings.TrimSuffix(inner, "]")
		if !strings.Contains(said, ":") {
			return ip, false // brackets are for IPv6
		}
	}
	ip, err := netip.ParseAddr(said)
	return ip, err == nil
}

// scheme is that of HTTP, also for what becomes a WebSocket.
func scheme(name, said string) (string, error) {
	switch said {
	case "http", "ws":
		return "http", nil
	case "https", "wss":
		return "https", nil
	}
	return "", fmt.Errorf("expected http or https in the header %s", name)
}

// headers are those of the original request, in the order of their names: net/http keeps
// that of one name alone. The length of a body that is not passed on is that of the
// subrequest.
func (s *Server) headers(r *http.Request, bodyKnown bool) []authz.Header {
	out := make([]authz.Header, 0, len(r.Header))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		lower := strings.ToLower(name)
		if !s.trustForwarded && slices.Contains(s.dialect.written, lower) || lower == "connection" && !s.dialect.removes ||
			lower == "content-length" && !bodyKnown {
			continue
		}
		for _, value := range r.Header[name] {
			out = append(out, authz.Header{Name: lower, Value: value})
		}
	}
	return out
}

// partialBody is what Envoy adds where it was told to pass on bodies.
const partialBody = "x-envoy-auth-partial-body"

var errBody = errors.New("the body of a subrequest cannot be read, or is too large")

// readBody reads the body where a proxy can pass on the whole of it. One that is empty
// is not known: it may have been left out.
func (s *Server) readBody(r *http.Request, raw *authz.Raw) error {
	switch s.dialect.name {
	case "envoy":
		if marks := r.Header.Values(partialBody); len(marks) != 1 || marks[0] != "false" {
			return nil
		}
	case "traefik": // forwardBody passes on the whole body, or refuses the request
	default:
		return nil
	}
	if r.ContentLength == 0 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return errBody
	}
	raw.Body, raw.BodyKnown = body, len(body) > 0
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
