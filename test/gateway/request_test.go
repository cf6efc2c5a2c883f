//go:build e2e && linux

package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// way is how a request is sent: to a listener of the Gateway, by a client.
type way struct {
	base   string
	client *http.Client
}

// partner is the way of an agent with a certificate.
func (s *stage) partner(t *testing.T, ca *parts.CA, uri string) way {
	t.Helper()
	pair, err := ca.Client(uri)
	must(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(t, err)
	return way{s.partners, plain(s.ca.HTTPClient(certificate))}
}

// plain is a client that follows nothing.
func plain(c *http.Client) *http.Client {
	c.Timeout = 10 * time.Second
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// request is what a client sends: a method, a host and a path, and lines of header fields.
type request struct {
	method, target string
	headers        []string
	way            *way // default: plaintext
}

func (r request) over(w way) request {
	r.way = &w
	return r
}

func get(target string, headers ...string) request {
	return request{method: http.MethodGet, target: target, headers: headers}
}

// answer is a status, and what the upstream saw if the request came so far.
type answer struct {
	status int
	body   string
	echo   parts.Echo
}

func (s *stage) try(ctx context.Context, r request) (answer, error) {
	w := s.http
	if r.way != nil {
		w = *r.way
	}
	host, path, _ := strings.Cut(r.target, "/")
	req, err := http.NewRequestWithContext(ctx, r.method, w.base+"/"+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	for _, line := range r.headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, body: string(body)}
	if err == nil && a.status == http.StatusOK && resp.Header.Get("grpc-status") == "" {
		err = json.Unmarshal(body, &a.echo)
	}
	return a, err
}

// becomes waits until a request is answered by a status.
func (s *stage) becomes(t *testing.T, status int, r request) answer {
	t.Helper()
	var a answer
	parts.Within(t, 20*time.Second, func() (err error) {
		if a, err = s.try(t.Context(), r); err == nil && a.status != status {
			err = fmt.Errorf("%s: expected %d, got %d: %s", r.target, status, a.status, a.body)
		}
		return err
	})
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
