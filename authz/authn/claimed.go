package authn

import (
	"strings"
	"unicode"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxClaimed is how many bytes of a text of a credential nobody verified are told.
const maxClaimed = 256

// claiming is an authenticator whose credentials say in a way of their own of whom they
// are. The texts are as they came; "" says nothing.
type claiming interface {
	claimed(p *Presented) authz.Claim
}

// Claimed is what a credential that nobody verified says of its holder, nil if it says
// nothing. The method that it was for is nil if there was none: then a JWT alone says
// something. Nothing of it is a part of the request, or of the credential itself.
func Claimed(method Authenticator, p *Presented) *authz.Claim {
	if w, ok := method.(interface{ Unwrap() Authenticator }); ok {
		method = w.Unwrap()
	}
	var c authz.Claim
	if m, ok := method.(claiming); ok {
		c = m.claimed(p)
	} else if t, err := p.Token(); err == nil {
		c.Issuer = t.Issuer
		c.Subject, _ = ClaimText(t.Claims["sub"])
		c.CredentialID, _ = ClaimText(t.Claims["jti"])
	}
	c.Issuer, c.Subject, c.CredentialID = toldText(c.Issuer), toldText(c.Subject), toldText(c.CredentialID)
	if c == (authz.Claim{}) {
		return nil
	}
	out := c // c itself would be allocated for each credential
	return &out
}

// toldText is what is told of a text that anybody may have written: at most maxClaimed
// bytes, without characters that nobody sees; "" for a text that has a token.
func toldText(s string) string {
	if hasToken(s) {
		return ""
	}
	if len(s) > maxClaimed {
		s = strings.ToValidUTF8(strings.Clone(s[:maxClaimed]), "")
	}
	if !strings.ContainsFunc(s, isUnseen) {
		return s
	}
	return strings.Map(func(c rune) rune {
		if isUnseen(c) {
			return -1
		}
		return c
	}, s)
}

func isUnseen(c rune) bool { return !unicode.IsGraphic(c) || c == unicode.ReplacementChar }

// hasToken says whether a text is a JWT, or has one somewhere.
func hasToken(s string) bool {
	const object = "eyJ" // {" in base64url, with which their headers begin
	_, behind, found := strings.Cut(s, object)
	return found && strings.Count(behind, ".") >= 2 || authz.IsJWT(s)
}
