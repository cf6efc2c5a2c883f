//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	loadWorkers = 8
	loadEvery   = 26 * time.Millisecond // of each worker: about 300 requests a second in all
)

// reply is what a caller got, and the number that the policies set upstream; -1 if there is none.
type reply struct {
	status, number int
}

// probe is one kind of request. right says whether the reply is that of some state the part was in
// between the oldest one that may answer the request, as of begin, and the latest.
type probe struct {
	name    string
	request func() wire
	begin   func() (right func(reply) bool)
}

// steady is a probe whose answer is that of one state of a part.
func steady[S any](name string, h *history[S], request wire, want func(S) reply) probe {
	return probe{name, func() wire { return request }, func() func(reply) bool {
		from := h.oldest()
		return func(got reply) bool {
			for _, s := range h.since(from) {
				if got == want(s) {
					return true
				}
			}
			return false
		}
	}}
}

// load is steady traffic, every answer of which is looked at.
type load struct {
	probes []probe
	ways   []way
	sent   atomic.Int64
	wrong  atomic.Int64
	by     sync.Map // status -> *atomic.Int64
	group  sync.WaitGroup
}

// run sends until ctx ends, and then until what is under way is answered.
func (l *load) run(ctx context.Context, t *testing.T) {
	for i := range loadWorkers {
		l.group.Go(func() {
			w := l.ways[i%len(l.ways)]
			client := w.client()
			defer client.CloseIdleConnections()
			tick := time.NewTicker(loadEvery)
			defer tick.Stop()
			for n := i; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					l.check(t, client, w, l.probes[n%len(l.probes)])
				}
			}
		})
	}
}

func (l *load) check(t *testing.T, client *http.Client, w way, p probe) {
	const tell = 20
	right := p.begin()
	start := time.Now()
	got, body, err := w.call(client, p.request())
	l.sent.Add(1)
	count, _ := l.by.LoadOrStore(got.status, new(atomic.Int64))
	count.(*atomic.Int64).Add(1)
	if err == nil && got.status < 500 && right(got) {
		return
	}
	if l.wrong.Add(1) <= tell {
		t.Errorf("%s, %s: wrong answer %+v, %v after %s: %.300s", p.name, w.name, got, err, time.Since(start), body)
	}
}

// client keeps its connections.
func (w way) client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!w.http2)
	protocols.SetHTTP2(w.http2)
	protocols.SetUnencryptedHTTP2(w.http2)
	config := (*tls.Config)(nil)
	if w.tls != nil {
		config = w.tls.Clone()
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, Protocols: protocols}}
}

// call sends a request by a client.
func (w way) call(client *http.Client, r wire) (reply, string, error) {
	base := w.envoy.HTTP()
	if w.tls != nil {
		base = w.envoy.HTTPS()
	}
	got := reply{number: -1}
	req, err := http.NewRequest(http.MethodGet, base+r.target, nil)
	if err != nil {
		return got, "", err
	}
	req.Host = apiHost
	for _, h := range r.headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return got, "", err
	}
	defer resp.Body.Close()
	got.status = resp.StatusCode
	var echo struct {
		parts.Echo
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&echo); err != nil {
		return got, "", fmt.Errorf("status %d, body: %w", got.status, err)
	}
	if number := echo.Headers.Get("x-generation"); number != "" {
		got.number, err = strconv.Atoi(number)
	}
	return got, echo.Detail, err
}
