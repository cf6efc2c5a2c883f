// Package egress is the one HTTP client for URLs that policies name: key sets
// and discovery documents. Whoever may write a policy may
// choose such a URL, so the client decides where a connection may go, how much
// it reads and how long it waits.
//
//   - https only, unless [Config.AllowHTTP].
//   - Global unicast addresses only. Each address is judged when it is dialled,
//     after its name was resolved, so a later answer of DNS changes nothing.
//     [Config.AllowCIDRs] admits others.
//   - Proxy environment variables are not honoured: a proxy would dial for us. With
//     [Config.Proxy] everything goes through that proxy, and judging addresses is
//     the proxy's part.
//   - At most three redirects of a GET, within its origin; none of a POST.
//   - 1 MiB of body, and 5 s from when a request has its place.
//   - 4 requests at once per origin and 32 in all, in turns by tenant: see [Turn].
//
// Errors are texts of this package. They never hold the URL or anything that
// the server sent, so a status may show them.
package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	maxBody      = 1 << 20
	maxHeader    = 64 << 10
	maxRedirects = 3
	timeout      = 5 * time.Second
)

// Config is the operator's. The zero value dials https on public addresses only.
type Config struct {
	// AllowHTTP admits http URLs (--egress-allow-http).
	AllowHTTP bool

	// AllowCIDRs are dialled although they are not public
	// (--egress-allow-cidr). If an address carries an IPv4 address (NAT64,
	// 6to4, Teredo, IPv4-mapped), the IPv4 address is compared.
	AllowCIDRs []netip.Prefix

	// Proxy, if not nil, is where every connection goes (--egress-proxy), as
	// [ParseProxy] returns it. No address is judged then: the proxy resolves names
	// and dials.
	Proxy *url.URL

	// Resolver resolves host names. Default: net.DefaultResolver.
	Resolver *net.Resolver
}

// Client sends requests to the URLs of policies. It is safe for concurrent use.
type Client struct {
	allowHTTP  bool
	timeout    time.Duration
	addresses  addresses
	proxied    bool
	transports transports
	origins    *origins
	closing    context.Context
	close      context.CancelFunc
}

// Request is one GET or POST.
type Request struct {
	// URL is absolute, has a host and no user information. A fragment is not sent.
	URL string

	// Method is GET or POST. Default: GET.
	Method string

	// Header is sent as it is.
	Header http.Header

	// Body is sent with a POST.
	Body []byte

	// Roots verify the server; the pool must not change any more. Nil: the
	// system's roots.
	Roots *x509.CertPool

	// MaxBytes bounds the body of the answer. Default and maximum: 1 MiB.
	MaxBytes int64

	// Turn says which requests go first.
	Turn Turn
}

// Response is a complete answer, of any status but a redirect.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// New returns a client; Close it.
func New(c Config) *Client {
	closing, cancel := context.WithCancel(context.Background())
	client := &Client{
		allowHTTP: c.AllowHTTP,
		timeout:   timeout,
		addresses: newAddresses(c.AllowCIDRs),
		origins:   newOrigins(),
		closing:   closing,
		close:     cancel,
	}
	dialer := &net.Dialer{Timeout: timeout, Resolver: c.Resolver}
	if c.Proxy != nil {
		client.proxied = true
		client.transports.through(c.Proxy, dialer)
		return client
	}
	dialer.ControlContext = client.addresses.control
	client.transports.dial = dialer.DialContext
	return client
}

// Do sends r once it has a place, which can take as long as ctx, and reads the
// whole answer within 5 s of that. An answer that is too large, ends early or
// redirects to a refused URL is an error. The error wraps
// context.DeadlineExceeded or context.Canceled if that is the reason.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	u, err := c.check(r.URL)
	if err != nil {
		return nil, err
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return nil, fmt.Errorf("method %q: only GET and POST are sent", r.Method)
	}
	if c.closing.Err() != nil {
		return nil, errors.New("the client is closed")
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()

	var res *Response
	var sent atomic.Bool
	placed := c.origins.do(ctx, origin(u), r.Turn, func() {
		sent.Store(true)
		res, err = c.send(ctx, u, r)
	})
	switch {
	case placed == nil:
		return res, err
	case sent.Load():
		return nil, c.late(placed)
	}
	return nil, fmt.Errorf("no free place among the %d requests at once to this origin: %w", maxPerOrigin, placed)
}

func (c *Client) send(ctx context.Context, u *url.URL, r Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.follow(ctx, u, r)
	if err != nil && ctx.Err() != nil {
		return nil, c.late(ctx.Err())
	}
	return res, err
}

func (c *Client) late(err error) error {
	return fmt.Errorf("no complete answer in time (%s at most): %w", c.timeout, err)
}

// Close ends the requests under way, closes all connections and refuses later
// requests.
func (c *Client) Close() {
	c.close()
	c.transports.closeIdle()
}
