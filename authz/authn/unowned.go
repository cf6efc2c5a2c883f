package authn

import (
	"iter"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// Unowned says what came, beside what was wanted, where a place holds something
// and no method knows it. found is nil where the place has another scheme.
func Unowned(methods []Authenticator, r *authz.Request, place Place, found *Presented) string {
	if found == nil {
		return otherScheme(methods, r, place)
	}
	t, err := found.Token()
	if err == nil {
		return otherIssuer(methods, t)
	}
	for reads := range readers(methods, place) {
		if (!reads.Tokens || reads.Asks) && slices.ContainsFunc(reads.Places, place.same) {
			return ""
		}
	}
	return "it is no JWT, wanted a JWT: " + noToken(found.Value)
}

// noToken says why a credential is no JWT, without a part of it.
func noToken(s string) string {
	switch dots := strings.Count(s, "."); {
	case slices.Contains([]string{"undefined", "null", "None", "nil", "NaN"}, s):
		return "it is the word " + s + ", which programs write for what they do not have"
	case strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "'"):
		return "it is in quotes"
	case dots == 0:
		return "a token without dots (opaque) can only be introspected (RFC 7662), by a method oauth2Introspection; or ask the provider for a JWT, often by naming the audience in the token request"
	case dots == 1:
		return "it has two parts between dots, a JWT has three: is the signature missing?"
	}
	return "its first part is no JSON object in base64url"
}

// readers are what methods read that read the header, cookie or parameter.
func readers(methods []Authenticator, place Place) iter.Seq[Reads] {
	return func(yield func(Reads) bool) {
		for _, m := range methods {
			reads := m.Reads()
			here := func(p Place) bool { return p.In == place.In && p.Name == place.Name }
			if slices.ContainsFunc(reads.Places, here) && !yield(reads) {
				return
			}
		}
	}
}

// otherIssuer compares the issuer of a token with those of the methods.
func otherIssuer(methods []Authenticator, t *Token) string {
	var wanted []string
	for _, m := range methods {
		if w, ok := m.(interface{ Unwrap() Authenticator }); ok {
			m = w.Unwrap()
		}
		if j, ok := m.(*JWT); ok && !j.AnyIssuer {
			wanted = append(wanted, j.Issuer)
		}
		if k, ok := m.(*KubernetesToken); ok && k.Issuer() != "" {
			wanted = append(wanted, k.Issuer())
		}
	}
	out := "iss is " + orAbsent(t.HasIssuer, t.Issuer)
	switch len(wanted) {
	case 0:
		return out + ", and no method takes JWTs"
	case 1:
		out += ", wanted " + Quote(wanted[0])
	default:
		out += ", wanted one of: " + QuoteList(wanted)
	}
	for _, w := range wanted {
		if d := difference(t.Issuer, w); d != "" && len(wanted) > 1 {
			return out + " (from " + Quote(w) + ": " + d + ")"
		} else if d != "" {
			return out + " (" + d + ")"
		}
	}
	return out
}

// otherScheme says what a header holds whose scheme is another. The value may be
// a credential as a whole: only names of schemes that are known are shown.
func otherScheme(methods []Authenticator, r *authz.Request, p Place) string {
	if p.In != InHeader || p.Scheme == "" {
		return ""
	}
	value, _ := r.Header(p.Name)
	var schemes []string
	for reads := range readers(methods, p) {
		for _, q := range reads.Places {
			if name := q.SchemeName(); q.Name == p.Name && !impliedDPoP(reads.Places, q) && name != "" && !slices.Contains(schemes, name) {
				schemes = append(schemes, name)
			}
		}
	}
	wanted := ", wanted " + p.Name + ": " + strings.Join(schemes, " or ") + " CREDENTIAL"
	scheme, rest, spaced := strings.Cut(value, " ")
	switch {
	case authz.IsJWT(value):
		return "a JWT came without its scheme" + wanted
	case spaced && knownSchemes[strings.ToLower(scheme)]:
		came := "the scheme is " + Quote(scheme)
		if authz.IsJWT(strings.TrimLeft(rest, " ")) {
			came += " before a JWT"
		}
		return came + wanted
	case !spaced:
		return "a value without a scheme came" + wanted
	}
	return "a value with another scheme came" + wanted
}

// knownSchemes are the registered schemes (RFC 9110 16.4.1), and others that are
// in use.
var knownSchemes = map[string]bool{
	"apikey": true, "api-key": true, "aws4-hmac-sha256": true, "basic": true, "bearer": true, "concealed": true,
	"digest": true, "dpop": true, "gnap": true, "hoba": true, "jwt": true, "key": true, "mutual": true, "negotiate": true,
	"ntlm": true, "oauth": true, "privatetoken": true, "scram-sha-1": true, "scram-sha-256": true, "signature": true,
	"token": true, "vapid": true,
}
