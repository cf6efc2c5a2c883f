//go:build e2e

package e2e

import (
	"cmp"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const forwardHeaders = "authorization,cookie,x-api-key,x-agent-id"

// forwarded is a real proxy that asks agentauth over HTTP, configured as docs/forward-auth.md says.
type forwarded struct {
	dialect   string
	address   string
	upstream  *parts.Upstream
	agentauth *parts.Agentauth
	door      string
}

// startForwarded starts the proxy of a dialect with the block of that language from the page.
func startForwarded(t *testing.T, dialect, language string, args ...string) *forwarded {
	t.Helper()
	dir := parts.TestDir(t)
	policies := subdir(t, dir, "policies")
	manifests, err := os.ReadFile("testdata/forward.yaml")
	must(t, err)
	write(t, filepath.Join(policies, "forward.yaml"), expand(t, string(manifests)))
	f := &forwarded{dialect: dialect, upstream: startUpstream(t), door: freeAddress(t), address: freeAddress(t)}
	f.agentauth = startAgentauth(t, dir, append([]string{"--policies", policies, "--http-address", f.door, "--http-dialect", dialect}, args...)...)
	f.startProxy(t, subdir(t, dir, dialect), language)
	return f
}

func (f *forwarded) startProxy(t *testing.T, dir, language string) {
	t.Helper()
	config := f.configuration(t, language)
	type stopper interface{ Stop() error }
	var proxy stopper
	var err error
	switch f.dialect {
	case "envoy":
		var envoy *parts.Envoy
		config = strings.NewReplacer("port_value: 9901", "port_value: 0", ":"+port(f.address), ":0").Replace(config)
		envoy, err = parts.RunEnvoy(t.Context(), dir, []byte(config))
		must(t, err)
		f.address, proxy = "127.0.0.1:"+itoa(envoy.HTTPPort), envoy
	case "nginx":
		proxy, err = parts.StartNginx(t.Context(), dir, f.address, config)
	case "caddy":
		proxy, err = parts.StartCaddy(t.Context(), dir, f.address, config)
	case "traefik":
		proxy, err = parts.StartTraefik(t.Context(), dir, f.address, config)
	}
	must(t, err)
	t.Cleanup(func() {
		if err := proxy.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
}

// configuration is what the page says, with other addresses.
func (f *forwarded) configuration(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/forward-auth.md")
	must(t, err)
	_, chapter, _ := strings.Cut(string(page), "\n## "+map[string]string{"envoy": "Envoy", "nginx": "nginx", "traefik": "Traefik", "caddy": "Caddy"}[f.dialect]+"\n")
	_, block, found := strings.Cut(chapter, "```"+language+"\n")
	block, _, ended := strings.Cut(block, "```")
	if !found || !ended {
		t.Fatalf("docs/forward-auth.md has no block %s", language)
	}
	return strings.NewReplacer(
		"127.0.0.1:8000", f.address, ":8000 {", ":"+port(f.address)+" {", "127.0.0.1:8080", f.upstream.Address, "127.0.0.1:9002", f.door,
		"port_value: 8000", "port_value: 0", "port_value: 8080", "port_value: "+port(f.upstream.Address), "port_value: 9002", "port_value: "+port(f.door),
	).Replace(block)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// send makes one request of HTTP/1.1.
func (f *forwarded) send(t *testing.T, r wire) answer {
	t.Helper()
	r.method, r.host = cmp.Or(r.method, "GET"), cmp.Or(r.host, apiHost)
	conn, err := net.Dial("tcp", f.address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	a, err := speakHTTP1(conn, r)
	if err != nil {
		t.Logf("%s %s: %v", r.method, r.target, err)
	}
	return a
}

func TestEnvoyAsksOverHTTP(t *testing.T) {
	f := startForwarded(t, "envoy", "yaml", "--http-headers", forwardHeaders)
	f.decides(t)
	t.Run("the target * is no path, and no allowance", func(t *testing.T) {
		f.refuses(t, wire{method: "OPTIONS", target: "*", headers: withKey("").headers}, 400, 404)
	})
}

func TestNginxAsks(t *testing.T) {
	f := startForwarded(t, "nginx", "nginx", "--http-headers", forwardHeaders)
	f.decides(t)
}

// decides holds a proxy to what it has to do, whatever its dialect.
func (f *forwarded) decides(t *testing.T) {
	f.allows(t)
	f.refusesAsTold(t)
	f.isNotSpoofed(t)
	t.Run("a body goes to the upstream", func(t *testing.T) {
		got := f.send(t, wire{method: "POST", target: "/keys/a", headers: withKey("").headers, body: "the body"}).echo(t)
		if got.Method != "POST" || got.Body != "the body" {
			t.Errorf("the upstream got %s with %q", got.Method, got.Body)
		}
		got = f.send(t, wire{method: "POST", target: "/keys/a", headers: withKey("", "Transfer-Encoding: chunked").headers, body: "8\r\nthe body\r\n0\r\n\r\n"}).echo(t)
		if got.Body != "the body" {
			t.Errorf("in chunks the upstream got %q", got.Body)
		}
	})
	t.Run("the address of the client is known", func(t *testing.T) {
		f.answers(t, get("/near"), 200)
		f.answers(t, get("/near", "x-forwarded-for: 192.0.2.1", "x-real-ip: 192.0.2.1"), 200)
		f.answers(t, get("/far", "x-forwarded-for: 192.0.2.1", "x-real-ip: 192.0.2.1"), 403)
	})
}

func (f *forwarded) allows(t *testing.T) {
	for what, c := range map[string]struct {
		wire
		want map[string]string // of the upstream; "" is none
	}{
		"a credential is stripped and a header is set":   {withKey("/keys/a?x=1&x=%20"), map[string]string{"X-Api-Key": "", "X-Agent-Id": "robot"}},
		"the caller's own header is replaced":            {withKey("/keys/a", "x-agent-id: admin"), map[string]string{"X-Agent-Id": "robot"}},
		"the caller's own header is removed":             {get("/public", "x-agent-id: admin"), map[string]string{"X-Agent-Id": ""}},
		"twice too":                                      {get("/public", "x-agent-id: admin", "X-Agent-ID: root"), map[string]string{"X-Agent-Id": ""}},
		"a cookie is stripped and the others stay":       {get("/cookie", "cookie: a=1; session="+goodKey+"; b=2"), map[string]string{"Cookie": "a=1; b=2", "X-Agent-Id": "robot"}},
		"the only cookie is stripped":                    {get("/cookie", "cookie: session="+goodKey), map[string]string{"Cookie": ""}},
		"what no policy reads stays":                     {get("/public", "cookie: a=1", "x-note: b"), map[string]string{"Cookie": "a=1", "X-Note": "b"}},
		"a credential of the upstream's own stays":       {get("/plain", "authorization: Basic YTpi", "x-api-key: of-the-upstream"), map[string]string{"Authorization": "Basic YTpi", "X-Api-Key": "of-the-upstream"}},
		"a key that the policy forwards":                 {withKey("/forwards"), map[string]string{"X-Api-Key": goodKey, "X-Agent-Id": "robot"}},
		"method and query are those of the request":      {wire{method: "DELETE", target: "/method?q=delete", headers: withKey("").headers}, map[string]string{"X-Agent-Id": "robot"}},
		"the scheme and the host are those of the proxy": {get("/plaintext"), nil},
	} {
		t.Run(what, func(t *testing.T) {
			got := f.send(t, c.wire).echo(t)
			if got.Path != c.target || got.Method != cmp.Or(c.method, "GET") {
				t.Errorf("the upstream got %s %s", got.Method, got.Path)
			}
			for name, want := range c.want {
				if value := strings.Join(got.Headers[name], " | "); value != want {
					t.Errorf("%s: expected %q, the upstream got %q", name, want, value)
				}
			}
		})
	}
}

func (f *forwarded) refusesAsTold(t *testing.T) {
	for what, c := range map[string]struct {
		wire
		want int
	}{
		"no credential":              {get("/keys/a"), 401},
		"another credential":         {get("/keys/a", "x-api-key: "+othersKey), 401},
		"a rule":                     {wire{method: "GET", target: "/method?q=delete", headers: withKey("").headers}, 403},
		"no policy":                  {get("/keys/a").on("elsewhere.example.test"), 403},
		"a path with two readings":   {withKey("/keys/..%2fa"), 400},
		"a credential in the query":  {get("/query?key=" + goodKey), 400},
		"what cannot be decided":     {withKey("/fails"), 503},
		"a header that nobody named": {withKey("/unnamed"), 503},
		"a credential twice":         {get("/keys/a", "x-api-key: "+goodKey, "x-api-key: "+othersKey), 400},
	} {
		t.Run(what, func(t *testing.T) {
			got := f.answers(t, c.wire, c.want)
			if c.want == 401 && !strings.Contains(strings.Join(got.header.Values("www-authenticate"), ", "), `ApiKey header="x-api-key"`) {
				t.Errorf("expected a challenge, got %q", got.header.Values("www-authenticate"))
			}
			if c.want == 401 && f.dialect != "nginx" && got.header.Get("content-type") != "application/problem+json" {
				t.Errorf("expected a problem document, got %s", got.header.Get("content-type"))
			}
		})
	}
}

// isNotSpoofed sends whatever a caller could write of a request in the place of the proxy.
func (f *forwarded) isNotSpoofed(t *testing.T) {
	names := []string{
		"x-forwarded-method: GET", "x-forwarded-uri: /public", "x-forwarded-host: public.example.test", "x-forwarded-proto: https", "x-original-method: GET",
		"x-original-uri: /public", "x-real-ip: 192.0.2.1", "x-forwarded-for: 192.0.2.1", "x-forwarded-port: 443", "x-original-url: /public", "x-envoy-original-path: /public",
		"x-envoy-auth-partial-body: false", "x-agentauth-status: 200",
	}
	for _, own := range names {
		name, _, _ := strings.Cut(own, ":")
		t.Run("a caller's own "+name, func(t *testing.T) {
			under := strings.ReplaceAll(name, "-", "_") + own[len(name):]
			for _, headers := range [][]string{{own}, {own, own}, {strings.ToUpper(name) + own[len(name):]}, {under}, {"Connection: close, " + name, own}} {
				f.refuses(t, get("/keys/a", headers...), 400, 401)
				f.refuses(t, get("/plaintext", append(headers, "authorization: "+basic("alice", password))...).as("GET", "/tls"), 400, 403)
				f.refuses(t, get("/", headers...).as("DELETE", "/method?q=read"), 400, 401)
			}
		})
	}
	t.Run("an absolute target", func(t *testing.T) {
		if got := f.send(t, get("http://public.example.test/other").on(apiHost)); got.status == 200 && got.echo(t).Host != "public.example.test" {
			t.Errorf("decided for public.example.test, and the upstream got %s", got.body)
		}
		f.refuses(t, get("http://"+apiHost+"/keys/a").on("public.example.test"), 400, 401, 404)
	})
	t.Run("a fragment", func(t *testing.T) { f.refuses(t, get("/keys/a#/public"), 400, 401) })
	t.Run("Connection removes nothing that is set", func(t *testing.T) {
		got := f.send(t, withKey("/keys/a", "Connection: close, x-agent-id"))
		if got.status == 200 && got.echo(t).Headers.Get("X-Agent-Id") != "robot" {
			t.Errorf("the upstream lacks the header that the policy sets: %s", got.body)
		}
	})
	t.Run("an alias does not reach the upstream", func(t *testing.T) {
		for _, alias := range []string{"X_Agent_Id: admin", "x!agent!id: admin"} {
			got := f.send(t, get("/public", alias))
			if got.status == 200 && strings.Contains(got.body, "admin") {
				t.Errorf("%s: the upstream got %s", alias, got.body)
			}
		}
	})
}

func (r wire) on(host string) wire { r.host = host; return r }

func (r wire) as(method, target string) wire {
	r.method, r.target = method, target
	return r
}

func (f *forwarded) answers(t *testing.T, r wire, want int) answer {
	t.Helper()
	got := f.send(t, r)
	if got.status != want {
		t.Errorf("%s %s %q: expected %d, got %d: %s", r.method, r.target, r.headers, want, got.status, got.body)
	}
	return got
}

// refuses wants one of some statuses, and nothing at the upstream.
func (f *forwarded) refuses(t *testing.T, r wire, want ...int) {
	t.Helper()
	before := f.upstream.Count()
	got := f.send(t, r)
	if !slices.Contains(want, got.status) || f.upstream.Count() != before {
		t.Errorf("%s %s %q: expected %v, got %d, and %d requests at the upstream: %s",
			r.method, r.target, r.headers, want, got.status, f.upstream.Count()-before, got.body)
	}
}

func TestCaddyAsks(t *testing.T) {
	f := startForwarded(t, "caddy", "caddyfile", "--http-headers", forwardHeaders)
	f.decides(t)
}

func TestTraefikAsks(t *testing.T) {
	f := startForwarded(t, "traefik", "yaml", "--http-headers", forwardHeaders)
	f.decides(t)
}
