package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// client may dial this machine.
func client(t *testing.T) *Client {
	c := New(Config{AllowHTTP: true, AllowCIDRs: loopback})
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// wantError also holds what no error may show.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("want an error with %q, got: %v", want, err)
	}
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "secret") {
		t.Errorf("the error shows what it must not: %v", err)
	}
}

func TestAnAnswerComesBackWhole(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, r.Header.Get("Accept"))
	})
	res, err := client(t).Do(t.Context(), Request{URL: url + "/keys?a=b", Header: http.Header{"Accept": {"application/json"}}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != http.StatusTeapot || string(res.Body) != "GET /keys?a=b application/json" || res.Header.Get("Cache-Control") != "max-age=60" {
		t.Errorf("got %d %q %v", res.Status, res.Body, res.Header)
	}
}

func TestAPostSendsItsBody(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	res, err := client(t).Do(t.Context(), Request{URL: url, Method: http.MethodPost, Body: []byte("token=x")})
	if err != nil || string(res.Body) != "token=x" {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestURLsThatAreNotFetched(t *testing.T) {
	strict := New(Config{})
	defer strict.Close()
	for url, want := range map[string]string{
		"http://idp.example.com/":                         "--egress-allow-http",
		"https://user:secret@idp.example.com/":            "user name",
		"https://secret@idp.example.com/":                 "user name",
		"https:///keys":                                   "no host",
		"https:secret":                                    "no host",
		"ftp://idp.example.com/":                          "https://",
		"file:///etc/secret":                              "https://",
		"idp.example.com/secret":                          "https://",
		"":                                                "https://",
		"https://idp.example.com:0/":                      "port",
		"https://idp.example.com:65536/":                  "port",
		"https://idp.example.com:secret/":                 "not a URL",
		"https://idp.example.com/%zzsecret":               "not a URL",
		"https://10.0.0.5/?secret=1":                      "address 10.0.0.5 is private",
		"https://[::1]/":                                  "loopback",
		"https://[fe80::1%25eth0]/":                       "link-local",
		"https://169.254.169.254/latest/meta-data?secret": "link-local",
	} {
		wantError(t, strict.Check(url), want)
		_, err := strict.Do(t.Context(), Request{URL: url})
		wantError(t, err, want)
	}
	if err := strict.Check("https://idp.example.com:8443/keys?x=y"); err != nil {
		t.Error(err)
	}
}

func TestOnlyGetAndPostAreSent(t *testing.T) {
	_, err := client(t).Do(t.Context(), Request{URL: "https://idp.example.com/", Method: "DELETE"})
	wantError(t, err, "only GET and POST")
}

func TestANameIsJudgedByTheAddressItResolvesTo(t *testing.T) {
	c := New(Config{AllowHTTP: true})
	defer c.Close()
	_, err := c.Do(t.Context(), Request{URL: "http://localhost:1/?secret=1"})
	wantError(t, err, "loopback")
	wantError(t, err, "--egress-allow-cidr=")
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	big := bytes.Repeat([]byte("secret "), 10<<20/7)
	for name, handler := range map[string]http.HandlerFunc{
		"announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			_, _ = w.Write(big)
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(big)
		},
	} {
		_, err := client(t).Do(t.Context(), Request{URL: serve(t, handler)})
		if err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheLimitItselfIsAllowedAndOneByteMoreIsNot(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) })
	c := client(t)
	if res, err := c.Do(t.Context(), Request{URL: url, MaxBytes: 100}); err != nil || len(res.Body) != 100 {
		t.Errorf("got %v, %v", res, err)
	}
	_, err := c.Do(t.Context(), Request{URL: url, MaxBytes: 99})
	wantError(t, err, "larger than 99 bytes")
}

func TestHeadersWithoutEndAreRefused(t *testing.T) {
	url := raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("secret", 20<<10)+"\r\n\r\n")
	_, err := client(t).Do(t.Context(), Request{URL: url})
	wantError(t, err, "no readable HTTP")
}

// raw answers every connection with the same bytes and closes it.
func raw(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(newReader(conn))
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestBrokenAnswersAreErrorsThatShowNothingOfThem(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"half a body":       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"secret\":", "ended early"},
		"half a chunk":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nsecret", "ended early"},
		"half a header":     {"HTTP/1.1 200 OK\r\nX-Secr", "no readable HTTP"},
		"nothing":           {"", "ended early"},
		"no HTTP":           {"SECRET\r\n\r\n", "no readable HTTP"},
		"a malformed line":  {"HTTP/1.1 200 OK\r\nsecret\r\n\r\n", "no readable HTTP"},
		"a malformed count": {"HTTP/1.1 secret OK\r\n\r\n", "no readable HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t).Do(t.Context(), Request{URL: raw(t, c.answer)})
			wantError(t, err, c.want)
		})
	}
}

func TestASlowServerIsGivenUp(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"before the header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"within the body": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		c := client(t)
		c.timeout = 20 * time.Millisecond
		_, err := c.Do(t.Context(), Request{URL: serve(t, handler)})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheCallerMayWaitLess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	_, err := client(t).Do(ctx, Request{URL: url})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	c := client(t)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { c.Close(); <-r.Context().Done() })
	if _, err := c.Do(t.Context(), Request{URL: url}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_, err := c.Do(t.Context(), Request{URL: url})
	wantError(t, err, "closed")
}

func TestAtMostFourRequestsAtOnceGoToOneOrigin(t *testing.T) {
	arrived, release := make(chan struct{}, 16), make(chan struct{})
	handler := func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release }
	url := serve(t, handler)
	c := client(t)
	results := make(chan error, maxPerOrigin)
	for range maxPerOrigin {
		go func() {
			_, err := c.Do(context.Background(), Request{URL: url})
			results <- err
		}()
	}
	for range maxPerOrigin {
		<-arrived
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Do(ctx, Request{URL: url + "/another/path"})
	wantError(t, err, "no free place")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting does not count against the deadline: %v", err)
	}
	if len(arrived) != 0 {
		t.Error("a fifth request went out")
	}
	go func() { <-arrived; close(release) }()
	if _, err := c.Do(t.Context(), Request{URL: serve(t, handler)}); err != nil {
		t.Errorf("another origin is free: %v", err)
	}
	for range maxPerOrigin {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := len(c.origins.all); n != 0 {
		t.Errorf("%d origins are left behind", n)
	}
}

// Whoever writes policies chooses the roots too, as many as they like.
func TestRequestsOfAllRootsCountForTheirOrigin(t *testing.T) {
	arrived, release := make(chan struct{}, 16), make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release }))
	defer s.Close()
	c := client(t)
	rootsNumber := func(i int) *x509.CertPool {
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		roots.AddCert(&x509.Certificate{Raw: fmt.Append(nil, i)})
		return roots
	}
	results := make(chan error, maxPerOrigin)
	for i := range maxPerOrigin {
		go func() {
			_, err := c.Do(context.Background(), Request{URL: s.URL, Roots: rootsNumber(i)})
			results <- err
		}()
	}
	for range maxPerOrigin {
		<-arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Do(ctx, Request{URL: s.URL, Roots: rootsNumber(maxPerOrigin)})
	wantError(t, err, "no free place")
	close(release)
	for range maxPerOrigin {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestTheServerIsVerifiedToTheRoots(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = quiet()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := client(t)
	if _, err := c.Do(t.Context(), Request{URL: s.URL, Roots: roots}); err != nil {
		t.Error(err)
	}
	_, err := c.Do(t.Context(), Request{URL: s.URL})
	wantError(t, err, "no authority that is trusted")
	_, err = c.Do(t.Context(), Request{URL: s.URL, Roots: x509.NewCertPool()})
	wantError(t, err, "no authority that is trusted")
	_, err = c.Do(t.Context(), Request{URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1), Roots: roots})
	wantError(t, err, "another host")
}

func TestEqualRootsShareTheirConnections(t *testing.T) {
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	c := client(t)
	for range 5 {
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		if _, err := c.Do(t.Context(), Request{URL: s.URL, Roots: roots}); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 || len(c.transports.pools) != 1 {
		t.Errorf("want one connection of one pool, got %d of %d", n, len(c.transports.pools))
	}
}

func TestManyRootsDoNotPileUp(t *testing.T) {
	c := client(t)
	for i := range 3 * maxTransports {
		roots := x509.NewCertPool()
		roots.AddCert(&x509.Certificate{Raw: fmt.Append(nil, i)})
		if _, err := c.transports.of(roots); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.transports.pools); n != maxTransports {
		t.Errorf("want %d pools, got %d", maxTransports, n)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	_, err := client(t).Do(t.Context(), Request{URL: s.URL, Roots: roots})
	wantError(t, err, "TLS handshake: tls: protocol version not supported")
}

func TestAPlainServerUnderHTTPSIsSaidSo(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err := client(t).Do(t.Context(), Request{URL: strings.Replace(url, "http:", "https:", 1)})
	wantError(t, err, "does not speak TLS")
}

func TestAClosedPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = client(t).Do(t.Context(), Request{URL: "http://" + l.Addr().String() + "/?secret=1"})
	wantError(t, err, "cannot connect to "+l.Addr().String()+": connection refused")
}
