package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ParseProxy reads the URL of a forward proxy. Its error does not hold the URL,
// which may have a password.
func ParseProxy(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("expected a URL as in http://proxy.example.com:3128, with http or https and a host")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("expected a URL without path, query and fragment, as in http://proxy.example.com:3128")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("expected a port between 1 and 65535")
		}
	}
	return u, nil
}

// proxyError says that it is the proxy that does not work, not the provider.
type proxyError struct{ what string }

func (e *proxyError) Error() string { return "the proxy of --egress-proxy " + e.what }

// proxyAnswered is called with what a proxy answers to CONNECT.
func proxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return &proxyError{"answered 407: it wants a user and a password, or others than its URL has"}
	}
	return &proxyError{fmt.Sprintf("answered %d to CONNECT: it does not let this host or port be reached", res.StatusCode)}
}

// through sends everything through a proxy. The certificate of an https proxy is
// verified to the system's roots: those of a policy are for the policy's servers. So
// dial speaks TLS with the proxy, and a transport knows it as an http proxy.
func (t *transports) through(proxy *url.URL, dialer *net.Dialer) {
	plain := *proxy
	plain.Scheme, plain.Host = "http", net.JoinHostPort(proxy.Hostname(), portOf(proxy))
	t.proxy = &plain
	dial := dialer.DialContext
	if proxy.Scheme == "https" {
		secure := &tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12}}
		dial = secure.DialContext
	}
	t.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := dial(ctx, network, plain.Host)
		if err != nil {
			why := strings.Replace(explain(err).Error(), ": see caCertificates", ", the system's (SSL_CERT_FILE)", 1)
			return nil, &proxyError{"cannot be used: " + why}
		}
		return conn, nil
	}
}
