package servingcert

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Entries of the Secret.
const (
	currentCert, currentKey = corev1.TLSCertKey, corev1.TLSPrivateKeyKey
	nextCert, nextKey       = "next.crt", "next.key"
	trusted                 = "ca.crt"
)

// material is what the Secret holds.
type material struct {
	current, next *pair
	// authorities are all that a certificate which somebody may still serve
	// verifies to.
	authorities []*x509.Certificate
}

// read takes what can be used; the error says what cannot, and is made anew.
func read(data map[string][]byte) (m material, err error) {
	if len(data) == 0 {
		return m, nil
	}
	if m.current, err = readPair(data[currentCert], data[currentKey]); err != nil {
		return material{}, fmt.Errorf("%s: %w", currentCert, err)
	}
	if len(data[nextCert]) > 0 {
		if m.next, err = readPair(data[nextCert], data[nextKey]); err != nil {
			err = fmt.Errorf("%s: %w", nextCert, err)
		}
	}
	for block, rest := pem.Decode(data[trusted]); block != nil; block, rest = pem.Decode(rest) {
		cert, bad := x509.ParseCertificate(block.Bytes)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: a certificate cannot be parsed", trusted))
			continue
		}
		m.trust(cert)
	}
	for _, p := range []*pair{m.current, m.next} {
		if p != nil {
			m.trust(p.authority)
		}
	}
	return m, err
}

func (m *material) trust(ca *x509.Certificate) {
	if !slices.ContainsFunc(m.authorities, ca.Equal) {
		m.authorities = append(m.authorities, ca)
	}
}

// data is what read reads.
func (m *material) data() map[string][]byte {
	out := map[string][]byte{currentCert: m.current.certPEM, currentKey: m.current.keyPEM, trusted: m.bundle()}
	if m.next != nil {
		out[nextCert], out[nextKey] = m.next.certPEM, m.next.keyPEM
	}
	return out
}

// bundle is what the configuration should trust.
func (m *material) bundle() []byte {
	var out []byte
	for _, ca := range m.authorities {
		out = append(out, encode(ca.Raw)...)
	}
	return out
}

// advance is the next step, if it is time for one. settled: whoever verifies
// has trusted the next certificate for long enough.
func (m material) advance(names []string, now time.Time, validity time.Duration, settled bool) (material, error) {
	// Of two clocks that are far apart one is wrong, and none can tell which: what
	// replaces a certificate that is not valid yet ends no earlier, so that both
	// take it and neither makes another.
	until := now.Add(validity)
	for _, p := range []*pair{m.current, m.next} {
		if p.early(now) && p.Leaf.NotAfter.After(until) {
			until = p.Leaf.NotAfter
		}
	}
	fresh := func() (*pair, error) {
		p, err := issue(names, now, until)
		if err == nil {
			m.trust(p.authority)
		}
		return p, err
	}
	var err error
	m.authorities = slices.DeleteFunc(slices.Clone(m.authorities), func(ca *x509.Certificate) bool { return !now.Before(ca.NotAfter) })
	switch {
	case !m.current.serves(names, now): // the first, or of other names or another time: nothing better is to be had
		if m.next.serves(names, now) {
			m.current, m.next = m.next, nil
		} else {
			m.next = nil
			m.current, err = fresh()
		}
	case m.next != nil && !m.next.serves(names, now):
		m.next, err = fresh()
	case m.next != nil && settled:
		m.current, m.next = m.next, nil
	case m.next == nil && m.current.due(now):
		m.next, err = fresh()
	}
	return m, err
}
