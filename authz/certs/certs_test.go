package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestEveryAuthorityThatIsWrittenDownIsInForceOrRefused(t *testing.T) {
	good := certificate(t)
	for name, c := range map[string]struct{ data, wants string }{
		"one":                          {good, ""},
		"two, with text around them":   {"the first\n" + good + "the second\n" + certificate(t) + "the end\n", ""},
		"nothing":                      {"", "there are none"},
		"no PEM":                       {"hunter2", "there are none"},
		"a private key beside one":     {good + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "block 2 is of another type"},
		"what is no certificate":       {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 cannot be parsed"},
		"one, and one that has no end": {good + good[:len(good)-30], "block 2 is broken"},
		"one that has no end":          {good[:len(good)-30], "block 1 is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := Pool([]byte(c.data))
			if c.wants == "" {
				if err != nil || pool == nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.wants) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("expected %q, got %v", c.wants, err)
			}
		})
	}
}
