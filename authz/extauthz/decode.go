package extauthz

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

// decode reads a check in either wire form. It judges nothing: what is missing
// stays empty, and authz.NewRequest refuses it. now is the door's clock, since
// a request must not choose its own time.
func decode(check *authv3.CheckRequest, now time.Time) authz.Raw {
	attrs := check.GetAttributes()
	http := attrs.GetRequest().GetHttp()
	headers := readHeaders(http)
	raw := authz.Raw{
		ID:                cmp.Or(first(headers, "x-request-id"), http.GetId()), // Envoy's own id is in no other log
		Method:            cmp.Or(http.GetMethod(), first(headers, ":method")),
		Scheme:            cmp.Or(http.GetScheme(), first(headers, ":scheme")),
		Host:              cmp.Or(http.GetHost(), first(headers, ":authority")),
		Path:              cmp.Or(http.GetPath(), first(headers, ":path")),
		Headers:           headers,
		Joined:            len(http.GetHeaders()) > 0,
		Source:            readSource(attrs.GetSource()),
		ContextExtensions: attrs.GetContextExtensions(),
		Metadata:          readMetadata(attrs.GetMetadataContext()),
		Route:             readRoute(attrs.GetRouteMetadataContext()),
		Time:              now,
	}
	raw.TLS = overTLS(attrs.GetTlsSession() != nil, raw.Scheme, headers)
	raw.Body, raw.BodyKnown = readBody(http, headers)
	return raw
}

// readHeaders returns the fields of `headers` in the order of their names, for
// a map has none, then those of `header_map` (encode_raw_headers) as they are.
// Envoy sends one of the two; of a message with both nothing is overlooked.
func readHeaders(http *authv3.AttributeContext_HttpRequest) []authz.Header {
	out := make([]authz.Header, 0, len(http.GetHeaders())+len(http.GetHeaderMap().GetHeaders()))
	for name, value := range http.GetHeaders() {
		out = append(out, authz.Header{Name: name, Value: value})
	}
	slices.SortFunc(out, func(a, b authz.Header) int { return strings.Compare(a.Name, b.Name) })
	for _, h := range http.GetHeaderMap().GetHeaders() {
		value := h.GetValue()
		if raw := h.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		out = append(out, authz.Header{Name: h.GetKey(), Value: value})
	}
	return out
}

// first and last return a header's value by its name in lower case.
func first(headers []authz.Header, name string) string {
	for _, h := range headers {
		if authz.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func last(headers []authz.Header, name string) (value string, found bool) {
	for _, h := range slices.Backward(headers) {
		if authz.EqualFold(h.Name, name) {
			return h.Value, true
		}
	}
	return "", false
}

// overTLS says whether the caller reached the proxy over TLS. tls_session is
// Envoy's own measurement, but is only sent with include_tls_session, so the
// scheme has to do without it. A caller can choose the scheme (:scheme of
// HTTP/2, the absolute form of HTTP/1.1, both passed on as sent) and, unless
// Envoy overwrites it (use_remote_address, no trusted hops), x-forwarded-proto.
// So every word there is must say TLS. Where a caller can forge them all, it
// still only waives the protection of a credential that is its own.
func overTLS(session bool, scheme string, headers []authz.Header) bool {
	if !session && !authz.EqualFold(scheme, "https") {
		return false
	}
	for _, h := range headers {
		if authz.EqualFold(h.Name, "x-forwarded-proto") && !authz.EqualFold(h.Value, "https") {
			return false
		}
	}
	return true
}

// readSource writes the address as RFC 5952 does; a peer that has no IP
// address (a pipe, an internal listener) has none here either.
func readSource(peer *authv3.AttributeContext_Peer) authz.Source {
	source := authz.Source{Principal: peer.GetPrincipal()}
	if ip, err := netip.ParseAddr(peer.GetAddress().GetSocketAddress().GetAddress()); err == nil {
		source.Address = ip.Unmap().WithZone("").String()
	}
	return source
}

// readMetadata returns the untyped metadata by namespace; every number in it
// is a float64. typed_filter_metadata is ignored.
func readMetadata(m *corev3.Metadata) map[string]any {
	if len(m.GetFilterMetadata()) == 0 {
		return nil
	}
	out := make(map[string]any, len(m.GetFilterMetadata()))
	for namespace, s := range m.GetFilterMetadata() {
		out[namespace] = s.AsMap()
	}
	return out
}

// partialBody is appended by Envoy (with_request_body) behind whatever the
// caller sent under that name, so only the last one is Envoy's. It is left
// among the headers.
const partialBody = "x-envoy-auth-partial-body"

// readBody returns the body and whether it is all of it. A caller can send
// partialBody where Envoy was not told to, so an empty body is never believed
// on its word: only content-length: 0 says that there is none. A method says
// nothing: a GET can have a body in chunks, and Envoy passes on no
// transfer-encoding of HTTP/1 by which it could be noticed. Without pack_as_bytes
// Envoy writes '!' for bytes that are not UTF-8, which cannot be seen here; docs and
// samples use pack_as_bytes.
func readBody(http *authv3.AttributeContext_HttpRequest, headers []authz.Header) ([]byte, bool) {
	body := http.GetRawBody()
	if text := http.GetBody(); text != "" {
		body = []byte(text)
	}
	stated, agrees := contentLength(headers, len(body))
	partial, marked := last(headers, partialBody)
	_, coded := last(headers, "transfer-encoding")
	switch {
	case marked && partial != "false", !agrees:
		return body, false
	case len(body) > 0:
		return body, marked
	default:
		return body, !coded && stated
	}
}

// contentLength says whether there is a content-length, and whether every one
// is that of the body; one that is no plain number ("5,5", "05") is not.
func contentLength(headers []authz.Header, size int) (stated, agrees bool) {
	want := strconv.Itoa(size)
	for _, h := range headers {
		if !authz.EqualFold(h.Name, "content-length") {
			continue
		}
		if stated = true; h.Value != want {
			return true, false
		}
	}
	return stated, true
}

// routeNamespace is where Envoy Gateway's includeRouteMetadata names the route:
// resources[0] {kind, namespace, name and, for a named rule, sectionName}.
const routeNamespace = "envoy-gateway"

// readRoute returns nil only if the proxy says nothing about the route. A word
// that cannot be read is an empty RouteRef, a route that nobody knows, never
// nil, and never a route without its rule: both would be a weaker policy.
func readRoute(m *corev3.Metadata) *authz.RouteRef {
	s, untyped := m.GetFilterMetadata()[routeNamespace]
	if _, typed := m.GetTypedFilterMetadata()[routeNamespace]; !untyped && !typed {
		return nil
	}
	resources := s.GetFields()["resources"].GetListValue().GetValues()
	if len(resources) == 0 {
		return &authz.RouteRef{}
	}
	fields := resources[0].GetStructValue().GetFields()
	readable := true
	text := func(name string) string {
		v, present := fields[name]
		_, isText := v.GetKind().(*structpb.Value_StringValue)
		readable = readable && (isText || !present)
		return v.GetStringValue()
	}
	ref := &authz.RouteRef{
		Kind: text("kind"), Namespace: text("namespace"), Name: text("name"), SectionName: text("sectionName"),
	}
	if !readable {
		return &authz.RouteRef{}
	}
	return ref
}
