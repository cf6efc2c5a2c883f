package forward_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/forward"
	"github.com/agentauth-dev/agentauth/authz/listen"
)

// decider answers with one decision, and keeps what it was asked.
type decider struct {
	mu    sync.Mutex
	asked []authz.Raw
	d     authz.Decision
	panic bool
	ctx   context.Context
}

func (d *decider) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked, d.ctx = append(d.asked, raw), ctx
	if d.panic {
		panic("a defect")
	}
	if raw.Method == "" { // as the engine does
		return authz.Decision{Outcome: authz.Deny, Reason: authz.BadRequest, Status: 400}
	}
	return d.d
}

func (d *decider) last(t *testing.T) authz.Raw {
	t.Helper()
	if len(d.asked) == 0 {
		t.Fatal("the decider was not asked")
	}
	return d.asked[len(d.asked)-1]
}

func open(t *testing.T, c forward.Config) *forward.Server {
	t.Helper()
	c.Listen.Address = "127.0.0.1:0"
	s, err := forward.Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends lines as they are.
func ask(t *testing.T, s *forward.Server, lines ...string) *http.Response {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

var allowed = authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed}

// asks is a sound subrequest of each dialect: DELETE https://api.example.com/a%2fb?x=1 from 192.0.2.7.
var asks = map[forward.Dialect][]string{
	forward.Envoy:   {"DELETE /a%2fb?x=1 HTTP/1.1", "host: api.example.com", "x-forwarded-proto: https", "x-real-ip: 192.0.2.7"},
	forward.Nginx:   {"GET /_agentauth HTTP/1.1", "host: api.example.com", "x-original-method: DELETE", "x-original-uri: /a%2fb?x=1", "x-forwarded-proto: https", "x-real-ip: 192.0.2.7"},
	forward.Traefik: {"GET /auth HTTP/1.1", "host: agentauth", "x-forwarded-method: DELETE", "x-forwarded-uri: /a%2fb?x=1", "x-forwarded-host: api.example.com", "x-forwarded-proto: https", "x-forwarded-for: 10.0.0.1, 192.0.2.7"},
	forward.Caddy:   {"GET /auth HTTP/1.1", "host: agentauth", "x-forwarded-method: DELETE", "x-forwarded-uri: /a%2fb?x=1", "x-forwarded-host: api.example.com", "x-forwarded-proto: https", "x-forwarded-for: 192.0.2.7"},
}

func TestEachDialectSaysTheOriginalRequest(t *testing.T) {
	for dialect, lines := range asks {
		t.Run(dialect.String(), func(t *testing.T) {
			d := &decider{d: allowed}
			s := open(t, forward.Config{Dialect: dialect, Decider: d})
			if got := ask(t, s, append(lines, "x-note: a", "x-note: b")...); got.StatusCode != 200 {
				t.Fatalf("got %d", got.StatusCode)
			}
			raw := d.last(t)
			if raw.Method != "DELETE" || raw.Path != "/a%2fb?x=1" || raw.Host != "api.example.com" || raw.Scheme != "https" || !raw.TLS || raw.Source.Address != "192.0.2.7" || raw.BodyKnown {
				t.Errorf("got %+v", raw)
			}
			notes := 0
			for _, h := range raw.Headers {
				switch {
				case h.Name == "x-note":
					notes++
				case strings.HasPrefix(h.Name, "x-original-"), h.Name == "x-real-ip", strings.HasPrefix(h.Name, "x-forwarded-") && dialect != forward.Envoy:
					t.Errorf("a policy sees the proxy's own %s", h.Name)
				}
			}
			if notes != 2 {
				t.Errorf("expected both fields of one name, got %v", raw.Headers)
			}
			if at, ok := d.ctx.Deadline(); !ok || time.Until(at) > 5*time.Second {
				t.Error("a decision has no deadline")
			}
			if by := forward.Proxy(d.ctx); by != listen.Loopback {
				t.Errorf("expected the word for who asked, got %q", by)
			}
		})
	}
}

func TestForwardedHeadersAreOfTheRequestWhereAProxyBeforeIsTrusted(t *testing.T) {
	d := &decider{d: allowed}
	s := open(t, forward.Config{Dialect: forward.Traefik, Decider: d, TrustForwarded: true})
	ask(t, s, asks[forward.Traefik]...)
	for _, h := range d.last(t).Headers {
		if h.Name == "x-forwarded-for" && h.Value == "10.0.0.1, 192.0.2.7" {
			return
		}
	}
	t.Errorf("got %v", d.last(t).Headers)
}

func TestAPeerWithoutAnAddressIsNoProblem(t *testing.T) {
	for dialect, lines := range asks {
		at := len(lines) - 1
		name, _, _ := strings.Cut(lines[at], ": ")
		for said, want := range map[string]string{
			"":                     "", // Envoy, where there is no value
			"-":                    "",
			"unix:":                "", // nginx
			"unix:/run/web.sock":   "",
			"@":                    "", // Go: Caddy, Traefik
			"@web":                 "",
			"/run/web.sock":        "", // Envoy
			"192.0.2.7":            "192.0.2.7",
			"192.0.2.7:41234":      "192.0.2.7",
			"::ffff:192.0.2.7":     "192.0.2.7",
			"2001:DB8::7":          "2001:db8::7",
			"[2001:db8::7]":        "2001:db8::7",
			"[2001:db8::7]:41234":  "2001:db8::7",
			"fe80::7%eth0":         "fe80::7",
			"[fe80::7%eth0]:41234": "fe80::7",
			"unknown":              "refused",
			"unix":                 "refused",
			"localhost":            "refused",
			"[192.0.2.7]":          "refused",
			"192.0.2.7:":           "refused",
			"192.0.2.7:http":       "refused",
			"192.0.2":              "refused",
			"2001:db8::7]:1":       "refused",
			"[]":                   "refused",
		} {
			before := []string{""}
			if name == "x-forwarded-for" {
				before = append(before, "198.51.100.1, ")
			}
			for _, before := range before {
				t.Run(fmt.Sprintf("%s %s%s", dialect, before, said), func(t *testing.T) {
					d := &decider{d: allowed}
					s := open(t, forward.Config{Dialect: dialect, Decider: behind{d}})
					got := ask(t, s, append(append([]string(nil), lines[:at]...), name+": "+before+said)...)
					switch {
					case want == "refused":
						if got.StatusCode == 200 {
							t.Error("it is let in")
						}
					case got.StatusCode != 200:
						t.Errorf("got %d", got.StatusCode)
					default:
						if is := d.last(t).Source.Address; is != want {
							t.Errorf("expected the address %q, got %q", want, is)
						}
					}
				})
			}
		}
	}
}

func TestWhatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	for dialect, lines := range asks {
		for at := 1; at < len(lines); at++ {
			name, value, _ := strings.Cut(lines[at], ": ")
			if name == "host" && dialect != forward.Envoy && dialect != forward.Nginx {
				continue // the door's own
			}
			changed := map[string][]string{"twice": {lines[at], lines[at]}, "twice, with another value": {lines[at], name + ": /other"}, "as a list": {name + ": " + value + ", b c"}}
			if name != "x-real-ip" && name != "x-forwarded-for" { // see TestAPeerWithoutAnAddressIsNoProblem
				changed["not at all"], changed["empty"] = nil, []string{name + ":"}
			}
			for what, field := range changed {
				t.Run(fmt.Sprintf("%s %s %s", dialect, name, what), func(t *testing.T) {
					var problems []string
					d := &decider{d: allowed}
					s := open(t, forward.Config{Dialect: dialect, Decider: behind{d}, OnError: func(err error) { problems = append(problems, err.Error()) }})
					got := ask(t, s, append(append(append([]string(nil), lines[:at]...), field...), lines[at+1:]...)...)
					if got.StatusCode != 400 && (dialect != forward.Nginx || got.StatusCode != 403) {
						t.Errorf("expected 400, got %d", got.StatusCode)
					}
					if strings.Contains(strings.Join(problems, ""), "/other") {
						t.Errorf("a problem holds what came: %q", problems)
					}
				})
			}
		}
	}
}

// real refuses what the kernel refuses.
type behind struct{ next forward.Decider }

func (r behind) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	if _, err := authz.NewRequest(raw); err != nil {
		return authz.Decision{Outcome: authz.Deny, Reason: authz.BadRequest, Status: 400}
	}
	return r.next.Decide(ctx, raw)
}

func TestATargetThatIsNoPathIsRefused(t *testing.T) {
	for _, target := range []string{"http://api.example.com/a", "//", "a", "*", "/a#b", "/a?b#c", "/a b"} {
		d := &decider{d: allowed}
		s := open(t, forward.Config{Dialect: forward.Caddy, Decider: behind{d}})
		lines := append([]string(nil), asks[forward.Caddy]...)
		lines[3] = "x-forwarded-uri: " + target
		if got := ask(t, s, lines...); got.StatusCode != 400 && target != "//" {
			t.Errorf("%q: expected 400, got %d", target, got.StatusCode)
		}
	}
}

// net/http answers OPTIONS * by itself with 200, unless it is told not to.
func TestOptionsOfTheServerIsNoAllowance(t *testing.T) {
	for dialect := range asks {
		s := open(t, forward.Config{Dialect: dialect, Decider: behind{&decider{d: allowed}}})
		if got := ask(t, s, "OPTIONS * HTTP/1.1", "host: api.example.com", "x-forwarded-proto: https"); got.StatusCode < 400 {
			t.Errorf("%s: got %d", dialect, got.StatusCode)
		}
	}
}

func TestOnlyAnAllowanceIs2xx(t *testing.T) {
	for dialect, lines := range asks {
		for _, c := range []struct {
			d    authz.Decision
			want int
		}{
			{allowed, 200},
			{authz.Decision{}, 403},
			{authz.Decision{Outcome: authz.Deny, Status: 200}, 403},
			{authz.Decision{Outcome: authz.Deny, Status: 401}, 401},
			{authz.Decision{Outcome: authz.Deny, Status: 429}, 429},
			{authz.Decision{Outcome: authz.Error}, 503},
			{authz.Decision{Outcome: authz.Error, Status: 204}, 503},
			{authz.Decision{Outcome: authz.Respond, Status: 200, Body: "{}"}, 404},
			{authz.Decision{Outcome: authz.Outcome(9), Status: 200}, 403},
			{authz.Decision{Outcome: authz.Allow, Set: []authz.Header{{Name: "x-a", Value: "a\r\nb: c"}}}, 503},
			{authz.Decision{Outcome: authz.Allow, Remove: []string{"x a"}}, 503},
			{authz.Decision{Outcome: authz.Allow, RemoveQuery: []string{"key"}}, 503},
		} {
			s := open(t, forward.Config{Dialect: dialect, Decider: &decider{d: c.d}})
			got := ask(t, s, lines...)
			want := c.want
			if dialect == forward.Nginx && want < 500 && want != 200 && want != 401 {
				if told := got.Header.Get("x-agentauth-status"); told != fmt.Sprint(want) {
					t.Errorf("%s: %+v: told status %s", dialect, c.d, told)
				}
				want = 403
			}
			if got.StatusCode != want {
				t.Errorf("%s: %+v: expected %d, got %d", dialect, c.d, want, got.StatusCode)
			}
		}
	}
}

func TestAPanicIs503(t *testing.T) {
	panics := 0
	s := open(t, forward.Config{Dialect: forward.Caddy, Decider: &decider{panic: true}, OnPanic: func(any, []byte) { panics++; panic("again") }})
	if got := ask(t, s, asks[forward.Caddy]...); got.StatusCode != 503 || panics != 1 {
		t.Errorf("got %d and %d panics told", got.StatusCode, panics)
	}
}

func TestAnAllowanceTellsWhatTheUpstreamGets(t *testing.T) {
	d := authz.Decision{Outcome: authz.Allow, Set: []authz.Header{{Name: "x-agent-id", Value: "robot"}}, Remove: []string{"x-api-key", "x-other"}}
	lines := []string{"x-api-key: secret", "authorization: Basic YTpi", "x-agent-id: admin", "cookie: a=1", "cookie: b=2", "x-accel-redirect: /public"}
	for dialect := range asks {
		s := open(t, forward.Config{Dialect: dialect, Decider: &decider{d: d}, Names: []string{"authorization", "cookie", "x-api-key", "x-agent-id"}})
		h := ask(t, s, append(append([]string(nil), asks[dialect]...), lines...)...).Header
		if h.Get("x-agent-id") != "robot" || h.Get("x-api-key") != "" || h.Get("x-accel-redirect") != "" || h.Get("date") != "" {
			t.Errorf("%s: got %v", dialect, h)
		}
		if dialect == forward.Envoy {
			if h.Get("x-envoy-auth-headers-to-remove") != "x-api-key,x-other" || h.Get("cookie") != "" {
				t.Errorf("got %v", h)
			}
		} else if h.Get("authorization") != "Basic YTpi" || h.Get("cookie") != "a=1; b=2" {
			t.Errorf("%s: what nothing changes is lost: %v", dialect, h)
		}
	}
}

func TestNginxGetsItsChallengesInOneField(t *testing.T) {
	d := authz.Decision{Outcome: authz.Deny, Status: 401, Headers: []authz.Header{{Name: "www-authenticate", Value: "Bearer"}, {Name: "www-authenticate", Value: `ApiKey header="x"`}}}
	got := ask(t, open(t, forward.Config{Dialect: forward.Nginx, Decider: &decider{d: d}}), asks[forward.Nginx]...)
	if values := got.Header.Values("www-authenticate"); len(values) != 1 || values[0] != `Bearer, ApiKey header="x"` {
		t.Errorf("got %q", values)
	}
}

func TestABodyIsKnownWhereTheProxyPassesOnTheWhole(t *testing.T) {
	for _, c := range []struct {
		dialect forward.Dialect
		lines   []string
		known   bool
	}{
		{forward.Envoy, []string{"x-envoy-auth-partial-body: false"}, true},
		{forward.Envoy, []string{"x-envoy-auth-partial-body: true"}, false},
		{forward.Envoy, []string{"x-envoy-auth-partial-body: false", "x-envoy-auth-partial-body: false"}, false},
		{forward.Envoy, nil, false},
		{forward.Traefik, nil, true},
		{forward.Nginx, nil, false},
		{forward.Caddy, []string{"x-envoy-auth-partial-body: false"}, false},
	} {
		d := &decider{d: allowed}
		s := open(t, forward.Config{Dialect: c.dialect, Decider: d})
		lines := append(append(append([]string(nil), asks[c.dialect]...), c.lines...), "content-length: 4", "", "body")
		if ask(t, s, lines...); d.last(t).BodyKnown != c.known || c.known && string(d.last(t).Body) != "body" {
			t.Errorf("%s %v: got %v %q", c.dialect, c.lines, d.last(t).BodyKnown, d.last(t).Body)
		}
	}
}

func TestADoorNobodyConfiguredOpensNothing(t *testing.T) {
	d := &decider{}
	for what, c := range map[string]forward.Config{
		"no decider":       {Listen: listen.Config{Address: "127.0.0.1:0"}, Dialect: forward.Caddy},
		"no dialect":       {Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: d},
		"another dialect":  {Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: d, Dialect: 9},
		"any address":      {Listen: listen.Config{Address: ":0"}, Decider: d, Dialect: forward.Caddy},
		"a reserved name":  {Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: d, Dialect: forward.Caddy, Names: []string{"x-accel-redirect"}},
		"a name of colons": {Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: d, Dialect: forward.Caddy, Names: []string{":path"}},
	} {
		var wrong *listen.UsageError
		if _, err := forward.Listen(c); !errors.As(err, &wrong) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestWhatAProxyCannotDoIsRefused(t *testing.T) {
	names := []string{"authorization", "x-agent-id"}
	set := func(name string) authz.Decision {
		return authz.Decision{Outcome: authz.Allow, Policy: "a/b", Set: []authz.Header{{Name: name, Value: "v"}}}
	}
	remove := func(name string) authz.Decision {
		return authz.Decision{Outcome: authz.Allow, Policy: "a/b", Remove: []string{name}}
	}
	for _, c := range []struct {
		what    string
		dialect forward.Dialect
		names   []string
		d       authz.Decision
		want    int // 0 is allowed
	}{
		{"a named header is set", forward.Caddy, names, set("x-agent-id"), 0},
		{"another is not", forward.Caddy, names, set("x-other"), 503},
		{"nor by Envoy", forward.Envoy, names, set("x-other"), 503},
		{"without names it is taken for granted", forward.Caddy, nil, set("x-other"), 0},
		{"but not of what means something in an answer", forward.Nginx, nil, set("x-accel-redirect"), 503},
		{"nor for Envoy", forward.Envoy, nil, set("content-length"), 503},
		{"a named header is removed", forward.Caddy, names, remove("x-agent-id"), 0},
		{"another is not removed", forward.Caddy, names, remove("x-api-key"), 503},
		{"but by Envoy", forward.Envoy, names, remove("x-api-key"), 0},
		{"and where it did not come", forward.Caddy, names, remove("x-absent"), 0},
		{"an alias is the caller's doing", forward.Caddy, names, remove("x_agent_id"), 400},
		{"also without names", forward.Caddy, nil, remove("x_agent_id"), 400},
		{"as is another host", forward.Traefik, nil, remove("x-original-url"), 400},
		{"Envoy removes these", forward.Envoy, nil, remove("x_agent_id"), 0},
		{"a parameter of the query", forward.Envoy, nil, authz.Decision{Outcome: authz.Allow, RemoveQuery: []string{"key"}}, 400},
		{"refusals stay", forward.Caddy, names, authz.Decision{Outcome: authz.Deny, Status: 401, RemoveQuery: []string{"key"}}, 401},
	} {
		raw := authz.Raw{Method: "GET"}
		for _, name := range []string{"X-Agent-Id", "x-other", "x-api-key", "x_agent_id", "x-original-url"} {
			raw.Headers = append(raw.Headers, authz.Header{Name: name, Value: "of-the-caller"})
		}
		d := forward.Within(&decider{d: c.d}, c.dialect, c.names).Decide(t.Context(), raw)
		if d.Status != c.want || (d.Outcome == authz.Allow) != (c.want == 0) || d.Policy != c.d.Policy {
			t.Errorf("%s: got %s %d %s", c.what, d.Outcome, d.Status, d.Detail)
		}
		if strings.Contains(d.Detail+d.Body, "of-the-caller") {
			t.Errorf("%s: it holds what came", c.what)
		}
	}
}

func TestAHeaderTooLargeIsNoAllowance(t *testing.T) {
	s := open(t, forward.Config{Dialect: forward.Caddy, Decider: &decider{d: allowed}})
	if got := ask(t, s, append(append([]string(nil), asks[forward.Caddy]...), "x-large: "+strings.Repeat("a", 256<<10))...); got.StatusCode != 431 {
		t.Errorf("got %d", got.StatusCode)
	}
}

func TestAConnectionServesMany(t *testing.T) {
	d := &decider{d: allowed}
	s := open(t, forward.Config{Dialect: forward.Nginx, Decider: d})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for range 5 {
		r := httptest.NewRequest(http.MethodGet, "http://"+s.Addr().String()+"/", nil)
		r.RequestURI, r.Host = "", "api.example.com"
		for _, line := range asks[forward.Nginx][2:] {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != 200 || answer.Close {
			t.Errorf("got %d, close %v", answer.StatusCode, answer.Close)
		}
	}
}

// nginx, Traefik and Caddy pass on what a caller says of its certificate.
func TestACertificateThatACallerWroteIsRefusedWherePoliciesBelieveIt(t *testing.T) {
	for dialect, lines := range asks {
		for _, trusted := range []bool{false, true} {
			d := &decider{d: allowed}
			s := open(t, forward.Config{Dialect: dialect, Decider: d, TrustXFCC: trusted})
			got := ask(t, s, append(append([]string(nil), lines...), "X-Forwarded-Client-Cert: Cert=a")...)
			if refused := got.StatusCode != 200; refused != (trusted && dialect != forward.Envoy) {
				t.Errorf("%s, trusted %v: got %d", dialect, trusted, got.StatusCode)
			}
		}
	}
}

// Envoy says content-length: 0 of a body that it keeps to itself.
func TestTheLengthOfASubrequestIsNotThatOfTheRequest(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"content-length: 0"}, ""},
		{[]string{"content-length: 4", "x-envoy-auth-partial-body: true", "", "body"}, ""},
		{[]string{"content-length: 4", "x-envoy-auth-partial-body: false", "", "body"}, "4"},
	} {
		d := &decider{d: allowed}
		ask(t, open(t, forward.Config{Dialect: forward.Envoy, Decider: d}), append(append([]string(nil), asks[forward.Envoy]...), c.lines...)...)
		got := ""
		for _, h := range d.last(t).Headers {
			if h.Name == "content-length" {
				got = h.Value
			}
		}
		if got != c.want {
			t.Errorf("%v: expected a policy to see %q, got %q", c.lines, c.want, got)
		}
	}
}

// nginx answers a subrequest with a file, 200, where it is told so.
func TestARefusalTellsNginxNothingToDo(t *testing.T) {
	d := authz.Decision{Outcome: authz.Deny, Status: 403, Headers: []authz.Header{{Name: "X-Accel-Redirect", Value: "/public"}, {Name: "x-note", Value: "a"}}}
	got := ask(t, open(t, forward.Config{Dialect: forward.Nginx, Decider: &decider{d: d}}), asks[forward.Nginx]...)
	if got.Header.Get("x-accel-redirect") != "" || got.Header.Get("x-note") != "a" {
		t.Errorf("got %v", got.Header)
	}
}
