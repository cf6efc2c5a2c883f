package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
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
