package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// Pooled is what lives longer than a snapshot, since it works in the background.
// It does nothing before Start and nothing more after Close.
type Pooled interface {
	Start()
	Close()
	// Ready is closed when the first attempt has ended, well or not.
	Ready() <-chan struct{}
}

// RemoteKeys is a key set that is fetched.
type RemoteKeys interface {
	Pooled
	jwks.Set
	Status() jwks.Status
}

// RemoteSource says where a key set is: by discovery at Issuer, or at URL.
type RemoteSource struct {
	Issuer, URL string
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
	// Tenant is the namespace whose turn a fetch takes. It changes with the
	// policies in force.
	Tenant func() string
}

// remoteKeys is a RemoteKeys that knows its source.
type remoteKeys struct {
	RemoteKeys
	source RemoteSource
}

// Held gives [jwks.Held] the keys.
func (r remoteKeys) Held() []jwks.Key { return jwks.Held(r.RemoteKeys) }

// Fingerprint gives [jwks.FingerprintOf] that of the keys.
func (r remoteKeys) Fingerprint() (jwks.Fingerprint, bool) {
	return jwks.FingerprintOf(r.RemoteKeys)
}

// remoteKeys returns the key set of a source that the method at a field names.
// caPEM is what Roots was made of.
func (b *building) remoteKeys(src RemoteSource, caPEM []byte, at *field.Path) RemoteKeys {
	key := poolKeyOf("keys", []byte(src.Issuer), []byte(src.URL), caPEM)
	t := b.engine.pool.get(key, func(tenant func() string) Pooled {
		src.Tenant = tenant
		return remoteKeys{b.engine.deps.Remote.Keys(src), src}
	})
	b.uses(key, t)
	name := at.Child("issuer")
	if src.URL != "" {
		name = at.Child("jwks.uri")
	}
	b.origin.keys = append(b.origin.keys, namedKeys{name.String(), t})
	return t.Pooled.(remoteKeys)
}

// uses remembers that the policy uses a pooled thing.
func (b *building) uses(key poolKey, t *pooled) {
	if b.origin.pooled == nil {
		b.origin.pooled = map[poolKey]*pooled{}
	}
	b.origin.pooled[key] = t
}

// pool holds each Pooled by its own inputs: whatever else changes in a policy,
// its keys stay warm.
type pool struct {
	mu     sync.Mutex
	things map[poolKey]*pooled
}

// poolKey is a hash of a kind of thing and its inputs.
type poolKey [sha256.Size]byte

func poolKeyOf(kind string, inputs ...[]byte) poolKey {
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(kind)}, inputs...) {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return poolKey(h.Sum(nil))
}

type pooled struct {
	Pooled
	start   sync.Once
	started atomic.Bool
	tenant  atomic.Pointer[string]
}

// use collects the pooled things of the policies.
func (s *Snapshot) use(prev *Snapshot) {
	same := prev.used != nil
	for n := range max(len(s.policies), len(prev.policies)) {
		same = same && (s.find.Policy(n) == prev.find.Policy(n) || maps.Equal(s.pooled(n), prev.pooled(n)))
	}
	if s.used, s.tenants, s.users = prev.used, prev.tenants, prev.users; same {
		return
	}
	s.used, s.tenants, s.users = map[poolKey]*pooled{}, s.tenantsOfPooled(), s.usersOfPooled()
	for _, n := range s.find.Order() {
		maps.Copy(s.used, s.pooled(n))
	}
}

// pooled are the pooled things of a policy, if it is in force.
func (s *Snapshot) pooled(n int) map[poolKey]*pooled {
	if p := s.find.Policy(n); p == nil || p.Over != "" {
		return nil
	}
	return s.policies[n].origin.pooled
}

// tenantsOfPooled says whose turns each pooled thing takes. A thing that policies of
// several namespaces share takes those of the namespace with the fewest things,
// which come soonest: nobody's thing gets slower because others share it.
func (s *Snapshot) tenantsOfPooled() map[poolKey]string {
	things := map[string]map[poolKey]bool{}
	for _, n := range s.find.Order() {
		namespace := s.policies[n].Name.Namespace
		for key := range s.pooled(n) {
			if things[namespace] == nil {
				things[namespace] = map[poolKey]bool{}
			}
			things[namespace][key] = true
		}
	}
	tenants := map[poolKey]string{}
	for _, namespace := range slices.SortedFunc(maps.Keys(things), func(a, b string) int {
		return cmp.Or(len(things[b])-len(things[a]), strings.Compare(b, a))
	}) { // the last one counts
		for key := range things[namespace] {
			tenants[key] = namespace
		}
	}
	return tenants
}

func newPool() *pool { return &pool{things: map[poolKey]*pooled{}} }

// get returns what is held for a key, or makes it.
func (p *pool) get(key poolKey, build func(tenant func() string) Pooled) *pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.things[key]
	if t == nil {
		t = &pooled{}
		t.tenant.Store(new(string))
		t.Pooled = build(func() string { return *t.tenant.Load() })
		p.things[key] = t
	}
	return t
}

// holds reports whether things are still those that get returns.
func (p *pool) holds(things map[poolKey]*pooled) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, t := range things {
		if p.things[key] != t {
			return false
		}
	}
	return true
}

// retain starts what is used and closes everything else. A check that still reads
// an older snapshot finds the things that this snapshot holds.
func (p *pool) retain(used map[poolKey]*pooled, tenants map[poolKey]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, t := range p.things {
		if used[key] == nil {
			t.Close()
			delete(p.things, key)
		}
	}
	for key, t := range used {
		tenant := tenants[key]
		t.tenant.Store(&tenant)
		t.start.Do(func() { t.Start(); t.started.Store(true) })
	}
}

// wait returns when everything has been tried once, at most after limit.
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
