package servingcert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"time"
)

// backdated is how long before it is made a certificate begins. What a clock makes
// that is ahead is so valid for API servers at once, and what others make is valid
// for a clock that is behind.
const backdated = 2 * 365 * 24 * time.Hour

// pair is a certificate with its authority behind it, and its key.
type pair struct {
	certPEM, keyPEM []byte
	tls.Certificate // with Leaf
	authority       *x509.Certificate
}

// issue makes a pair for a server of these DNS names and addresses. The
// authority's key signs this once and is gone.
func issue(names []string, now, until time.Time) (*pair, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca, err := template(now, until)
	if err != nil {
		return nil, err
	}
	ca.Subject = pkix.Name{CommonName: "agentauth webhook"}
	ca.IsCA, ca.BasicConstraintsValid, ca.MaxPathLenZero, ca.KeyUsage = true, true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return nil, err
	}
	leaf, err := template(now, until)
	if err != nil {
		return nil, err
	}
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return readPair(append(encode(der), encode(caDER)...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func template(now, until time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return &x509.Certificate{SerialNumber: serial, NotBefore: now.Add(-backdated), NotAfter: until}, err
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// readPair reads what issue wrote.
func readPair(certPEM, keyPEM []byte) (*pair, error) {
	p := &pair{certPEM: certPEM, keyPEM: keyPEM}
	var err error
	if p.Certificate, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, errors.New("it is no certificate with its key")
	}
	if len(p.Certificate.Certificate) != 2 {
		return nil, errors.New("expected a certificate and that of its authority")
	}
	if p.authority, err = x509.ParseCertificate(p.Certificate.Certificate[1]); err != nil || p.Leaf.CheckSignatureFrom(p.authority) != nil {
		return nil, errors.New("the certificate is not of the authority beside it")
	}
	return p, nil
}

func (p *pair) equal(o *pair) bool {
	return p == nil && o == nil || p != nil && o != nil && bytes.Equal(p.certPEM, o.certPEM)
}

// serves says whether a client that looks for these names takes it now.
func (p *pair) serves(names []string, now time.Time) bool {
	if p == nil || !now.Before(p.Leaf.NotAfter) || p.early(now) {
		return false
	}
	for _, name := range names {
		if p.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// early says whether it is not valid yet.
func (p *pair) early(now time.Time) bool { return p != nil && now.Before(p.Leaf.NotBefore) }

// due says whether the next should be made: for the last third of its validity,
// or of the default where clocks that are apart made it longer.
func (p *pair) due(now time.Time) bool {
	made := p.Leaf.NotBefore.Add(backdated)
	return !now.Before(p.Leaf.NotAfter.Add(-min(p.Leaf.NotAfter.Sub(made), DefaultValidity) / 3))
}
