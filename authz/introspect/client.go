package introspect

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// Client is agentauth as a client of an authorization server.
type Client struct {
	ID, Secret string
	// InBody sends id and secret in the body (client_secret_post) in place of the
	// header authorization (client_secret_basic).
	InBody bool
	// Key signs an assertion in place of the secret (private_key_jwt).
	Key *Key
}

// maxClientEntry is the longest id or secret of a client in bytes.
const maxClientEntry = 4096

// ParseClient reads a client from the entries of a Secret. Its assertions are for
// audience. id is made of all that the client is made of. why says what is wrong with
// the entry key, never what it holds; "" if nothing is.
func ParseClient(entries map[string][]byte, how v1alpha1.ClientAuthentication, audience string) (c Client, id keyed.Digest, key, why string) {
	second := "client-secret"
	if how == v1alpha1.ClientPrivateKeyJWT {
		second = "tls.key"
	}
	for _, key := range []string{"client-id", second} {
		data, ok := entries[key]
		if why = unusableEntry(key, data); !ok {
			why = "no such entry"
		}
		if why != "" {
			return c, id, key, why
		}
	}
	name, secret := entries["client-id"], entries[second]
	c.ID = string(name)
	if second == "client-secret" {
		c.Secret, c.InBody = string(secret), how == v1alpha1.ClientPost
		return c, keyed.Of("client", []byte(how), name, secret), "", ""
	}
	kid := entries["key-id"]
	if why = unusableEntry("key-id", kid); len(kid) > 0 && why != "" {
		return c, id, "key-id", why
	}
	var err error
	if c.Key, err = ParseKey(secret, string(kid), audience); err != nil {
		return c, id, second, err.Error()
	}
	alg, by := entries["alg"]
	if by {
		if err := c.Key.SignBy(string(alg)); err != nil {
			return c, id, "alg", err.Error()
		}
	}
	return c, keyed.Of("client", []byte(how), name, secret, kid, alg, []byte(audience)), "", ""
}

// unusableEntry says what is wrong with an id or a secret; "" if nothing is.
func unusableEntry(key string, data []byte) string {
	switch {
	case len(data) == 0:
		return "it is empty"
	case len(data) > maxClientEntry:
		return fmt.Sprintf("expected at most %d bytes, got %d", maxClientEntry, len(data))
	case key == "tls.key": // PEM, which has line breaks
	case bytes.ContainsAny(data[len(data)-1:], "\r\n"):
		return "it ends in a line break, which would be part of it; remove it (printf, not echo)"
	case !utf8.Valid(data) || slices.ContainsFunc(data, func(c byte) bool { return c < ' ' || c == 0x7f }):
		return "expected text in UTF-8 without control characters (RFC 6749 A.1)"
	}
	return ""
}

// Request is what is posted.
type Request struct {
	Authorization string // "": none
	Accept        string // "": JSON
	Form          string
}

// Response is an answer of any status.
type Response struct {
	Status      int
	ContentType string
	Body        []byte
}

// MaxAnswer is how many bytes an answer may have.
const MaxAnswer = 64 << 10

// request asks about a token (RFC 7662 2.1).
func (c Client) request(token string) (Request, error) {
	return c.Authenticate(url.Values{"token": {token}, "token_type_hint": {"access_token"}})
}

// Authenticate makes the request of a form, with what the client authenticates by. In
// the header, id and secret are form-encoded first (RFC 6749 2.3.1).
func (c Client) Authenticate(form url.Values) (Request, error) {
	switch {
	case c.Key != nil:
		assertion, err := c.Key.sign(c.ID, time.Now())
		if err != nil {
			return Request{}, errors.New("the key of the client cannot sign")
		}
		form.Set("client_id", c.ID)
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	case c.InBody:
		form.Set("client_id", c.ID)
		form.Set("client_secret", c.Secret)
	default:
		pair := url.QueryEscape(c.ID) + ":" + url.QueryEscape(c.Secret)
		return Request{Authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), Form: form.Encode()}, nil
	}
	return Request{Form: form.Encode()}, nil
}

// refused says what the server answered in place of an introspection.
func refused(res Response) error {
	switch res.Status {
	case 401, 403:
		return fmt.Errorf("answered %d%s: it does not let agentauth introspect; compare the entries client-id and client-secret, how the client authenticates, and what the server lets it do", res.Status, code(res))
	case 400:
		return fmt.Errorf("answered 400%s: it does not take the request of agentauth; is it an introspection endpoint (RFC 7662), and how does it want the client to authenticate?", code(res))
	}
	return fmt.Errorf("answered %d, 200 was expected", res.Status)
}

// codes are the errors that a server may name (RFC 6749 5.2, RFC 6750 3.1, RFC 7009
// 2.2.1, RFC 8693 2.2.2). No other text of a server is repeated.
var codes = []string{
	"invalid_client", "invalid_request", "invalid_token", "unauthorized_client", "access_denied", "insufficient_scope",
	"unsupported_token_type", "unsupported_grant_type", "invalid_grant", "invalid_scope", "invalid_target", "server_error", "temporarily_unavailable",
}

// Code is the error that the answer names, if it is a known one; "" if none is.
func (r Response) Code() string {
	var body struct {
		Error string `json:"error"`
	}
	if !r.IsJSON() || json.Unmarshal(r.Body, &body) != nil || !slices.Contains(codes, body.Error) {
		return ""
	}
	return body.Error
}

// IsJSON says whether the answer is JSON, as it says itself.
func (r Response) IsJSON() bool {
	kind, _, _ := strings.Cut(r.ContentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// isSigned says whether the answer is a signed one (RFC 9701 5), as it says itself.
func (r Response) isSigned() bool {
	kind, _, _ := strings.Cut(r.ContentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), signedType)
}

// code is the error that the answer names, in brackets; "" if it names none.
func code(res Response) string {
	if code := res.Code(); code != "" {
		return " (" + code + ")"
	}
	return ""
}
