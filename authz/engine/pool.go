package engine

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// RemoteKeys is a key set that is fetched. It does nothing before Start and
// nothing more after Close.
type RemoteKeys interface {
	jwks.Set
	Start()
	Close()
	// Ready is closed when the first attempt has ended, well or not.
	Ready() <-chan struct{}
	Status() jwks.Status
}

// RemoteSource says where a key set is: by discovery at Issuer, or at URL.
type RemoteSource struct {
	Issuer, URL string
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
}

// pool holds what lives longer than a snapshot. Each thing is keyed by a hash
// of its own inputs: whatever else changes in a policy, its keys stay warm.
type pool struct {
	mu     sync.Mutex
	things map[poolKey]*pooled
	make   func(RemoteSource) RemoteKeys
}

type poolKey [sha256.Size]byte

type pooled struct {
	RemoteKeys
	source RemoteSource
	start  sync.Once
}

func newPool(build func(RemoteSource) RemoteKeys) *pool {
	return &pool{things: map[poolKey]*pooled{}, make: build}
}

// remote returns the key set of a source. caPEM is what Roots was made of.
func (p *pool) remote(src RemoteSource, caPEM []byte) (poolKey, *pooled) {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(src.Issuer), []byte(src.URL), caPEM} {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	key := poolKey(h.Sum(nil))
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.things[key]
	if t == nil {
		t = &pooled{RemoteKeys: p.make(src), source: src}
		p.things[key] = t
	}
	return key, t
}

// retain starts what is used and closes everything else. Checks that still
// read an older snapshot find the keys it held.
func (p *pool) retain(used map[poolKey]*pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, t := range p.things {
		if used[key] == nil {
			t.Close()
			delete(p.things, key)
		}
	}
	for _, t := range used {
		t.start.Do(t.Start)
	}
}

// wait returns when every thing has been tried once, at most after limit.
func wait(ctx context.Context, used map[poolKey]*pooled, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, t := range used {
		select {
		case <-t.Ready():
		case <-ctx.Done():
			return
		}
	}
}
