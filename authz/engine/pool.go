package engine

import (
	"crypto/x509"
	"maps"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/pool"
)

// RemoteKeys is a key set that is fetched.
type RemoteKeys interface {
	pool.Thing
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
	key := pool.KeyOf("keys", []byte(src.Issuer), []byte(src.URL), caPEM)
	t := b.pooled(key, func(tenant func() string) pool.Thing {
		src.Tenant = tenant
		return remoteKeys{b.engine.deps.Remote.Keys(src), src}
	})
	name := at.Child("issuer")
	if src.URL != "" {
		name = at.Child("jwks.uri")
	}
	b.uses(namedKeys{name.String(), t})
	return t.Thing.(remoteKeys)
}

// pooled returns what the pool holds for a key, and remembers that the policy uses it.
func (b *building) pooled(key pool.Key, build func(tenant func() string) pool.Thing) *pool.Held {
	t := b.engine.pool.Get(key, build)
	if b.origin.pooled == nil {
		b.origin.pooled = map[pool.Key]*pool.Held{}
	}
	b.origin.pooled[key] = t
	return t
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
	s.used, s.users = map[pool.Key]*pool.Held{}, s.usersOfPooled()
	things := map[string]map[pool.Key]bool{}
	for _, n := range s.find.Order() {
		namespace := s.policies[n].Name.Namespace
		for key, t := range s.pooled(n) {
			if things[namespace] == nil {
				things[namespace] = map[pool.Key]bool{}
			}
			things[namespace][key], s.used[key] = true, t
		}
	}
	s.tenants = pool.Tenants(things)
}

// pooled are the pooled things of a policy, if it is in force.
func (s *Snapshot) pooled(n int) map[pool.Key]*pool.Held {
	if p := s.find.Policy(n); p == nil || p.Over != "" {
		return nil
	}
	return s.policies[n].origin.pooled
}
