package cases

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/forward"
	"github.com/agentauth-dev/agentauth/authz/listen"
)

// What a proxy is told over HTTP must be all of the decision too. What this way does not
// carry (metadata of the proxy, a route, the name of a client) is left to the other.
func TestAProxyIsToldEveryDecisionOverHTTP(t *testing.T) {
	asked := 0
	for _, dialect := range []forward.Dialect{forward.Envoy, forward.Traefik} {
		t.Run(dialect.String(), func(t *testing.T) {
			forEachFile(t, func(t *testing.T, f File) {
				e := plainEngine(t, f)
				decider := forward.Within(e, dialect, nil)
				address := serveHTTP(t, e, dialect)
				forEachCase(t, f, func(t *testing.T, c Case) {
					raw, carried := carried(c.Raw)
					if !carried {
						return
					}
					raw.Joined = dialect == forward.Envoy
					got, err := askHTTP(t, address, dialect, raw)
					if err != nil {
						t.Fatal(err)
					}
					want := decider.Decide(t.Context(), raw)
					if told, decided := overHTTP(got, raw.Method, dialect), overHTTP(want, raw.Method, dialect); told != decided {
						t.Errorf("a proxy is told\n%s\nand the decision was\n%s", told, decided)
					}
					for _, name := range want.Remove {
						if present(names(got.Set), name) == nil && dialect != forward.Envoy {
							t.Errorf("the upstream gets %s, which is to be removed", name)
						}
					}
					asked++
				})
			})
		})
	}
	if asked < 500 {
		t.Errorf("only %d requests were asked about", asked)
	}
}

// carried is a request as a subrequest can say it; false if it cannot.
func carried(raw authz.Raw) (authz.Raw, bool) {
	if raw.Metadata != nil || raw.Route != nil || raw.ContextExtensions != nil || raw.Source.Principal != "" || raw.Source.Certificate != "" {
		return raw, false
	}
	if raw.BodyKnown && len(raw.Body) == 0 ||
		raw.Scheme != "https" && raw.Scheme != "http" || raw.TLS != (raw.Scheme == "https") {
		return raw, false
	}
	if strings.TrimSpace(raw.Host) != raw.Host {
		return raw, false // white space around a value is no part of it
	}
	if !raw.BodyKnown {
		raw.Body = nil
	}
	if raw.ID != "" {
		raw.Headers = append(slices.Clone(raw.Headers), authz.Header{Name: "x-request-id", Value: raw.ID})
	}
	for _, h := range raw.Headers {
		switch name := strings.ToLower(h.Name); {
		case name == "host", name == "connection", name == "content-length", name == "transfer-encoding", name == "expect",
			strings.HasPrefix(name, ":"), strings.HasPrefix(name, "x-forwarded-"), strings.HasPrefix(name, "x-envoy-"), name == "x-request-id" && raw.ID == "":
			return raw, false // of the subrequest itself
		case !authz.ValidFieldValue(h.Value) || !authz.ValidFieldName(h.Name):
			return raw, false // net/http refuses it
		}
	}
	return raw, true
}

func serveHTTP(t *testing.T, e *engine.Engine, dialect forward.Dialect) string {
	t.Helper()
	s, err := forward.Listen(forward.Config{
		Listen: listen.Config{Address: "127.0.0.1:0"}, Dialect: dialect,
		Decider: forward.Within(e, dialect, nil), Clock: func() time.Time { return Now },
		OnPanic: func(v any, stack []byte) { t.Errorf("a panic: %v\n%s", v, stack) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return serving(t, s)
}

// askHTTP asks as a proxy of a dialect does, byte by byte: an HTTP client would refuse
// half of the cases.
func askHTTP(t *testing.T, address string, dialect forward.Dialect, raw authz.Raw) (authz.Decision, error) {
	t.Helper()
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	method := raw.Method
	if dialect == forward.Envoy {
		line("%s %s HTTP/1.1", raw.Method, raw.Path)
		line("host: %s", raw.Host)
		if raw.Source.Address != "" {
			line("x-real-ip: %s", raw.Source.Address)
		}
		if raw.BodyKnown {
			line("x-envoy-auth-partial-body: false")
		}
	} else {
		method = http.MethodGet
		line("GET /auth HTTP/1.1\r\nhost: agentauth")
		line("x-forwarded-method: %s\r\nx-forwarded-host: %s\r\nx-forwarded-uri: %s", raw.Method, raw.Host, raw.Path)
		if raw.Source.Address != "" {
			line("x-forwarded-for: 192.0.2.99, %s", raw.Source.Address)
		}
	}
	line("x-forwarded-proto: %s", raw.Scheme)
	for _, h := range raw.Headers {
		line("%s: %s", h.Name, h.Value)
	}
	line("content-length: %d\r\nconnection: close\r\n", len(raw.Body))
	b.Write(raw.Body)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return authz.Decision{}, err
	}
	defer conn.Close()
	if _, err := conn.Write(b.Bytes()); err != nil {
		return authz.Decision{}, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return authz.Decision{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return readHTTP(answer, string(body)), err
}

// readHTTP reads an answer as a proxy does.
func readHTTP(answer *http.Response, body string) authz.Decision {
	d := authz.Decision{Status: answer.StatusCode, Body: body}
	for _, name := range []string{"Connection", "Content-Length"} {
		answer.Header.Del(name)
	}
	if answer.StatusCode == http.StatusOK {
		d.Outcome, d.Status = authz.Allow, 0
		if list := answer.Header.Get("x-envoy-auth-headers-to-remove"); list != "" {
			d.Remove = strings.Split(list, ",")
		}
		answer.Header.Del("x-envoy-auth-headers-to-remove")
		d.Set = sortedHeaders(answer.Header)
		return d
	}
	if d.Status >= 500 {
		d.Outcome = authz.Error
	}
	d.Headers = sortedHeaders(answer.Header)
	return d
}

func sortedHeaders(h http.Header) (out []authz.Header) {
	var b bytes.Buffer
	_ = h.Write(&b) // a buffer takes all
	for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out = append(out, authz.Header{Name: strings.ToLower(name), Value: strings.TrimSpace(value)})
		}
	}
	return out
}

// overHTTP writes down what is told of a decision. Only Envoy is told what to remove; the
// others are also told what stays of a few headers.
func overHTTP(d authz.Decision, method string, dialect forward.Dialect) string {
	d.Metadata, d.Reason, d.Policy, d.Method, d.Rule, d.Detail, d.Identity = nil, "", "", "", "", "", nil
	if d.Outcome == authz.Allow {
		d.Headers, d.Status = nil, 0
	} else {
		d.Set, d.Remove = nil, nil
	}
	if d.Outcome == authz.Respond {
		return "404"
	} else if d.Status == http.StatusNotFound || d.Status == http.StatusBadRequest {
		return strconv.Itoa(d.Status) // net/http says so itself in other words
	}
	byName := func(a, b authz.Header) int { return strings.Compare(a.Name, b.Name) }
	d.Set, d.Headers = slices.SortedStableFunc(slices.Values(d.Set), byName), slices.SortedStableFunc(slices.Values(d.Headers), byName)
	if dialect != forward.Envoy {
		d.Remove = nil
		d.Set = slices.DeleteFunc(d.Set, func(h authz.Header) bool { return slices.Contains([]string{"authorization", "cookie"}, h.Name) })
	}
	if method == http.MethodHead && dialect == forward.Envoy {
		d.Body = ""
	}
	slices.Sort(d.Remove)
	return withoutJWTs(describe(d))
}
