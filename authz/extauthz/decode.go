package extauthz

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

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
		Source:            readSource(attrs.GetSource()),
		ContextExtensions: attrs.GetContextExtensions(),
		Metadata:          readMetadata(attrs.GetMetadataContext()),
		Route:             readRoute(attrs.GetRouteMetadataContext()),
		Time:              now,
	}
	raw.TLS = overTLS(attrs.GetTlsSession() != nil, raw.Scheme, headers)
	raw.Body, raw.BodyKnown = readBody(raw.Method, http, headers)
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
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func last(headers []authz.Header, name string) (value string, found bool) {
	for _, h := range slices.Backward(headers) {
		if strings.EqualFold(h.Name, name) {
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
	if !session && !strings.EqualFold(scheme, "https") {
		return false
	}
	for _, h := range headers {
		if strings.EqualFold(h.Name, "x-forwarded-proto") && !strings.EqualFold(h.Value, "https") {
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
