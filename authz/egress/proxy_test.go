package egress

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestProxyVariablesAreNotHonoured runs itself again: net/http reads the
// variables once a process.
func TestProxyVariablesAreNotHonoured(t *testing.T) {
	const child = "EGRESS_TEST_CHILD"
	if os.Getenv(child) != "" {
		offline := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server")
		}}
		c := New(Config{AllowHTTP: true, AllowCIDRs: loopback, Resolver: offline})
		defer c.Close()
		_, err := c.Do(t.Context(), Request{URL: "http://idp.example.com/"})
		wantError(t, err, "cannot be looked up")
		return
	}
	var asked atomic.Int64
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), child+"=1", "HTTP_PROXY="+proxy, "http_proxy="+proxy, "NO_PROXY=", "no_proxy=")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if asked.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

// forward is a forward proxy that a test looks into.
type forward struct {
	mu      sync.Mutex
	asked   []string // method, target and credential of each request
	refuse  int
	resolve map[string]string // what it dials instead
}

func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization")))
	refuse, target := f.refuse, cmp.Or(f.resolve[r.Host], r.Host)
	f.mu.Unlock()
	if refuse != 0 {
		http.Error(w, "secret", refuse)
		return
	}
	upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", target)
	if err != nil {
		http.Error(w, "secret", http.StatusBadGateway)
		return
	}
	if r.Method != http.MethodConnect {
		defer upstream.Close()
		r.Header.Del("Proxy-Authorization")
		_ = r.Write(upstream)
		if res, err := http.ReadResponse(bufio.NewReader(upstream), r); err == nil {
			defer res.Body.Close()
			w.WriteHeader(res.StatusCode)
			_, _ = io.Copy(w, res.Body)
		}
		return
	}
	client, early, err := http.NewResponseController(w).Hijack()
	if err != nil {
		upstream.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		defer upstream.Close()
		_, _ = io.Copy(upstream, early) // what the server had read already comes first
	}()
	_, _ = io.Copy(client, upstream)
	client.Close()
}

func (f *forward) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func proxied(t *testing.T, proxy string) *Client {
	t.Helper()
	u, err := ParseProxy(proxy)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{AllowHTTP: true, Proxy: u})
	t.Cleanup(c.Close)
	return c
}

func TestEverythingGoesThroughTheProxyWithItsCredential(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "keys "+r.Header.Get("Proxy-Authorization"))
	}))
	defer secure.Close()
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "keys "+r.Header.Get("Proxy-Authorization"))
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(secure.URL, "https://"), ":")
	f := &forward{resolve: map[string]string{"example.com:" + port: "127.0.0.1:" + port}}
	proxy := strings.Replace(serve(t, f.ServeHTTP), "http://", "http://agent:s3cret@", 1)
	c := proxied(t, proxy)
	const credential = " Basic YWdlbnQ6czNjcmV0"
	for _, x := range []struct{ url, asked string }{
		{"https://example.com:" + port + "/keys", "CONNECT example.com:" + port + credential}, // a name that only the proxy resolves
		{secure.URL + "/keys", "CONNECT 127.0.0.1:" + port + credential},                      // an address that the proxy judges
		{plain + "/keys", "GET " + plain + "/keys" + credential},
	} {
		before := len(f.requests())
		res, err := c.Do(t.Context(), Request{URL: x.url, Roots: roots})
		if err != nil || string(res.Body) != "keys " {
			t.Fatalf("%s: got %v, %v", x.url, res, err)
		}
		if asked := f.requests()[before:]; len(asked) != 1 || asked[0] != x.asked {
			t.Errorf("%s: the proxy was asked %q, want %q", x.url, asked, x.asked)
		}
	}
}

func TestAProxyThatDoesNotWorkIsNamedAndItsCredentialIsNot(t *testing.T) {
	refusing := func(status int) string { return serve(t, (&forward{refuse: status}).ServeHTTP) }
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, c := range map[string]struct{ proxy, want string }{
		"wrong credentials": {refusing(407), "the proxy of --egress-proxy answered 407: it wants a user and a password"},
		"a refusal":         {refusing(403), "the proxy of --egress-proxy answered 403 to CONNECT"},
		"a provider away":   {refusing(502), "the proxy of --egress-proxy answered 502 to CONNECT"},
		"nobody there":      {closed.URL, "the proxy of --egress-proxy cannot be used: cannot connect to 127.0.0.1:"},
		"no such host":      {"http://proxy.invalid:3128", "the proxy of --egress-proxy cannot be used: the host name"},
		"no TLS":            {strings.Replace(refusing(403), "http://", "https://", 1), "the proxy of --egress-proxy cannot be used: the server does not speak TLS"},
	} {
		c.proxy = strings.Replace(c.proxy, "://", "://agent:secret@", 1)
		_, err := proxied(t, c.proxy).Do(t.Context(), Request{URL: "https://idp.example.com/keys"})
		if wantError(t, err, c.want); t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestAProxyThatSpeaksTLSIsVerifiedToTheSystemsRoots runs itself again: the system's
// roots are read once a process.
func TestAProxyThatSpeaksTLSIsVerifiedToTheSystemsRoots(t *testing.T) {
	const child = "EGRESS_TEST_PROXY"
	if proxy := os.Getenv(child); proxy != "" {
		keys, err := os.ReadFile(os.Getenv("EGRESS_TEST_KEYS"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(keys)
		res, err := proxied(t, proxy).Do(t.Context(), Request{URL: os.Getenv("EGRESS_TEST_URL"), Roots: roots})
		if os.Getenv("EGRESS_TEST_WANT") == "" && (err != nil || string(res.Body) != "keys") {
			t.Errorf("got %v, %v", res, err)
		} else if want := os.Getenv("EGRESS_TEST_WANT"); want != "" {
			wantError(t, err, want)
		}
		return
	}
	keys := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "keys") }))
	defer keys.Close()
	f := &forward{}
	proxy := httptest.NewTLSServer(f)
	defer proxy.Close()
	proxy.Config.ErrorLog = quiet()
	ca := filepath.Join(t.TempDir(), "ca.pem") // both servers have httptest's certificate
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for system, want := range map[string]string{
		ca:          "",
		"/dev/null": "the proxy of --egress-proxy cannot be used: the server's certificate is signed by no authority that is trusted here, the system's (SSL_CERT_FILE)",
	} {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), child+"="+strings.Replace(proxy.URL, "://", "://agent:secret@", 1), "EGRESS_TEST_URL="+keys.URL+"/keys",
			"EGRESS_TEST_KEYS="+ca, "EGRESS_TEST_WANT="+want, "SSL_CERT_FILE="+system, "SSL_CERT_DIR=/nowhere")
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if got := f.requests(); len(got) != 1 || !strings.HasPrefix(got[0], "CONNECT 127.0.0.1:") {
		t.Errorf("the proxy was asked %q", got)
	}
}

func TestAProxysURLIsReadStrictlyAndNeverRepeated(t *testing.T) {
	for _, good := range []string{"http://proxy:3128", "http://proxy", "https://proxy.example.com/", "http://agent:secret@[::1]:3128"} {
		if u, err := ParseProxy(good); err != nil {
			t.Errorf("%s: got %v, %v", good, u, err)
		}
	}
	for _, bad := range []string{
		"", "secret", "secret:3128", "secret.example.com:3128", "socks5://secret:1080", "http://", "http://:3128", "http://u:secret@",
		"http://secret/path", "http://secret?x=y", "http://secret?", "http://secret#x", "http://secret:0", "http://secret:70000", "http://a:secret@%zz", "http:secret",
	} {
		_, err := ParseProxy(bad)
		wantError(t, err, "expected a")
	}
}
