//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// underWay is an agentauth with a check under way: it waits for its provider, which waits for release.
type underWay struct {
	agentauth *parts.Agentauth
	upstream  *parts.Upstream
	way       way
	call      wire
	release   chan struct{}
	answer    chan answer
}

func startUnderWay(t *testing.T) *underWay {
	t.Helper()
	dir := parts.TestDir(t)
	u := &underWay{release: make(chan struct{}), answer: make(chan answer, 1)}
	asked := make(chan struct{})
	var fetches atomic.Int32
	first, both := expand(t, `{"keys":[${jwk rsa1 "kid":"rsa1"}]}`), expand(t, `{"keys":[${jwk rsa1 "kid":"rsa1"},${jwk rsa2 "kid":"rsa2"}]}`)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fetches.Add(1) == 1 {
			fmt.Fprint(w, first)
			return
		}
		close(asked)
		select {
		case <-u.release:
			fmt.Fprint(w, both)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(provider.Close)
	policies := subdir(t, dir, "policies")
	write(t, filepath.Join(policies, "orders.yaml"), ordersPolicy("orders", "/orders", provider.URL, fmt.Sprintf(", jwks: {uri: %q}", provider.URL)))
	u.upstream = startUpstream(t)
	u.agentauth = startAgentauth(t, dir, "--policies", policies)
	u.way = way{name: "status_on_error", envoy: startEnvoy(t, parts.EnvoyConfig{
		Dir: dir, Upstream: u.upstream.Address, Door: parts.Door{Address: u.agentauth.GRPCAddress}, StatusOnError: 503, Timeout: 10 * time.Second,
	})}
	// A key that is not known yet is asked for, and the request waits for it.
	u.call = get("/orders", "authorization: "+bearer(expand(t, `${jwt rsa2 RS256 {"iss":"`+provider.URL+`","aud":"`+orders+`","exp":${now+600}}}`)))
	go func() { u.answer <- u.way.send(t, u.call) }()
	select {
	case <-asked:
	case got := <-u.answer:
		t.Fatalf("expected the check to wait for the provider, got %d: %s", got.status, got.body)
	case <-time.After(10 * time.Second):
		t.Fatal("the provider was not asked for an unknown key")
	}
	return u
}

func (u *underWay) stopping(t *testing.T) {
	t.Helper()
	must(t, u.agentauth.Signal(syscall.SIGTERM))
	within(t, 3*time.Second, "not ready", func() error {
		resp, err := http.Get("http://" + u.agentauth.MetricsAddress + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if body := readAll(t, resp.Body); resp.StatusCode != 503 || !strings.Contains(body, "stopping") {
			return fmt.Errorf("expected 503, got %d: %s", resp.StatusCode, body)
		}
		return nil
	})
}

func (u *underWay) exited(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-u.agentauth.Exited():
		return u.agentauth.ExitCode()
	case <-time.After(limit):
		t.Fatalf("it did not end within %s", limit)
		return 0
	}
}

func (u *underWay) answered(t *testing.T) answer {
	t.Helper()
	select {
	case got := <-u.answer:
		return got
	case <-time.After(15 * time.Second):
		t.Fatal("the request under way was not answered")
		return answer{}
	}
}

func TestSIGTERMTakesReadinessAwayAndFinishesWhatIsUnderWay(t *testing.T) {
	u := startUnderWay(t)
	u.stopping(t)
	select {
	case <-u.agentauth.Exited():
		t.Fatal("it ended although a check was under way")
	case got := <-u.answer:
		t.Fatalf("the check under way was cut off: %d %s", got.status, got.body)
	default:
	}
	close(u.release)
	if got := u.answered(t); got.status != 200 {
		t.Errorf("expected the request under way to be allowed, got %d: %s", got.status, got.body)
	}
	if code := u.exited(t, 5*time.Second); code != 0 {
		t.Errorf("expected exit code 0, got %d", code)
	}
	before := u.upstream.Count()
	if got := u.way.send(t, u.call); got.status != 503 || u.upstream.Count() != before {
		t.Errorf("without agentauth expected 503 of Envoy, got %d", got.status)
	}
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	u := startUnderWay(t)
	u.stopping(t)
	must(t, u.agentauth.Signal(syscall.SIGTERM))
	if code := u.exited(t, 3*time.Second); code == 0 {
		t.Error("a check was cut off, and yet the exit code is 0")
	}
	if got := u.answered(t); got.status != 503 || u.upstream.Count() != 0 {
		t.Errorf("expected 503 of Envoy for the request that was cut off, got %d: %s", got.status, got.body)
	}
}

func TestWithoutAgentauthEnvoyRefuses(t *testing.T) {
	u := startUnderWay(t)
	byDefault := way{name: "by default", envoy: startEnvoy(t, parts.EnvoyConfig{
		Dir: subdir(t, filepath.Dir(u.agentauth.Log), "default"), Upstream: u.upstream.Address, Door: parts.Door{Address: u.agentauth.GRPCAddress},
	})}
	must(t, u.agentauth.Signal(syscall.SIGKILL))
	if code := u.exited(t, 3*time.Second); code != -1 {
		t.Errorf("expected a signal to end it, got exit code %d", code)
	}
	if got := u.answered(t); got.status != 503 {
		t.Errorf("expected 503 of Envoy for the request under way, got %d: %s", got.status, got.body)
	}
	for range 3 {
		if got := u.way.send(t, u.call); got.status != 503 {
			t.Errorf("status_on_error: expected 503, got %d", got.status)
		}
		if got := byDefault.send(t, u.call); got.status != 403 {
			t.Errorf("by default: expected 403, got %d", got.status)
		}
	}
	if u.upstream.Count() != 0 {
		t.Error("a request reached the upstream")
	}
}
