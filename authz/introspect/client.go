package introspect

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
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

// Request is what is posted.
type Request struct {
	Authorization string // "": none
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

// request asks about a token (RFC 7662 2.1). In the header, id and secret are
// form-encoded first (RFC 6749 2.3.1).
func (c Client) request(token string) (Request, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
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
// 2.2.1). No other text of a server is repeated.
var codes = []string{
	"invalid_client", "invalid_request", "invalid_token", "unauthorized_client", "access_denied", "insufficient_scope",
	"unsupported_token_type", "unsupported_grant_type", "invalid_grant", "invalid_scope", "server_error", "temporarily_unavailable",
}

// code is the error that the answer names, in brackets; "" if it names none.
func code(res Response) string {
	var body struct {
		Error string `json:"error"`
	}
	if !isJSON(res.ContentType) || json.Unmarshal(res.Body, &body) != nil || !slices.Contains(codes, body.Error) {
		return ""
	}
	return " (" + body.Error + ")"
}
