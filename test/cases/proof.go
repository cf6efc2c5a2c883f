package cases

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proof makes a DPoP proof of "KEY ALG METHOD URI TOKEN", and of a header and claims
// that replace its own, null taking one away: HEADER CLAIMS, or CLAIMS alone.
func proof(text string) (string, error) {
	parts := strings.SplitN(text, " ", 6)
	if len(parts) < 5 {
		return "", fmt.Errorf("expected KEY ALG METHOD URI TOKEN")
	}
	jwk, err := publicJWK(parts[0])
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(parts[4]))
	header, claims := map[string]any{"typ": "dpop+jwt", "jwk": json.RawMessage(jwk), "kid": nil}, map[string]any{
		"htm": parts[2], "htu": parts[3], "ath": base64.RawURLEncoding.EncodeToString(sum[:]), "iat": Now.Unix(), "jti": "one"}
	if len(parts) == 6 {
		moreHeader, moreClaims := splitJSON(parts[5])
		if err := replace(header, moreHeader); err != nil {
			return "", err
		}
		if err := replace(claims, moreClaims); err != nil {
			return "", err
		}
	}
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return sign(parts[0], jose.SignatureAlgorithm(parts[1]), string(h), string(c))
}

func replace(members map[string]any, text string) error {
	var more map[string]json.RawMessage
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &more); err != nil {
		return err
	}
	for name, v := range more {
		members[name] = v
		if string(v) == "null" {
			delete(members, name)
		}
	}
	return nil
}

// thumbprint is that of a public key (RFC 7638).
func thumbprint(name string) (string, error) {
	k, err := Key(name)
	if err != nil {
		return "", err
	}
	sum, err := (&jose.JSONWebKey{Key: k.Public()}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// certificates are self-signed ones, one for each key that is asked for.
var certificates sync.Map

func certificate(name string) ([]byte, error) {
	if der, ok := certificates.Load(name); ok {
		return der.([]byte), nil
	}
	k, err := Key(name)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: Now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		return nil, err
	}
	first, _ := certificates.LoadOrStore(name, der)
	return first.([]byte), nil
}

// passedOn is a certificate as Envoy passes it on.
func passedOn(name string) (string, error) {
	der, err := certificate(name)
	return strings.ReplaceAll(url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))), "+", "%20"), err
}

// certificateThumbprint is that of a certificate (RFC 8705 3.1).
func certificateThumbprint(name string) (string, error) {
	der, err := certificate(name)
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:]), err
}
