package parts

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func TestIssuedCertificatesHoldTheirNamesAndEnds(t *testing.T) {
	ca, err := NewCA("test")
	Must(t, err)
	start := time.Now().Add(-2 * time.Hour)
	pair, err := ca.Issue(Leaf{URIs: []string{"spiffe://a/b"}, NotBefore: start, Lifetime: time.Hour})
	Must(t, err)
	key, err := tls.X509KeyPair(pair.Cert, pair.Key)
	Must(t, err)
	options := x509.VerifyOptions{Roots: ca.Pool(), CurrentTime: start.Add(time.Minute)}
	if _, err := key.Leaf.Verify(options); err != nil {
		t.Errorf("within its lifetime: %v", err)
	}
	options.CurrentTime = time.Now()
	if _, err := key.Leaf.Verify(options); err == nil {
		t.Error("an hour after its end it still verifies")
	}
	if len(key.Leaf.URIs) != 1 || key.Leaf.URIs[0].String() != "spiffe://a/b" {
		t.Errorf("its URIs are %v", key.Leaf.URIs)
	}
}
