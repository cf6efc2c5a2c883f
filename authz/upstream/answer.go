package upstream

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/introspect"
)

// issued is a token as its server issued it.
type issued struct {
	token string
	// lasts is 0 if the server does not say.
	lasts time.Duration
}

// parse reads an answer (RFC 6749 5.1, RFC 8693 2.2.1). The error says what is wrong
// with it, and nothing of what it holds.
func (s *Settings) parse(body []byte) (out issued, err error) {
	var a struct {
		Token   string         `json:"access_token"`
		Type    string         `json:"token_type"`
		Expires jsontext.Value `json:"expires_in"`
		Issued  string         `json:"issued_token_type"`
	}
	if json.Unmarshal(body, &a) != nil {
		return out, errors.New("the answer is no JSON object with unique names whose access_token and token_type are strings (RFC 6749 5.1)")
	}
	if !isBearerToken(a.Token) {
		return out, errors.New("the answer has no access_token of at most 16 KiB that a header can hold (RFC 6750 2.1)")
	}
	jwt := string(v1alpha1.IssuedJWT)
	if s.Exchanged {
		wanted := []string{s.RequestedType}
		if s.RequestedType == "" {
			wanted = []string{string(v1alpha1.IssuedAccessToken), jwt}
		}
		if !slices.Contains(wanted, a.Issued) {
			return out, errors.New("the answer has another issued_token_type than was asked for, or none (RFC 8693 2.2.1)")
		}
	}
	if !strings.EqualFold(a.Type, "Bearer") && (!s.Exchanged || a.Issued != jwt || a.Type != "N_A") {
		return out, errors.New("the answer has another token_type than Bearer, or none: agentauth cannot use such a token (RFC 6749 7.1)")
	}
	if out.lasts, err = life(a.Expires); err != nil {
		return out, err
	}
	out.token = a.Token
	return out, nil
}

// life reads expires_in, 0 if there is none. Some servers write it as a string.
func life(v jsontext.Value) (time.Duration, error) {
	if v == nil || v.Kind() == 'n' {
		return 0, nil
	}
	text := strings.Trim(string(v), `"`)
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 1 || strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, errors.New("the answer has an expires_in that is no number of seconds, or below 1 (RFC 6749 5.1)")
	}
	return time.Duration(min(seconds, float64(longestLife/time.Second))) * time.Second, nil
}

// isBearerToken says whether s is a b64token (RFC 6750 2.1).
func isBearerToken(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" || len(s) > authz.MaxToken {
		return false
	}
	for i := range len(body) {
		c := body[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return true
}

// aboutTheCaller are the errors by which a server refuses to exchange the token of a
// caller (RFC 8693 2.2.2), not its client: asking for another caller may do.
var aboutTheCaller = []string{"invalid_grant", "invalid_request", "invalid_token", "invalid_target", "invalid_scope", "access_denied"}

// aboutTheClient are those by which it refuses agentauth as its client (RFC 6749 5.2).
var aboutTheClient = []string{"invalid_client", "unauthorized_client", "unsupported_grant_type"}

// refusal is what a status that is not 200 means, and why.
func (s *Settings) refusal(res introspect.Response) (Outcome, error) {
	code := res.Code()
	told := strconv.Itoa(res.Status)
	if code != "" {
		told += " (" + code + ")"
	}
	switch {
	case s.Exchanged && (res.Status == 400 || res.Status == 403) && slices.Contains(aboutTheCaller, code):
		return Denied, errors.New("answered " + told + ": it does not exchange the token of this caller for one for this upstream")
	case s.Exchanged && (res.Status == 400 || res.Status == 403 || slices.Contains(aboutTheCaller, code)) && !slices.Contains(aboutTheClient, code):
		// Whom it blames is not known. A caller must not be able to stop the others.
		return Failed, errors.New("answered " + told + ", which does not say whether it refuses the caller's token or agentauth as its client")
	case res.Status == 400, res.Status == 401, res.Status == 403:
		return Refused, errors.New("answered " + told + ": it does not let agentauth have a token; compare the entries client-id and client-secret, how the client authenticates, the grants and the targets that the server lets it have")
	}
	return Failed, errors.New("answered " + told + ", 200 was expected")
}
