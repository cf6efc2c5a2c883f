package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Check tells, without any I/O, whether rawURL may be fetched at all: its form
// and, where its host is an address, that address. A name is judged when it is
// dialled. The error does not repeat the URL.
func (c *Client) Check(rawURL string) error {
	_, err := c.check(rawURL)
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
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return c.addresses.judge(addr)
	}
	return nil
}

// origin is scheme, host and port (RFC 6454 section 4).
func origin(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + " " + port
}
