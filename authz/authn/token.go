package authn

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// ErrNotToken says that a credential does not have the form of a JWT.
var ErrNotToken = errors.New("the credential is no JWT")

// Token is a JWT whose form is sound (RFC 7515 7.1, RFC 8725). Nothing in it
// is verified. Only these values are ever used: whatever a library might read
// differently from the same bytes has no effect.
type Token struct {
	Raw                string
	Algorithm, KeyID   string
	Type, Issuer       string // as sent, "" if there is none
	HasType, HasIssuer bool
	Claims             map[string]any

	// attempts are the keys that the signature was checked with.
	attempts []attempt
}

// Ends is when the token ends by its own word, which may be a fraction of a second; false:
// it has no end that is a date.
func (t *Token) Ends() (time.Time, bool) { return numericDate(t.Claims["exp"]) }

// ParseToken parses the compact form and nothing else: strict base64url, JSON
// without duplicate names or a byte order mark, header parameters of the
// right types. A claim or header parameter that is null is absent. It returns ErrNotToken, or a *Rejected for what has the form of
// a JWT and is malformed: that is a bad credential whoever could own it.
func ParseToken(raw string) (*Token, error) {
	if !authz.IsJWT(raw) {
		return nil, ErrNotToken
	}
	if len(raw) > authz.MaxToken {
		return nil, malformed("a token has at most 16 KiB")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, malformed(fmt.Sprintf("a signed token has three parts between dots, this one has %d%s", len(parts), encrypted(len(parts))))
	}
	header, err := decodeObject(parts[0])
	if err != nil {
		return nil, badToken("its header", err)
	}
	claims, err := decodeObject(parts[1])
	if err != nil {
		return nil, badToken("its payload", err)
	}
	dropNulls(claims)
	if _, err := decodeBase64URL(parts[2]); err != nil {
		return nil, badToken("its signature", err)
	}
	t := &Token{Raw: raw, Claims: claims}
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	if iss, ok := claims["iss"]; ok {
		if t.Issuer, t.HasIssuer = iss.(string); !t.HasIssuer {
			return nil, malformed("its iss is " + kind(iss) + ", expected a text (RFC 7519 4.1.1)")
		}
	}
	return t, nil
}

// badToken says what is wrong with a part of a token.
func badToken(part string, err error) error {
	var b *badPart
	if errors.As(err, &b) && b.name != "" {
		return &Rejected{Reason: authz.CredentialMalformed, Detail: part + " " + b.problem,
			Came: func() string { return "the name " + Quote(b.name) + " occurs twice" }}
	}
	return malformed(part + " " + err.Error())
}

func encrypted(parts int) string {
	if parts == 5 {
		return ": encrypted tokens are not accepted"
	}
	return ""
}

// readHeader takes what the policy and the key need to know. jku, x5u, jwk and
// x5c are ignored: a token does not say which key to trust (RFC 8725 3.5). A
// member that is null is absent, but for crit: whoever writes it means something.
func (t *Token) readHeader(h map[string]any) error {
	if _, present := h["crit"]; present {
		return malformed("its header has crit, and no extension is understood (RFC 7515 4.1.11)")
	}
	text := func(name string, to *string) (present bool, err error) {
		v := h[name]
		s, ok := v.(string)
		if v != nil && !ok {
			return true, malformed("the " + name + " in its header is " + kind(v) + ", expected a text (RFC 7515 4.1)")
		}
		*to = s
		return ok, nil
	}
	hasAlg, err := text("alg", &t.Algorithm)
	if err == nil {
		_, err = text("kid", &t.KeyID)
	}
	if err == nil {
		t.HasType, err = text("typ", &t.Type)
	}
	switch {
	case err != nil:
		return err
	case !hasAlg:
		return malformed("its header has no alg")
	case h["b64"] != nil:
		return malformed("its header has b64, which is not accepted (RFC 7797)")
	case h["cty"] != nil:
		return malformed("its header has cty: nested tokens are not accepted")
	}
	return nil
}

func malformed(detail string) error { return reject(authz.CredentialMalformed, detail) }
