package cases

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Keys of the cases are made once for a run: rsa1, rsa2, rsa1024, ec1, ec2
// (P-256), ec384, ec521, ed1. Each has its name as kid. What is shared is in
// secret.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	must := func(name string, k crypto.Signer, err error) {
		if err != nil {
			panic(err)
		}
		out[name] = k
	}
	for _, name := range []string{"rsa1", "rsa2"} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		must(name, k, err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024) // #nosec G403 -- so that it is refused
	must("rsa1024", weak, err)
	for name, curve := range map[string]elliptic.Curve{"ec1": elliptic.P256(), "ec2": elliptic.P256(), "ec384": elliptic.P384(), "ec521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		must(name, k, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must("ed1", ed, err)
	return out
})

// Key returns a key of the cases.
func Key(name string) (crypto.Signer, error) {
	if k := keys()[name]; k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("unknown key %q", name)
}

// secret returns a shared secret: "hmac" is ${secret 64}, "hmac2" the same
// turned round, "hmac32" and "hmac48" its beginnings, "empty" nothing at all;
// "pem:KEY", "der:KEY" and "jwk:KEY" are public keys that are taken for one.
func secret(name string) ([]byte, bool) {
	s := []byte(strings.Repeat("0123456789abcdef", 4))
	switch name {
	case "hmac":
		return s, true
	case "hmac2":
		return []byte(strings.Repeat("fedcba9876543210", 4)), true
	case "hmac32":
		return s[:32], true
	case "hmac48":
		return s[:48], true
	case "empty":
		return []byte{}, true
	}
	form, key, _ := strings.Cut(name, ":")
	var text string
	var err error
	switch form {
	case "pem":
		text, err = publicPEM(key)
	case "der":
		var der []byte
		der, err = publicDER(key)
		text = string(der)
	case "jwk":
		text, err = publicJWK(key)
	default:
		return nil, false
	}
	return []byte(text), err == nil
}

func publicDER(name string) ([]byte, error) {
	k, err := Key(name)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(k.Public())
}

func publicPEM(name string) (string, error) {
	der, err := publicDER(name)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

func publicJWK(name string) (string, error) {
	k, err := Key(name)
	if err != nil {
		return "", err
	}
	b, err := jose.JSONWebKey{Key: k.Public()}.MarshalJSON()
	return string(b), err
}

func jwkSet(names []string) (string, error) {
	set := jose.JSONWebKeySet{}
	for _, name := range names {
		k, err := Key(name)
		if err != nil {
			return "", err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: name})
	}
	b, err := json.Marshal(set)
	return string(b), err
}

// sign makes a token. The header and the claims go into it as they are
// written, but for alg, typ and kid, which the header need not name.
func sign(name string, alg jose.SignatureAlgorithm, header, claims string) (string, error) {
	params := map[string]json.RawMessage{}
	fields := map[string]any{"alg": alg, "typ": "JWT", "kid": name}
	if header != "" {
		if err := json.Unmarshal([]byte(header), &params); err != nil {
			return "", fmt.Errorf("header: %w", err)
		}
	}
	for k, v := range params {
		fields[k] = v
	}
	maps.DeleteFunc(fields, func(_ string, v any) bool {
		raw, ok := v.(json.RawMessage)
		return ok && string(raw) == "null"
	})
	h, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	input := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := signBytes(name, alg, input)
	return input + "." + signature, err
}
