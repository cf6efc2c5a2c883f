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

	"github.com/agentauth-dev/agentauth/authz"
)

// A discovery document is smaller than other answers. Its members and elements,
// told by its commas, cost more to read than bytes do.
const (
	maxDocument = 256 << 10
	maxMembers  = 4096
)

// Discover returns the `jwks_uri` of an issuer, whose discovery document must
// name exactly this issuer. The document is where OpenID Connect Discovery 1.0
// section 4 puts it, or where RFC 8414 does (sections 3 and 5): at most three
// locations. The next one is asked if one answers 4xx, or with what is no JSON (the
// page of a web application); anything else that is no document ends it. The
// bounds of [Client.Do] hold for each request, those after the first together have
// 5 s; a document has at most 256 KiB. Errors name the locations and their statuses.
func (c *Client) Discover(ctx context.Context, issuer string, roots *x509.CertPool, turn Turn) (jwksURI string, err error) {
	locations, err := locationsOf(issuer)
	if err == nil {
		_, err = c.check(issuer)
	}
	if err != nil {
		return "", err
	}
	d := &discovery{client: c, roots: roots, turn: turn, locations: locations}
	if _, err := oidc.NewProvider(oidc.ClientContext(ctx, &http.Client{Transport: d}), issuer); err != nil {
		return "", d.explain(err)
	}
	m := d.found
	switch {
	case m.Issuer != issuer: // go-oidc accepts a member "ISSUER" too
		return "", d.at(otherIssuer(issuer, m.Issuer))
	case m.JWKSURI == "":
		return "", d.at(errors.New("the document has no jwks_uri"))
	}
	return m.JWKSURI, nil
}

// locationsOf are where the document of an issuer may be: behind its path, and
// before it.
func locationsOf(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#") {
		return nil, errors.New("the issuer is no URL with a host and without query and fragment: give the URL of its key set instead")
	}
	const openID, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	locations := []string{strings.TrimSuffix(issuer, "/") + openID, origin + oauth + path}
	if path != "" {
		locations = append(locations, origin+openID+path)
	}
	return locations, nil
}

// discovery is how go-oidc requests a document. go-oidc reads bodies without a
// bound, quotes an answer that is not 200, and takes JSON with duplicate names;
// discovery hands it complete, bounded, strict documents and nothing else.
type discovery struct {
	client    *Client
	roots     *x509.CertPool
	turn      Turn
	locations []string
	tried     []string // the locations that had no document, and what they answered
	location  string   // the last one that was asked
	found     metadata // of the document that go-oidc was handed
}

// RoundTrip implements http.RoundTripper. The first location is the one that go-oidc
// asks for.
func (d *discovery) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	for i, location := range d.locations {
		if i == 1 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, d.client.timeout)
			defer cancel()
		}
		d.location = location
		res, err := d.get(ctx, location)
		if err == nil {
			d.found, err = document(res)
		}
		var none *noDocumentError
		switch {
		case err == nil:
			return &http.Response{StatusCode: res.Status, Header: res.Header, Body: io.NopCloser(bytes.NewReader(res.Body)), Request: r}, nil
		case !errors.As(err, &none):
			return nil, d.at(err)
		}
		d.tried = append(d.tried, shown(location)+" "+none.Error())
	}
	return nil, fmt.Errorf("%s; a discovery document was expected at one of them: correct the issuer, or give the URL of its key set instead", strings.Join(d.tried, ", "))
}

func (d *discovery) get(ctx context.Context, url string) (*Response, error) {
	res, err := d.client.Do(ctx, Request{URL: url, Roots: d.roots, Turn: d.turn, MaxBytes: maxDocument, Header: http.Header{"Accept": {"application/json"}}})
	var large *tooLargeError
	if errors.As(err, &large) && (isClientError(large.status) || isHTML(large.contentType)) {
		return nil, &noDocumentError{large.status}
	}
	return res, err
}

// at is an error with the location it comes from, after those that had no document.
func (d *discovery) at(err error) error {
	return fmt.Errorf("%s%s: %w", strings.Join(append(d.tried, ""), ", "), shown(d.location), err)
}

// shown is a location in an error. Errors are logged with each request that needs
// the keys.
func shown(location string) string { return authz.Cut(location, 256) }

// noDocumentError says that a location has no document, and another one may.
type noDocumentError struct{ status int }

func (e *noDocumentError) Error() string {
	if isClientError(e.status) {
		return fmt.Sprintf("answered %d", e.status)
	}
	return fmt.Sprintf("answered %d with what is no JSON", e.status)
}

func isClientError(status int) bool { return status >= 400 && status < 500 }

func isHTML(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/html")
}

// document reads an answer.
func document(res *Response) (metadata, error) {
	if isClientError(res.Status) {
		return metadata{}, &noDocumentError{res.Status}
	}
	if res.Status < 200 || res.Status > 299 {
		return metadata{}, fmt.Errorf("answered %d, 200 was expected", res.Status)
	}
	m, err := parseMetadata(res.Body)
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		return metadata{}, &noDocumentError{res.Status}
	case err == nil && res.Status != http.StatusOK:
		return metadata{}, fmt.Errorf("answered %d, 200 was expected", res.Status)
	}
	return m, err
}

// metadata are the members of a discovery document that are used.
type metadata struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

// parseMetadata reads a document. A *jsontext.SyntacticError says that it is no
// JSON.
func parseMetadata(document []byte) (m metadata, err error) {
	if n := bytes.Count(document, []byte{','}); n > maxMembers && looksLikeJSON(document) {
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
		return m, syntax
	}
	return m, errOtherTypes
}

func looksLikeJSON(document []byte) bool {
	return bytes.ContainsAny(bytes.TrimLeft(document, " \t\r\n")[:1], "{[")
}

var errOtherTypes = errors.New("not a discovery document: the JSON has other members or types")

// explain puts go-oidc's errors into words of ours: they hold the URL and what the
// server sent.
func (d *discovery) explain(err error) error {
	var request *url.Error
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &request):
		return request.Err // an error of RoundTrip
	case errors.As(err, &mismatch):
		return d.at(otherIssuer(mismatch.Provided, mismatch.Discovered))
	}
	return d.at(errOtherTypes) // another member than ours has an unexpected type
}

func otherIssuer(want, got string) error {
	if strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/") {
		return errors.New("the document's issuer and the policy's differ in a trailing slash: they must be equal")
	}
	return fmt.Errorf("the document is of another issuer than %q", want)
}
