package verified

import (
	"context"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// Around puts the cache around each authenticator of a policy whose credentials may
// be kept; the others stay as they are.
func (c *Cache) Around(namespace string, of []authn.Authenticator) []authn.Authenticator {
	out := make([]authn.Authenticator, len(of))
	var all []*method
	for i, a := range of {
		out[i] = a
		k, ok := a.(authn.Keepable)
		if c == nil || !ok {
			continue
		}
		if inputs, ok := k.Inputs(); ok {
			m := &method{Keepable: k, cache: c, namespace: namespace, inputs: inputsOf(namespace, inputs)}
			all = append(all, m)
			out[i] = m
		}
	}
	if len(all) > 1 {
		for _, m := range all {
			m.policy = all
		}
	}
	return out
}

// method is an authenticator with the cache around it.
type method struct {
	authn.Keepable
	cache     *Cache
	namespace string
	inputs    [32]byte
	// policy are all such methods of the policy, if it has several.
	policy []*method
}

// Unwrap gives the authenticator itself.
func (m *method) Unwrap() authn.Authenticator { return m.Keepable }

// Verify implements [authn.Authenticator].
func (m *method) Verify(ctx context.Context, p *authn.Presented) (*authn.Verified, error) {
	if p == nil || p.Malformed != "" || len(p.Value) > authz.MaxToken {
		return m.Keepable.Verify(ctx, p)
	}
	k := key{p.Digest(), m.inputs}
	state, ok := m.State()
	if ok {
		if v := m.cache.lookup(&k, state); v != nil {
			return v, nil
		}
	}
	if m.disowns(k) {
		return nil, authn.ErrNotMine
	}
	if !ok {
		return m.Keepable.Verify(ctx, p)
	}
	return m.verify(ctx, p, k, state)
}

// verify verifies what is not kept, and keeps it once it is complete.
func (m *method) verify(ctx context.Context, p *authn.Presented, k key, state authn.State) (*authn.Verified, error) {
	m.cache.misses.add()
	v, err := m.Keepable.Verify(ctx, p)
	if err == nil && v != nil {
		v.WhenComplete(func() {
			if after, ok := m.State(); ok && after == state {
				m.keep(k, state, v)
			}
		})
	}
	return v, err
}

// disowns says whether another method of the policy verified the credential, and
// that tells that it is not this one's: it need not be parsed for that.
func (m *method) disowns(k key) bool {
	for _, other := range m.policy {
		if other == m {
			continue
		}
		k.inputs = other.inputs
		if e := m.cache.find(&k); e != nil && m.Disowns(e.verified) {
			return true
		}
	}
	return false
}

// keep keeps what was verified in a state: the one before it was verified and after.
// A token of a new key has the keys fetched that verify it. Kept in the state before,
// it would be good again without its key once the issuer takes that key back.
func (m *method) keep(k key, state authn.State, v *authn.Verified) {
	until := m.cache.now().Add(keepFor)
	if ends := m.Ends(v); !ends.IsZero() && ends.Before(until) {
		until = ends
	}
	m.cache.keep(m.namespace, &entry{key: k, state: state, verified: v, until: until, size: sizeOf(v)})
}
