package egress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// follow sends r to u and follows redirects. http.Client is not used: its errors
// hold the URL with its query, and it follows redirects to other origins.
func (c *Client) follow(ctx context.Context, u *url.URL, r Request) (*Response, error) {
	for hops := 0; ; hops++ {
		res, err := c.exchange(ctx, u, r)
		if err != nil || !isRedirect(res.Status) {
			return res, err
		}
		if r.Method != http.MethodGet {
			return nil, fmt.Errorf("answered %d: a redirect is followed for GET only", res.Status)
		}
		if hops == maxRedirects {
			return nil, fmt.Errorf("answered %d: more than %d redirects", res.Status, maxRedirects)
		}
		if u, err = c.redirected(u, res.Header.Get("Location")); err != nil {
			return nil, fmt.Errorf("answered %d: %w", res.Status, err)
		}
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirected returns the URL of a redirect. Its errors do not hold the location:
// the server chose it.
func (c *Client) redirected(from *url.URL, location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("a redirect without a location")
	}
	to, err := from.Parse(location)
	if err != nil || c.checkURL(to) != nil {
		return nil, errors.New("a redirect to a URL that is not allowed")
	}
	if origin(to) != origin(from) {
		return nil, errors.New("a redirect to another origin: name the final URL instead")
	}
	return to, nil
}

func (c *Client) exchange(ctx context.Context, u *url.URL, r Request) (*Response, error) {
	transport, err := c.transports.of(r.Roots)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("the URL cannot be requested")
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "agentauth")
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, explain(err)
	}
	defer res.Body.Close()
	body, err := readBody(res, r.MaxBytes)
	if err != nil {
		return nil, err
	}
	return &Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// tooLargeError is of an answer that is not read to its end.
type tooLargeError struct {
	limit       int64
	status      int
	contentType string
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes", e.limit)
}

func readBody(res *http.Response, limit int64) ([]byte, error) {
	if limit <= 0 || limit > maxBody {
		limit = maxBody
	}
	tooLarge := &tooLargeError{limit, res.StatusCode, res.Header.Get("Content-Type")}
	if res.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, explain(err)
	}
	if int64(len(body)) > limit {
		return nil, tooLarge
	}
	return body, nil
}

// Check returns why rawURL is never fetched, without any I/O: for its form, or
// for the address if its host is one or localhost. Other names are judged when they
// are dialled. The error does not hold the URL.
func (c *Client) Check(rawURL string) error {
	u, err := c.check(rawURL)
	if err != nil || c.proxied {
		return err
	}
	if name := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."); name != "localhost" && !strings.HasSuffix(name, ".localhost") {
		return nil
	}
	// This name is the loopback interface (RFC 6761 section 6.3), by either address.
	if err = c.addresses.judge(netip.AddrFrom4([4]byte{127, 0, 0, 1})); err != nil && c.addresses.judge(netip.IPv6Loopback()) == nil {
		return nil
	}
	return err
}

func (c *Client) check(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("not a URL") // url.Parse repeats what it was given
	}
	return u, c.checkURL(u)
}

func (c *Client) checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "http" && !c.allowHTTP:
		return errors.New("an http URL: use https, or let the operator allow it with --egress-allow-http")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("the URL must start with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("the URL has no host")
	case u.User != nil:
		return errors.New("the URL holds a user name or password: they would be sent, and shown, where nobody expects them")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("the URL's port is not between 1 and 65535")
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !c.proxied {
		return c.addresses.judge(addr)
	}
	return nil
}

// origin is scheme, host and port (RFC 6454 section 4).
func origin(u *url.URL) string {
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + " " + portOf(u)
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}
