package authn

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
)

// maxSPIFFE and maxTrustDomain are the longest SPIFFE id and name of a trust domain in
// bytes (SPIFFE-ID 2.1, 2.3).
const (
	maxSPIFFE      = 2048
	maxTrustDomain = 255
	spiffeScheme   = "spiffe://"
)

// trustDomain is the trust domain of the SPIFFE id of a workload. It is read byte for
// byte: one workload has one spelling (SPIFFE-ID 2).
func trustDomain(id string) (domain string, err error) {
	rest, ok := strings.CutPrefix(id, spiffeScheme)
	domain, path, hasPath := strings.Cut(rest, "/")
	switch {
	case !ok:
		return "", errors.New("expected a SPIFFE id, which begins with " + spiffeScheme)
	case len(id) > maxSPIFFE || len(domain) > maxTrustDomain:
		return "", errors.New("expected a SPIFFE id of at most 2048 bytes, whose trust domain has at most 255")
	case domain == "" || strings.ContainsFunc(domain, func(c rune) bool { return c >= 'A' && c <= 'Z' || !isSPIFFE(c) }):
		return "", errors.New("the trust domain of a SPIFFE id is letters of lower case, digits, '-', '.' or '_'")
	case !hasPath:
		return "", errors.New("the SPIFFE id has no path, so it names a trust domain and no workload")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(c rune) bool { return !isSPIFFE(c) }) {
			return "", errors.New("the segments of a SPIFFE id are letters, digits, '-', '.' or '_', and none is empty, '.' or '..'")
		}
	}
	return domain, nil
}

func isSPIFFE(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// uriNames are the URIs of the subject alternative names as they are written: a
// url.URL would be another spelling of some.
func uriNames(cert *x509.Certificate) (out []string) {
	for _, e := range cert.Extensions {
		var names []asn1.RawValue
		if !e.Id.Equal(oidAlternativeNames) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &names); err != nil || len(rest) > 0 {
			return nil
		}
		for _, n := range names {
			if n.Class == asn1.ClassContextSpecific && n.Tag == uniformResourceIdentifier {
				out = append(out, string(n.Bytes))
			}
		}
	}
	return out
}

// Of RFC 5280 4.2.1.6.
var oidAlternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}

const uniformResourceIdentifier = 6
