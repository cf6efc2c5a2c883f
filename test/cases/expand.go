package cases

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Expand replaces ${…}:
//
//	${now+3600}                    seconds since 1970
//	${base64 TEXT}                 base64 with padding
//	${sha256 TEXT}                 sha256:<hex>
//	${repeat N TEXT}               TEXT, N times
//	${secret N}                    a shared secret of N bytes
//	${jwt KEY ALG CLAIMS}          a token; KEY is of keys.go, CLAIMS is JSON
//	${jwt KEY ALG HEADER CLAIMS}   with more header parameters, which replace alg, typ and kid
//	${parts HEADER CLAIMS TEXT}    header.claims.TEXT, encoded, signed by nobody
//	${good MEMBERS}                claims that most policies here accept, and MEMBERS
//	${base64url TEXT}              base64url without padding
//	${signed KEY ALG TEXT}         TEXT.signature, whatever TEXT is
//	${twist HOW TOKEN}             TOKEN with another signature, see twist.go
//	${jwks KEY…}                   a JWK Set
//	${jwk KEY MEMBERS}             a JWK, and MEMBERS
//	${pem KEY}                     a public key in PEM
//	${private KEY}                 a private key in PEM (PKCS #8), for a text in quotes
//	${public KEY}                  a public key in PEM, for a text in quotes
//	${ca NAME}                     the certificate of an authority of certs.go, for a text in quotes
//	${cert CA MEMBERS}             a client's certificate, percent-encoded PEM; see ClientPEM
//	${thumbprint CERT}             the SHA-256 of a certificate, in hexadecimal digits
//	${dpop KEY ALG METHOD URI TOKEN HEADER CLAIMS}  a DPoP proof for TOKEN, see proof.go
//	${jkt KEY}                     the thumbprint of a public key
//	${certificate KEY}             a client certificate, as Envoy passes it on
//	${x5t KEY}                     the thumbprint of that certificate
//
// JSON is taken as it is written, so that it can be wrong; what is inside is
// expanded first. TEXT is a Go string if it is in quotes. MEMBERS are those of
// a JSON object, as in "sub":"bob","exp":1, and may be missing; they are
// written behind the others, so that a name can be there twice.
func Expand(s string) (string, error) {
	for {
		// The innermost comes first.
		end, start := -1, -1
		for i := 0; i < len(s); i++ {
			if strings.HasPrefix(s[i:], "${") {
				start = i
			}
			if s[i] == '}' && start >= 0 && balanced(s[start+2:i]) {
				end = i
				break
			}
		}
		if end < 0 {
			return s, nil
		}
		value, err := expandOne(s[start+2 : end])
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", s[start+2:end], err)
		}
		s = s[:start] + value + s[end+1:]
	}
}

// balanced says whether every brace of JSON that was opened is closed.
func balanced(s string) bool { return strings.Count(s, "{") == strings.Count(s, "}") }

func expandOne(s string) (string, error) {
	verb, rest, _ := strings.Cut(s, " ")
	if after, ok := strings.CutPrefix(verb, "now"); ok {
		offset := 0
		if after != "" {
			var err error
			if offset, err = strconv.Atoi(after); err != nil {
				return "", err
			}
		}
		return strconv.FormatInt(Now.Unix()+int64(offset), 10), nil
	}
	switch verb {
	case "good":
		return withMembers(`{"iss":"https://idp.example.com","aud":"orders","sub":"alice","exp":`+
			strconv.FormatInt(Now.Unix()+3600, 10)+`}`, rest), nil
	case "base64url":
		return base64.RawURLEncoding.EncodeToString([]byte(unquote(rest))), nil
	case "signed":
		key, rest, _ := strings.Cut(rest, " ")
		alg, text, _ := strings.Cut(rest, " ")
		signature, err := signBytes(key, jose.SignatureAlgorithm(alg), text)
		return text + "." + signature, err
	case "twist":
		how, token, _ := strings.Cut(rest, " ")
		return twist(how, token)
	case "jwk":
		key, members, _ := strings.Cut(rest, " ")
		text, err := publicJWK(key)
		return withMembers(text, members), err
	case "pem":
		return publicPEM(rest)
	case "private", "public":
		return quotedPEM(verb, rest)
	case "ca":
		return authorityPEM(rest)
	case "cert":
		return issuedOnce(rest)
	case "thumbprint":
		return thumbprintOf(rest)
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(unquote(rest))), nil
	case "sha256":
		return "sha256:" + hexOf([]byte(unquote(rest))), nil
	case "secret":
		n, err := strconv.Atoi(rest)
		return strings.Repeat("0123456789abcdef", n/16+1)[:n], err
	case "repeat":
		times, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(times)
		return strings.Repeat(unquote(text), n), err
	case "dpop":
		return proof(rest)
	case "jkt":
		return thumbprint(rest)
	case "certificate":
		return passedOn(rest)
	case "x5t":
		return certificateThumbprint(rest)
	case "jwks":
		return jwkSet(strings.Fields(rest))
	case "jwt":
		key, rest, _ := strings.Cut(rest, " ")
		alg, rest, _ := strings.Cut(rest, " ")
		header, claims := splitJSON(rest)
		return sign(key, jose.SignatureAlgorithm(alg), header, claims)
	case "parts":
		header, rest := splitJSON(rest)
		i := strings.LastIndex(rest, "} ")
		if header == "" || i < 0 {
			return "", fmt.Errorf("expected HEADER CLAIMS TEXT")
		}
		enc := base64.RawURLEncoding.EncodeToString
		return enc([]byte(header)) + "." + enc([]byte(rest[:i+1])) + "." + unquote(rest[i+2:]), nil
	}
	return "", fmt.Errorf("unknown verb %q", verb)
}

// hexOf is the SHA-256 of data in hexadecimal digits.
func hexOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// withMembers writes members into a JSON object, behind its own.
func withMembers(object, members string) string {
	if members == "" {
		return object
	}
	return strings.TrimSuffix(object, "}") + "," + members + "}"
}

// splitJSON splits "{…} {…}" behind its first object; with one object only,
// that is the second result.
func splitJSON(s string) (first, rest string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				if i+2 < len(s) && s[i+1] == ' ' {
					return s[:i+1], s[i+2:]
				}
				return "", s
			}
		}
	}
	return "", s
}
