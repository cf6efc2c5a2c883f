package egress

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A discovery document is smaller than other answers. Its members and elements,
// told by its commas, cost more to read than bytes do.
const (
	maxDocument = 256 << 10
	maxMembers  = 4096
)

// Discover returns the `jwks_uri` of an issuer, whose discovery document must
// name exactly this issuer. The document is where OpenID Connect Discovery 1.0
// section 4 puts it; if that answers 404, where RFC 8414 section 3 does. The
// bounds of [Client.Do] hold for each request; a document has at most 256 KiB.
func (c *Client) Discover(ctx context.Context, issuer string, roots *x509.CertPool, turn Turn) (jwksURI string, err error) {
	oauth, err := oauthURL(issuer)
	if err != nil {
		return "", err
	}
	d := &discovery{client: c, roots: roots, turn: turn, oauth: oauth}
	if _, err := oidc.NewProvider(oidc.ClientContext(ctx, &http.Client{Transport: d}), issuer); err != nil {
		return "", explainDiscovery(err)
	}
	m := d.found
	switch {
	case m.Issuer != issuer: // go-oidc accepts a member "ISSUER" too
		return "", otherIssuer(issuer, m.Issuer)
	case m.JWKSURI == "":
		return "", errors.New("the document has no jwks_uri")
	}
	return m.JWKSURI, nil
}

// oauthURL is where RFC 8414 section 3 puts the document: before the issuer's
// path. Every issuer that has such a URL has one for OpenID Connect too.
func oauthURL(issuer string) (string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#") {
		return "", errors.New("the issuer is no URL with a host and without query and fragment: give the URL of its key set instead")
	}
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// discovery is how go-oidc requests a document. go-oidc reads bodies without a
// bound, quotes an answer that is not 200, and takes JSON with duplicate names;
// discovery hands it complete, bounded, strict documents and nothing else.
type discovery struct {
	client *Client
	roots  *x509.CertPool
	turn   Turn
	oauth  string   // asked if the first URL answers 404
	found  metadata // of the document that go-oidc was handed
}

// RoundTrip implements http.RoundTripper.
func (d *discovery) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.get(r.Context(), r.URL.String())
	if err == nil && res.Status == http.StatusNotFound {
		res, err = d.get(r.Context(), d.oauth)
	}
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, fmt.Errorf("answered %d, 200 was expected", res.Status)
	}
	if d.found, err = parseMetadata(res.Body); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: res.Status, Header: res.Header, Body: io.NopCloser(bytes.NewReader(res.Body)), Request: r}, nil
}

func (d *discovery) get(ctx context.Context, url string) (*Response, error) {
	return d.client.Do(ctx, Request{URL: url, Roots: d.roots, Turn: d.turn, MaxBytes: maxDocument, Header: http.Header{"Accept": {"application/json"}}})
}

// metadata are the members of a discovery document that are used.
type metadata struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

func parseMetadata(document []byte) (m metadata, err error) {
	if n := bytes.Count(document, []byte{','}); n > maxMembers {
		return m, fmt.Errorf("the discovery document has some %d members and elements, at most %d are read", n, maxMembers)
	}
	err = json.Unmarshal(document, &m)
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return m, nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return m, errors.New("not a discovery document: a JSON object has a name twice")
	case errors.As(err, &syntax):
		return m, fmt.Errorf("not a discovery document: malformed JSON at byte %d", syntax.ByteOffset)
	}
	return m, errOtherTypes
}

var errOtherTypes = errors.New("not a discovery document: the JSON has other members or types")

// explainDiscovery puts go-oidc's errors into words of ours: they hold the URL
// and what the server sent.
func explainDiscovery(err error) error {
	var request *url.Error
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &request):
		return request.Err // an error of RoundTrip
	case errors.As(err, &mismatch):
		return otherIssuer(mismatch.Provided, mismatch.Discovered)
	}
	return errOtherTypes // another member than ours has an unexpected type
}

func otherIssuer(want, got string) error {
	if strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/") {
		return errors.New("the document's issuer and the policy's differ in a trailing slash: they must be equal")
	}
	return fmt.Errorf("the document is of another issuer than %q", want)
}
