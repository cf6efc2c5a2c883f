package authn

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// In is the part of a request that a place is in.
type In uint8

// Parts of a request.
const (
	InHeader In = iota
	InCookie
	InQuery
	// InConnection is what the proxy knows of the connection, beside the request.
	InConnection
)

// Place is where a method looks for its credential. It is comparable.
type Place struct {
	In In
	// Name is in lower case for a header, else as it is.
	Name string
	// Scheme is the authentication scheme before the credential, in any letter
	// case; "" if the whole value is the credential. Headers only.
	Scheme string
	// List says that a comma in the header can only come from joined fields.
	List bool
	// TLSOnly refuses a credential that did not come over TLS (403).
	TLSOnly bool
}

func (p Place) String() string {
	switch p.In {
	case InCookie:
		return "cookie " + p.Name
	case InQuery:
		return "query parameter " + p.Name
	case InConnection:
		return "client " + p.Name + " of the connection"
	default:
		return "header " + p.Name
	}
}

// SchemeName is the scheme as people write it; "" if there is none.
func (p Place) SchemeName() string {
	if p.Scheme == "" {
		return ""
	}
	return strings.ToUpper(p.Scheme[:1]) + p.Scheme[1:]
}

// Places are places for people: where a credential was looked for.
func Places(places []Place) string {
	var out []string
	for _, p := range places {
		if impliedDPoP(places, p) {
			continue
		}
		where := p.String()
		if p.Scheme != "" {
			where += " (" + p.SchemeName() + ")"
		}
		out = append(out, where)
	}
	return strings.Join(out, ", ")
}

// same says whether two places read the same.
func (p Place) same(q Place) bool {
	return p.In == q.In && p.Name == q.Name && strings.EqualFold(p.Scheme, q.Scheme)
}

// Presented is what a place of a request holds.
type Presented struct {
	Place Place
	// Value is the credential without its scheme. It is never logged.
	Value string
	// Malformed says what is wrong with how it was sent; "" if nothing.
	Malformed string
	// Refused says why it may not be sent in this way; nil if it may.
	Refused *Rejected
	// Time is that of the request. A method may reject a credential by it; what it
	// verifies may be used later.
	Time time.Time

	token  *Token
	parsed bool
	err    error

	// certificate is the credential if it is one; nobody has verified it.
	certificate *x509.Certificate

	digest   [sha256.Size]byte
	digested bool

	// proven says that a proof of possession for the credential was seen and holds.
	proven bool
}

// Token parses the credential as a JWT once; see [ParseToken].
func (p *Presented) Token() (*Token, error) {
	if !p.parsed {
		p.token, p.err = ParseToken(p.Value)
		p.parsed = true
	}
	return p.token, p.err
}

// Read returns the credential in a place; nil if there is none. occupied says
// that the place is not empty, be it for another scheme: a credential that is
// present and bad is never taken for absent. An error is a
// *authz.BadRequestError.
func Read(r *authz.Request, p Place) (found *Presented, occupied bool, err error) {
	return ReadInto(r, p, nil)
}

// ReadInto is Read, with room for what it finds; nil: it makes some.
func ReadInto(r *authz.Request, p Place, room *Presented) (found *Presented, occupied bool, err error) {
	switch p.In {
	case InCookie:
		found, occupied, err = readCookie(r, p, room)
	case InQuery:
		found, occupied, err = readQuery(r, p, room)
	case InConnection:
		found, occupied = readConnection(r, p, room)
	default:
		found, occupied, err = readHeader(r, p, room)
	}
	if found != nil {
		found.Time = r.Time
		if p.TLSOnly && !r.TLS {
			found.Refused = overPlaintext
		}
	}
	return found, occupied, err
}

func readHeader(r *authz.Request, p Place, room *Presented) (*Presented, bool, error) {
	value, fields := r.Header(p.Name)
	if value == "" && fields < 2 {
		return nil, false, nil
	}
	scheme := leadingToken(value)
	switch {
	case fields > 1:
		return nil, true, twice(p)
	case p.ReadsList():
		return readList(value, p)
	case p == ForwardedCertificate:
		return readForwarded(value, p, room)
	case strings.Contains(value, ",") && (p.List || p.Name == "authorization" && isKnownScheme(scheme)):
		// Envoy joins fields of one name with a comma.
		return nil, true, twice(p)
	case p.Scheme == "":
		return room.put(p, value), true, nil
	case !strings.EqualFold(scheme, p.Scheme):
		return nil, true, nil
	}
	rest := value[len(scheme):]
	credential := strings.TrimLeft(rest, " ")
	found := room.put(p, credential)
	switch {
	case credential == "":
		found.Malformed = "nothing follows the scheme"
	case len(credential) == len(rest):
		found.Malformed = "the scheme is not followed by a space"
	case strings.IndexByte(credential, ' ') >= 0, strings.IndexByte(credential, '\t') >= 0: // ContainsAny takes ten times as long
		found.Malformed = "there is white space in or after the credential"
	}
	return found, true, nil
}

func readCookie(r *authz.Request, p Place, room *Presented) (*Presented, bool, error) {
	value, n := "", 0
	for value = range r.Cookie(p.Name) {
		n++
	}
	switch {
	case n > 1 || n != r.CookieSightings(p.Name):
		return nil, true, twice(p)
	case n == 1 && value != "":
		return room.put(p, value), true, nil
	}
	return nil, false, nil
}

// readQuery reads the literal name only, since only that can be removed from
// the query; what another spelling of it holds is nobody's.
func readQuery(r *authz.Request, p Place, room *Presented) (*Presented, bool, error) {
	var param *authz.Param
	n := 0
	for param = range r.Query.Values(p.Name) {
		n++
	}
	switch {
	case n > 1 || n == 1 && param.Alternate || r.Query.HaveAlternate(p.Name):
		return nil, true, twice(p)
	case n == 0 || param.RawValue == "":
		return nil, false, nil
	case param.RawName != p.Name:
		return nil, true, nil
	}
	found := room.put(p, param.Value)
	if param.Malformed {
		found.Malformed = "its percent-encoding is malformed"
	}
	return found, true, nil
}

// put makes it what a place holds.
func (p *Presented) put(place Place, value string) *Presented {
	if p == nil {
		p = new(Presented)
	}
	*p = Presented{Place: place, Value: value}
	return p
}

func twice(p Place) error {
	return &authz.BadRequestError{Problem: fmt.Sprintf("the %s, which holds a credential, occurs more than once or holds a list", p)}
}

// leadingToken is the auth-scheme of RFC 9110 11.4: all before the first
// character that is not a letter, a digit or '-'.
func leadingToken(v string) string {
	for i := range len(v) {
		c := v[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			continue
		}
		return v[:i]
	}
	return v
}

func isKnownScheme(s string) bool {
	return strings.EqualFold(s, "basic") || strings.EqualFold(s, "bearer") || strings.EqualFold(s, "dpop")
}
