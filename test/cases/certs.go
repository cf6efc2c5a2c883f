package cases

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// authorities are made once for a run: mesh, other, and ended, whose time is over.
// second has the name of mesh and another key.
var authorities = sync.OnceValue(func() map[string]*x509.Certificate {
	out := map[string]*x509.Certificate{}
	for name, subject := range map[string]string{"mesh": "mesh", "second": "mesh", "other": "other", "ended": "ended"} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign, NotBefore: Now.Add(-time.Hour), NotAfter: Now.Add(time.Hour),
		}
		if name == "ended" {
			template.NotBefore, template.NotAfter = Now.Add(-2*time.Hour), Now.Add(-time.Hour)
		}
		cert, err := issue(template, template, authorityKeys[name], authorityKeys[name])
		if err != nil {
			panic(err)
		}
		out[name] = cert
	}
	return out
})

// authorityKeys are the keys of authorities by their names.
var authorityKeys = map[string]string{"mesh": "ec1", "second": "ec2", "other": "ed1", "ended": "ec384"}

func issue(template, parent *x509.Certificate, key, by string) (*x509.Certificate, error) {
	subject, err := Key(key)
	if err != nil {
		return nil, err
	}
	signer, err := Key(by)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, subject.Public(), signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// authorityPEM is the certificate of an authority, for a text in double quotes.
func authorityPEM(name string) (string, error) {
	ca := authorities()[name]
	if ca == nil {
		return "", fmt.Errorf("unknown authority %q", name)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	return strings.ReplaceAll(string(text), "\n", `\n`), nil
}

// ClientPEM is the certificate of a client, of an authority. members say more of it, as
// a JSON object, which may be missing.
func ClientPEM(authority, members string) (string, error) {
	of := struct {
		Key, Name, Usage string
		URI, DNS, Email  []string
		Begins, Ends     int
		Authority        bool
		Padding          int
	}{Key: "ec2", Name: "robot", Usage: "client", Begins: -60, Ends: 600}
	if members != "" {
		if err := json.Unmarshal([]byte(members), &of); err != nil {
			return "", err
		}
	}
	ca := authorities()[authority]
	if ca == nil {
		return "", fmt.Errorf("unknown authority %q", authority)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xa1), Subject: pkix.Name{CommonName: of.Name}, DNSNames: of.DNS, EmailAddresses: of.Email,
		NotBefore: Now.Add(time.Duration(of.Begins) * time.Second), NotAfter: Now.Add(time.Duration(of.Ends) * time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, IsCA: of.Authority, BasicConstraintsValid: of.Authority,
		ExtKeyUsage: map[string][]x509.ExtKeyUsage{"client": {x509.ExtKeyUsageClientAuth}, "server": {x509.ExtKeyUsageServerAuth}, "any": {x509.ExtKeyUsageAny}}[of.Usage],
	}
	if of.Padding > 0 {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, of.Padding)})
	}
	if len(of.URI) > 0 { // as they are written
		names := make([]asn1.RawValue, len(of.URI))
		for i, uri := range of.URI {
			names[i] = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}
		}
		value, err := asn1.Marshal(names)
		if err != nil {
			return "", err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	}
	cert, err := issue(template, ca, of.Key, authorityKeys[authority])
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})), nil
}

// issued are the certificates of this run: whoever names one twice means the same.
var issued sync.Map

func issuedOnce(of string) (string, error) {
	authority, members, _ := strings.Cut(of, " ")
	text, err := ClientPEM(authority, members)
	once, _ := issued.LoadOrStore(of, percentEncoded(text))
	return once.(string), err
}

// percentEncoded is a text as Envoy encodes a certificate.
func percentEncoded(s string) string {
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(s)
}

// thumbprintOf is the SHA-256 of a percent-encoded certificate.
func thumbprintOf(text string) (string, error) {
	decoded, err := url.PathUnescape(text)
	block, _ := pem.Decode([]byte(decoded))
	if err != nil || block == nil {
		return "", fmt.Errorf("no certificate: %s", strconv.Quote(text))
	}
	return hexOf(block.Bytes), nil
}
