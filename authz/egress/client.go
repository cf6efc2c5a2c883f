// Package egress is the one HTTP client for URLs that policies name: key sets,
// discovery documents, introspection endpoints. Whoever may write a policy may
// choose such a URL, so the client decides where a connection may go, how much
// it reads and how long it waits.
//
//   - https only, unless [Config.AllowHTTP].
//   - Global unicast addresses only, judged at each dial, after the name was
//     resolved: what is judged is what is dialled, whatever DNS says next time.
//     [Config.AllowCIDRs] opens what an operator means to open.
//   - Proxy environment variables are not honoured: a proxy would dial for us.
//   - At most three redirects of a GET, within its origin; none of a POST.
//   - 1 MiB of body, 5 s altogether, 4 requests at once per origin.
//
// Errors say what went wrong in words of this package. They never hold the URL
// or anything the server sent, and so may be shown in a status.
package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	maxBody      = 1 << 20
	maxHeader    = 64 << 10
	maxRedirects = 3
	timeout      = 5 * time.Second
)

// Config is what the operator decides. The zero value dials https on public
// addresses only.
type Config struct {
	// AllowHTTP admits http URLs (--egress-allow-http).
	AllowHTTP bool

	// AllowCIDRs are dialled although they are not public
	// (--egress-allow-cidr). An address that carries an IPv4 address (NAT64,
	// 6to4, Teredo, IPv4-mapped) is looked up here by the one it carries.
	AllowCIDRs []netip.Prefix

	// Resolver looks names up. Default: net.DefaultResolver.
	Resolver *net.Resolver
}

// Client fetches what policies name. It is safe for concurrent use.
type Client struct {
	allowHTTP  bool
	timeout    time.Duration
	addresses  addresses
	transports transports
	lanes      lanes
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

	// Roots verify the server; it must not change any more. Nil: the system's.
	Roots *x509.CertPool

	// MaxBytes bounds the body of the answer. Default and maximum: 1 MiB.
	MaxBytes int64
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
		closing:   closing,
		close:     cancel,
	}
	dialer := &net.Dialer{Timeout: timeout, Resolver: c.Resolver, ControlContext: client.addresses.control}
	client.transports.dial = dialer.DialContext
	return client
}

// Do sends r and reads the whole answer, in 5 s or what ctx leaves of them;
// waiting for a free place at the origin counts. An answer that is too large,
// ends early or redirects where it may not is an error. The error wraps
// context.DeadlineExceeded or context.Canceled when that is the reason.
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

	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()

	leave, err := c.lanes.enter(ctx, origin(u))
	if err != nil {
		return nil, fmt.Errorf("no free place among the %d requests at once to this origin: %w", laneWidth, err)
	}
	defer leave()

	res, err := c.follow(ctx, u, r)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("no complete answer in time (%s at most): %w", c.timeout, ctx.Err())
	}
	return res, err
}

// Close ends what is under way, drops all connections and refuses later
// requests.
func (c *Client) Close() {
	c.close()
	c.transports.closeIdle()
}
