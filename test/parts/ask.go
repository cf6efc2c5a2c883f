package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

// Ask sends a request and reads the answer. An Upstream answers 200; that another does is an error.
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
	if err == nil && a.Status == http.StatusOK {
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
