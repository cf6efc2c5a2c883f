package parts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority for one test.
type CA struct {
	PEM  []byte // its certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Leaf says what a certificate is for. The zero value is valid for an hour, has no name at all, and may
// be used as server and as client.
type Leaf struct {
	CommonName string
	DNSNames   []string
	IPs        []net.IP
	URIs       []string
	NotBefore  time.Time     // default: five minutes ago
	Lifetime   time.Duration // default: one hour
	Usage      []x509.ExtKeyUsage
}

// Pair is a certificate and its key, both PEM.
type Pair struct{ Cert, Key []byte }

// NewCA makes a certificate authority that is valid from a day ago, so that leaves may have expired, to
// a day from now.
func NewCA(name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert: cert, key: key}, nil
}

// Pool holds the CA's certificate alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Issue makes a key and a certificate for it.
func (ca *CA) Issue(leaf Leaf) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: leaf.CommonName},
		DNSNames:     leaf.DNSNames, IPAddresses: leaf.IPs,
		NotBefore: leaf.NotBefore, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: leaf.Usage,
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-5 * time.Minute)
	}
	template.NotAfter = template.NotBefore.Add(leaf.Lifetime)
	if leaf.Lifetime == 0 {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if leaf.Usage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, text := range leaf.URIs {
		uri, err := url.Parse(text)
		if err != nil {
			return Pair{}, err
		}
		template.URIs = append(template.URIs, uri)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return Pair{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}, nil
}

// Server is a certificate for localhost, 127.0.0.1 and the given names.
func (ca *CA) Server(dnsNames ...string) (Pair, error) {
	return ca.Issue(Leaf{
		DNSNames: append([]string{"localhost"}, dnsNames...), IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
		Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// Client is a client certificate with one URI SAN, such as a SPIFFE id.
func (ca *CA) Client(uri string) (Pair, error) {
	return ca.Issue(Leaf{URIs: []string{uri}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// Write puts the CA's certificate into DIR/NAME.crt.
func (ca *CA) Write(dir, name string) (certFile string, err error) {
	certFile = filepath.Join(dir, name+".crt")
	return certFile, replace(certFile, ca.PEM)
}

// Write puts the pair into DIR/NAME.crt and DIR/NAME.key, replacing each in one step.
func (p Pair) Write(dir, name string) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if err := replace(keyFile, p.Key); err != nil {
		return "", "", err
	}
	return certFile, keyFile, replace(certFile, p.Cert)
}

// replace writes a file as programs that are watching it like it: whole, by rename.
func replace(path string, content []byte) error {
	half := path + ".new"
	if err := os.WriteFile(half, content, 0o600); err != nil {
		return err
	}
	return os.Rename(half, path)
}

// HTTPClient trusts this CA alone. With a certificate it shows that one.
func (ca *CA) HTTPClient(certificates ...tls.Certificate) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: ca.Pool(), Certificates: certificates, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}
}
