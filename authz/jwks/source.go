package jwks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// Fetch gets a URL. Its error must hold nothing that was fetched.
type Fetch func(ctx context.Context, url string) (Answer, error)

// Answer is what came, whatever its status.
type Answer struct {
	Status       int
	CacheControl string // several fields joined by commas
	Body         []byte
}

// Config says where keys come from.
type Config struct {
	// Issuer is where discovery starts (OpenID Connect Discovery 1.0 section 4,
	// else RFC 8414); the document must name exactly this issuer. Either this
	// or URL is given.
	Issuer string

	// URL is that of the key set itself.
	URL string

	// Fetch is egress, with the roots that verify this provider.
	Fetch Fetch
}

// load fetches the key set, discovering it anew each time: a provider may move it.
func (c Config) load(ctx context.Context) (answer Answer, err error) {
	if c.Fetch == nil || (c.Issuer == "") == (c.URL == "") {
		return Answer{}, errors.New("exactly one of an issuer and a URL is needed to fetch keys")
	}
	from, what := c.URL, "key set"
	if c.Issuer != "" {
		if from, err = c.discover(ctx); err != nil {
			return Answer{}, fmt.Errorf("discovery: %w", err)
		}
		what = "key set named by discovery"
	}
	answer, err = c.Fetch(ctx, from)
	if err == nil {
		err = answer.ok()
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", what, err)
	}
	return answer, nil
}

// discover returns the jwks_uri of the issuer.
func (c Config) discover(ctx context.Context) (string, error) {
	openid, oauth, err := wellKnown(c.Issuer)
	if err != nil {
		return "", err
	}
	answer, err := c.Fetch(ctx, openid)
	if err == nil && answer.Status == 404 {
		answer, err = c.Fetch(ctx, oauth)
	}
	if err != nil {
		return "", err
	}
	if err := answer.ok(); err != nil {
		return "", err
	}
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(answer.Body, &document); err != nil {
		return "", malformed("a discovery document", err)
	}
	switch {
	case document.Issuer != c.Issuer && strings.TrimSuffix(document.Issuer, "/") == strings.TrimSuffix(c.Issuer, "/"):
		return "", errors.New("the document's issuer and the policy's differ in a trailing slash: they must be equal")
	case document.Issuer != c.Issuer: // section 4.3: exactly
		return "", fmt.Errorf("the document is of another issuer than %q", c.Issuer)
	case document.JWKSURI == "":
		return "", errors.New("the document has no jwks_uri")
	}
	return document.JWKSURI, nil
}

// wellKnown are the document's places: after the path (OpenID Connect Discovery
// 1.0 section 4) and before it (RFC 8414 section 3).
func wellKnown(issuer string) (openid, oauth string, err error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#") {
		return "", "", errors.New("the issuer is no URL with a host and without query and fragment: give the URL of its key set instead")
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	root := u.Scheme + "://" + u.Host
	return root + path + "/.well-known/openid-configuration", root + "/.well-known/oauth-authorization-server" + path, nil
}

func (a Answer) ok() error {
	switch {
	case a.Status != 200:
		return fmt.Errorf("answered %d, 200 was expected", a.Status)
	case len(a.Body) > maxBytes:
		return fmt.Errorf("the answer is larger than %d bytes", maxBytes)
	}
	return nil
}
