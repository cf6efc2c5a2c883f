package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// certificates: writes ca.crt, ca.yaml, tls.crt and tls.key, and client.crt and client.key
// for envoy.example.com, and so door for door.example.com, and operator for
// operator.example.com.
func certificates(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(writeCertificates(ts.MkAbs(".")))
}

func writeCertificates(dir string) error {
	ca, err := parts.NewCA("test")
	if err != nil {
		return err
	}
	if _, err = ca.Write(dir, "ca"); err != nil {
		return err
	}
	if err := writeAuthority(dir); err != nil {
		return err
	}
	pair, err := ca.Server("localhost")
	if err != nil {
		return err
	}
	if _, _, err = pair.Write(dir, "tls"); err != nil {
		return err
	}
	for file, name := range map[string]string{"client": "envoy.example.com", "door": "door.example.com", "operator": "operator.example.com"} {
		pair, err := ca.Issue(parts.Leaf{DNSNames: []string{name}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err != nil {
			return err
		}
		if _, _, err = pair.Write(dir, file); err != nil {
			return err
		}
	}
	return nil
}

// writeAuthority writes ca.yaml, a ConfigMap with ca.crt.
func writeAuthority(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return err
	}
	manifest := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mesh-ca, namespace: shop, labels: {agentauth.dev/use: ca}}\ndata: {ca.crt: %q}\n", data)
	return os.WriteFile(filepath.Join(dir, "ca.yaml"), []byte(manifest), 0o600)
}

// keys: writes ec.pem and ed.pem, public.pem of the first, and jwks.json of
// both, the first with the kid 2027-01.
func keys(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(writeKeys(ts.MkAbs("."))) }

func writeKeys(dir string) error {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	for name, key := range map[string]crypto.Signer{"ec.pem": ec, "ed.pem": ed} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, name), "PRIVATE KEY", der); err != nil {
			return err
		}
	}
	der, err := x509.MarshalPKIXPublicKey(ec.Public())
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, "public.pem"), "PUBLIC KEY", der); err != nil {
		return err
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: ec.Public(), KeyID: "2027-01"}, {Key: ed.Public()}}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "jwks.json"), set, 0o600)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
