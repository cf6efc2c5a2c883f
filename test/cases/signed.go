package cases

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
)

// quotedPEM is a private or a public key in PEM as it stands in a text in quotes.
func quotedPEM(half, name string) (string, error) {
	if half == "public" {
		text, err := publicPEM(name)
		return inQuotes(text), err
	}
	key, err := Key(name)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return inQuotes(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), err
}

func inQuotes(text string) string { return strings.Trim(strconv.Quote(text), `"`) }

// checkSigned holds a header to a JWT of a key, whose kid is the thumbprint of the key
// and whose claims are those that are wanted, and a jti.
func checkSigned(headers []authz.Header, name, wanted string) error {
	words := strings.SplitN(wanted, " ", 3)
	if len(words) < 3 {
		return fmt.Errorf("expected KEY ALG CLAIMS")
	}
	for _, h := range headers {
		if h.Name == name {
			return checkJWT(h.Value[strings.LastIndex(h.Value, " ")+1:], words[0], jose.SignatureAlgorithm(words[1]), words[2])
		}
	}
	return fmt.Errorf("the header is not set")
}

func checkJWT(token, name string, alg jose.SignatureAlgorithm, wanted string) error {
	key, err := Key(name)
	if err != nil {
		return err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return err
	}
	claims, err := signed.Verify(key.Public())
	if err != nil {
		return err
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	header := signed.Signatures[0].Protected
	if kid := base64.RawURLEncoding.EncodeToString(thumbprint); header.KeyID != kid || header.ExtraHeaders["typ"] != "JWT" {
		return fmt.Errorf("the header is %+v", header)
	}
	var got, want map[string]any
	if err := json.Unmarshal(claims, &got); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(wanted), &want); err != nil {
		return err
	}
	if jti, _ := got["jti"].(string); len(jti) < 20 {
		return fmt.Errorf("the jti is %v", got["jti"])
	}
	delete(got, "jti")
	return checkMetadata(got, canonical(want))
}

func canonical(v any) string {
	text, _ := json.Marshal(v, json.Deterministic(true))
	return string(text)
}
