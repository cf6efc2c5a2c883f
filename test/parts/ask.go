package parts

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Way is how requests are sent: to a listener of a proxy, by a client.
type Way struct {
	Base   string // URL without a path
	Client *http.Client
}

// NewWay follows no redirects. Without a client it is a plain one.
func NewWay(base string, client *http.Client) Way {
	if client == nil {
		client = &http.Client{Transport: &http.Transport{}}
	}
	client.Timeout = 10 * time.Second
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return Way{base, client}
}

// As is the way of an agent with a certificate that has a URI.
func (w Way) As(t testing.TB, ca *CA, uri string) Way {
	t.Helper()
	pair, err := ca.Client(uri)
	Must(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	Must(t, err)
	transport := w.Client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = []tls.Certificate{certificate}
	return NewWay(w.Base, &http.Client{Transport: transport})
}

// Request is what a client sends: a method, a host and a path, and lines of header fields ("name: value").
type Request struct {
	Method, Target string
	Headers        []string
}

// Get is a request for HOST/PATH.
func Get(target string, headers ...string) Request {
	return Request{Method: http.MethodGet, Target: target, Headers: headers}
}

// Answer is a status, and what the upstream saw if the request came so far.
type Answer struct {
	Status int
	Body   string
	Echo   Echo
}

// Ask sends a request and reads the answer. An Upstream answers 200; that another does is an error, but for a proxy
// that answers a gRPC client.
func (w Way) Ask(ctx context.Context, r Request) (Answer, error) {
	host, path, _ := strings.Cut(r.Target, "/")
	req, err := http.NewRequestWithContext(ctx, r.Method, w.Base+"/"+path, http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	req.Host = host
	for _, line := range r.Headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := Answer{Status: resp.StatusCode, Body: string(body)}
	if err == nil && a.Status == http.StatusOK && resp.Header.Get("grpc-status") == "" {
		err = json.Unmarshal(body, &a.Echo)
	}
	return a, err
}

// Becomes asks until the answer has a status, and ends the test if it does not come to have it.
func (w Way) Becomes(t testing.TB, status int, r Request) Answer {
	t.Helper()
	var a Answer
	Within(t, 20*time.Second, func() (err error) {
		if a, err = w.Ask(t.Context(), r); err == nil && a.Status != status {
			err = fmt.Errorf("%s: expected %d, got %d: %s", r.Target, status, a.Status, a.Body)
		}
		return err
	})
	return a
}

// Answers asks once, and holds the answer to a status.
func (w Way) Answers(t testing.TB, status int, r Request) Answer {
	t.Helper()
	a, err := w.Ask(t.Context(), r)
	if err != nil || a.Status != status {
		t.Errorf("%s %q: expected %d, got %d: %s, %v", r.Target, r.Headers, status, a.Status, a.Body, err)
	}
	return a
}

// Serves asks once, and holds the upstream to an agent in x-agent-id and to no credentials.
func (w Way) Serves(t testing.TB, agent string, r Request) {
	t.Helper()
	a := w.Answers(t, http.StatusOK, r)
	if got := a.Echo.Headers.Values("x-agent-id"); !slices.Equal(got, []string{agent}) {
		t.Errorf("%s: expected the upstream to see x-agent-id %s, got %q", r.Target, agent, got)
	}
	for _, credential := range []string{"x-api-key", "authorization"} {
		if a.Echo.Headers.Get(credential) != "" {
			t.Errorf("%s: the upstream saw %s", r.Target, credential)
		}
	}
}

// Refuses asks once, and holds the proxy to a status and to asking no upstream.
func (w Way) Refuses(t testing.TB, u *Upstream, status int, r Request) {
	t.Helper()
	before := u.Count()
	w.Answers(t, status, r)
	if u.Count() != before {
		t.Errorf("%s %q: the refused request reached the upstream", r.Target, r.Headers)
	}
}
