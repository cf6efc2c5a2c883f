package egress

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// herd is one provider of many realms, and the key sets that fetch from it, on
// the fake clock of a synctest bubble. Everything between them is real.
type herd struct {
	t       *testing.T
	client  *Client
	shared  *jwks.Shared
	latency time.Duration
	sets    []*jwks.Remote

	mu       sync.Mutex
	kids     map[string]string // of each realm that there is
	fetches  int
	underWay int
	most     int
}

var publicKey = sync.OnceValue(func() *ecdsa.PublicKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &key.PublicKey
})

const host = "http://idp.example.com"

// scale is a number of a herd, or a tenth of it in the quick loop, whose race
// detector bears no more.
func scale(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

func inBubble(t *testing.T, latency time.Duration, test func(h *herd)) {
	publicKey() // not on the fake clock
	synctest.Test(t, func(t *testing.T) {
		h := &herd{t: t, client: New(Config{AllowHTTP: true}), shared: jwks.NewShared(), latency: latency, kids: map[string]string{}}
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		h.client.transports.dial = l.dial
		server := &http.Server{Handler: h}
		go func() { _ = server.Serve(l) }()
		test(h)
		h.mu.Lock()
		most := h.most
		h.mu.Unlock()
		if most > maxPerOrigin { // later, the provider does not know which requests were cancelled
			t.Errorf("%d requests at once", most)
		}
		for _, s := range h.sets {
			s.Close()
		}
		h.client.Close()
		_ = server.Shutdown(context.Background())
	})
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// ServeHTTP answers discovery and keys of the realms, 404 for everything else.
func (h *herd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.fetches++
	h.underWay++
	h.most = max(h.most, h.underWay)
	latency := h.latency
	if strings.HasPrefix(r.Host, "slow-") {
		latency = 10 * time.Second
		h.underWay-- // another origin
		defer func() { h.mu.Lock(); defer h.mu.Unlock(); h.underWay++ }()
	}
	h.mu.Unlock()
	time.Sleep(latency)
	realm, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.underWay--
	switch kid, ok := h.kids[realm]; {
	case !ok:
		http.NotFound(w, r)
	case what == "keys":
		key, _ := (&jose.JSONWebKey{Key: publicKey(), KeyID: kid}).MarshalJSON()
		fmt.Fprintf(w, `{"keys":[%s]}`, key)
	default:
		fmt.Fprintf(w, `{"issuer":"%[1]s/%[2]s","jwks_uri":"%[1]s/%[2]s/keys"}`, host, realm)
	}
}

// rotate makes kid the key of a realm.
func (h *herd) rotate(realm, kid string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kids[realm] = kid
}

func (h *herd) setLatency(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latency = d
}

func (h *herd) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fetches
}

// realms makes key sets of realms that there are, by discovery.
func (h *herd) realms(n int, tenant func(int) string) (sets []*jwks.Remote) {
	for i := range n {
		realm := fmt.Sprint("realm-", i)
		h.rotate(realm, "old")
		sets = append(sets, h.set(jwks.Config{Issuer: host + "/" + realm}, tenant(i)))
	}
	return sets
}

// dead makes key sets of URLs that answer 404.
func (h *herd) dead(n int, tenant func(int) string) (sets []*jwks.Remote) {
	for i := range n {
		sets = append(sets, h.set(jwks.Config{URL: fmt.Sprint(host, "/dead-", i, "/keys")}, tenant(i)))
	}
	return sets
}

// set makes a key set as cmd/agentauth does.
func (h *herd) set(c jwks.Config, tenant string) *jwks.Remote {
	c.Tenant = func() string { return tenant }
	c.Shared = h.shared
	c.Discover = func(ctx context.Context, turn jwks.Turn, issuer string) (string, error) {
		return h.client.Discover(ctx, issuer, nil, Turn(turn))
	}
	c.Fetch = func(ctx context.Context, turn jwks.Turn, url string) (jwks.Answer, error) {
		res, err := h.client.Do(ctx, Request{URL: url, Turn: Turn(turn)})
		if err != nil {
			return jwks.Answer{}, err
		}
		return jwks.Answer{Status: res.Status, Body: res.Body}, nil
	}
	set := jwks.NewRemote(c)
	h.sets = append(h.sets, set)
	return set
}

func start(sets []*jwks.Remote) {
	for _, s := range sets {
		s.Start()
	}
}

// ask is what a token with this kid is answered: 200, 401 or 503.
func ask(set *jwks.Remote, kid string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := set.Lookup(ctx, kid, "ES256")
	switch {
	case err == nil:
		return 200
	case errors.Is(err, jwks.ErrUnknownKey):
		return 401
	}
	return 503
}

// junk sends unknown kids, so many in a second, round the sets until stopped.
func junk(sets []*jwks.Remote, perSecond int) (stop func()) {
	var senders sync.WaitGroup
	done := make(chan struct{})
	senders.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
				senders.Go(func() { ask(sets[i%len(sets)], fmt.Sprint("junk-", i)) })
			case <-done:
				return
			}
		}
	})
	return func() { close(done); senders.Wait() }
}

// within fails unless every set knows the kid by then; a good token of each set
// asks every second.
func within(t *testing.T, d time.Duration, sets []*jwks.Remote, kid string) {
	t.Helper()
	unknown := sets
	var late []*jwks.Remote
	for began := time.Now(); len(unknown) > 0 && time.Since(began) <= d; time.Sleep(time.Second) {
		late = nil
		for _, s := range unknown {
			if ask(s, kid) != 200 {
				late = append(late, s)
			}
		}
		unknown = late
	}
	if len(unknown) > 0 {
		t.Errorf("%s is unknown to %d of %d sets after %s", kid, len(unknown), len(sets), d)
	}
}
