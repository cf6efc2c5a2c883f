package authn

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// forwardedElement is an element of x-forwarded-client-cert as Envoy writes it:
// pairs with ';' between them. Other keys than these are read and left out.
type forwardedElement struct {
	// Cert is PEM, percent-encoded. Hash is the SHA-256 of the certificate in
	// hexadecimal digits.
	Cert, Hash             string
	hasCert, hasHash, many bool
}

// lastCertificate is the certificate of the last element, or what is wrong with the
// header. The header is read strictly as a whole: what a caller put before the last
// element cannot change where that begins.
func lastCertificate(header string) (certificate, problem string) {
	e, ok := lastElement(header)
	switch {
	case !ok:
		return "", "expected elements of KEY=VALUE with ';' between them and ',' between elements, and values in quotes that have these characters"
	case e.many:
		return "", "the last element has Cert or Hash twice"
	case !e.hasCert:
		return "", "the last element has no Cert, and Chain or Hash stand for none: let the proxy add it (Envoy: set_current_client_cert_details: {cert: true})"
	case e.hasHash && !e.fits():
		return "", "the Hash of the last element is another certificate's than its Cert"
	}
	return e.Cert, ""
}

// fits says whether Hash is the digest of Cert. A certificate that cannot be decoded
// has no digest, and is refused for that.
func (e *forwardedElement) fits() bool {
	der, err := decodeCertificate(e.Cert)
	if err != nil {
		return true
	}
	sum := sha256.Sum256(der)
	return strings.EqualFold(e.Hash, hex.EncodeToString(sum[:]))
}

// lastElement reads the whole header.
func lastElement(s string) (e forwardedElement, ok bool) {
	for {
		e = forwardedElement{}
		s = strings.TrimLeft(s, " \t") // of fields that were joined
		for {
			if s, ok = e.pair(s); !ok {
				return e, false
			}
			if !strings.HasPrefix(s, ";") {
				break
			}
			s = s[1:]
		}
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return e, true
		}
		if s[0] != ',' {
			return e, false
		}
		s = s[1:]
	}
}

// pair reads KEY=VALUE and returns what follows.
func (e *forwardedElement) pair(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
		n++
	}
	if n == 0 || n == len(s) || s[n] != '=' {
		return "", false
	}
	key, s := s[:n], s[n+1:]
	value, rest, ok := forwardedValue(s)
	switch {
	case !ok:
		return "", false
	case strings.EqualFold(key, "cert"):
		e.many = e.many || e.hasCert
		e.Cert, e.hasCert = value, true
	case strings.EqualFold(key, "hash"):
		e.many = e.many || e.hasHash
		e.Hash, e.hasHash = value, true
	}
	return rest, true
}

// forwardedValue reads a value. In quotes a backslash belongs to the character behind
// it; both are a part of the value, which neither a Cert nor a Hash has.
func forwardedValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",;\" \t")
		if end < 0 {
			return s, "", true
		}
		return s[:end], s[end:], s[end] != '"'
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}
