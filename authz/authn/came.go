package authn

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

const (
	maxShown  = 100 // bytes of a value
	maxListed = 8   // values of a list
)

// Quote is a value for people: at most 100 bytes of it, without control
// characters. It is for values of a token, never for a credential.
func Quote(s string) string { return strconv.Quote(authz.Cut(s, maxShown)) }

// QuoteList is a list of values for people.
func QuoteList(list []string) string {
	var out []string
	for i, s := range list {
		if i == maxListed {
			out = append(out, "and "+strconv.Itoa(len(list)-i)+" more")
			break
		}
		out = append(out, Quote(s))
	}
	return strings.Join(out, ", ")
}

// brief is a text of the policy, or of ours, that may be long.
func brief(s string) string { return authz.Cut(s, maxShown) }

// came says what of a token came beside what was wanted, where the method owns
// the token and rejects it.
func (j *JWT) came(rejected *Rejected, t *Token) func() string {
	switch {
	case rejected.Came != nil:
		return rejected.Came
	case rejected.Reason == authz.TokenTypeRefused:
		return func() string {
			wanted := QuoteList(j.TokenTypes)
			if j.NoType {
				wanted += " or none"
			}
			return "typ is " + orAbsent(t.HasType, t.Type) + ", wanted one of: " + wanted
		}
	case rejected.Reason == authz.KeyUnknown:
		return func() string { return signedBy(t) + "; held: " + j.held() }
	case rejected.Reason == authz.SignatureInvalid:
		return func() string {
			return signedBy(t) + "; algorithms of the policy: " + strings.Join(j.Algorithms, ", ") + "; held: " + j.held()
		}
	}
	return nil
}

func signedBy(t *Token) string {
	if t.KeyID == "" {
		return "no kid, alg " + Quote(t.Algorithm)
	}
	return "kid " + Quote(t.KeyID) + ", alg " + Quote(t.Algorithm)
}

// held says which keys the method verifies with.
func (j *JWT) held() string {
	if j.Keys == nil {
		return "the secret of the policy"
	}
	var out []string
	keys := jwks.Held(j.Keys)
	for i, k := range keys {
		if i == maxListed {
			out = append(out, "and "+strconv.Itoa(len(keys)-i)+" more")
			break
		}
		id := "no kid"
		if k.ID != "" {
			id = "kid " + Quote(k.ID)
		}
		out = append(out, id+" ("+strings.Join(k.Algorithms, " ")+")")
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

func orAbsent(present bool, s string) string {
	if !present {
		return "absent"
	}
	return Quote(s)
}

// otherAudience compares the audiences of a token with those of the policy.
func otherAudience(claim any, came, wanted []string) string {
	out := "aud is "
	switch v := claim.(type) {
	case nil:
		out += "absent"
	case string:
		out += Quote(v)
	default:
		out += "[" + QuoteList(came) + "]"
	}
	out += ", wanted one of: " + QuoteList(wanted)
	for _, c := range came {
		for _, w := range wanted {
			if d := difference(c, w); d != "" {
				return out + " (" + d + ")"
			}
		}
	}
	return out
}

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
		if !reads.Tokens && slices.ContainsFunc(reads.Places, place.same) {
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
		return "a token without dots (opaque) can only be introspected (RFC 7662); ask the provider for a JWT, often by naming the audience in the token request"
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
		if j, ok := m.(*JWT); ok && !j.AnyIssuer {
			wanted = append(wanted, j.Issuer)
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

// difference says in what little an issuer differs from the wanted one; "" for
// what is another issuer.
func difference(came, wanted string) string {
	a, b := splitIssuer(came), splitIssuer(wanted)
	if !strings.EqualFold(a.rest, b.rest) || a.rest == "" {
		return ""
	}
	var out []string
	for _, d := range []struct {
		differs bool
		what    string
	}{
		{a.space != b.space, "white space differs"},
		{a.scheme != b.scheme, "the scheme differs: " + orNone(a.scheme) + " and " + orNone(b.scheme)},
		{a.port != b.port, "the port differs"},
		{a.slash != b.slash, "a final slash differs"},
		{a.rest != b.rest, "letter case differs"},
	} {
		if d.differs {
			out = append(out, d.what)
		}
	}
	return strings.Join(out, ", ")
}

// issuer is an issuer in the parts that people confuse: rest is host and path
// without a port and a final slash.
type issuer struct {
	scheme, port, rest string
	space, slash       bool
}

func splitIssuer(s string) (out issuer) {
	trimmed := strings.TrimSpace(s)
	out.space = trimmed != s
	out.rest, out.slash = strings.CutSuffix(trimmed, "/")
	if scheme, rest, ok := strings.Cut(out.rest, "://"); ok {
		out.scheme, out.rest = scheme, rest
	}
	host, path, _ := strings.Cut(out.rest, "/")
	if name, port, ok := strings.Cut(host, ":"); ok {
		out.port = port
		out.rest = strings.TrimSuffix(name+"/"+path, "/")
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
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
			if name := q.SchemeName(); q.Name == p.Name && name != "" && !slices.Contains(schemes, name) {
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
