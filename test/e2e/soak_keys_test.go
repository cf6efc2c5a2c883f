//go:build e2e && !quick

package e2e

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// A key that a request asks for is fetched at most once in this time.
const keysAgain = 10 * time.Second

// newToken is who has a new token of the provider.
func (s *soaking) newToken(want int) *soakCaller {
	s.t.Helper()
	token, err := s.provider.Token(s.t.Context(), orders, "orders:read")
	must(s.t, err)
	return newCaller(fmt.Sprintf("a token of key k%d", s.key), "/tokens", "authorization", bearer(token), want)
}

func (s *soaking) nextKey() jose.JSONWebKey {
	s.t.Helper()
	s.key++
	return newKey(s.t, fmt.Sprint("k", s.key))
}

// rotateKeys lets the provider sign with a new key. Its tokens are taken at once, with no window, and those of the key before
// as long as that is published. When it is withdrawn they are taken until the keys are fetched next.
func (s *soaking) rotateKeys() {
	s.t.Helper()
	former := s.load.put("former token", nil)
	if former != nil {
		// It asked for its key. That is remembered until keys may be fetched again, and from then on none are for as long.
		s.pause(2*keysAgain + time.Second)
	}
	before := s.provider.Keys()[0]
	must(s.t, s.provider.Rotate(s.t.Context(), s.nextKey(), before))
	s.note("the provider signs with key k%d, and publishes the one before", s.key)
	old := s.load.put("token", s.newToken(http.StatusOK))
	s.holdsNewKey(former, old)
	s.pause(time.Second)
	s.withdrawKey()
}

// withdrawKey lets the provider publish its latest key alone.
func (s *soaking) withdrawKey() {
	s.t.Helper()
	s.load.at("former token").want.writes(http.StatusUnauthorized)
	must(s.t, s.provider.Rotate(s.t.Context(), s.provider.Keys()[0]))
	s.gone = time.Now()
	s.note("the provider withdraws the key before")
}

// holdsNewKey asserts that both replicas take tokens of the latest key, and none of the one that was withdrawn before. Who has
// a token of the key before the latest is the former one from now on.
func (s *soaking) holdsNewKey(former, before *soakCaller) {
	s.t.Helper()
	s.answersNow(s.load.at("token"))
	if former != nil {
		s.forgets(former)
	}
	s.load.put("former token", before)
}

// answersNow asks both replicas once, and holds them to the latest state.
func (s *soaking) answersNow(c *soakCaller) {
	s.t.Helper()
	n, want := c.want.latest()
	for i := range s.replicas {
		if got, err := s.answer(i, c); err != nil || got != want {
			s.t.Errorf("%s: %s at replica %d: expected %d at once, got %d, %v", time.Since(s.began), c.name, i, want, got, err)
		}
	}
	c.want.confirm(n)
}

func (s *soaking) forgets(former *soakCaller) {
	s.t.Helper()
	s.answersNow(former)
	if !s.gone.IsZero() {
		s.note("both refuse %s, %s after the key was withdrawn", former.name, time.Since(s.gone).Round(100*time.Millisecond))
	}
	s.gone = time.Time{}
}

// followKeys asserts that a key that was withdrawn is gone once the keys were fetched again, after five minutes at most.
func (s *soaking) followKeys() {
	s.t.Helper()
	former := s.load.at("former token")
	if former == nil || s.gone.IsZero() || time.Since(s.gone) < 5*time.Second {
		return
	}
	for _, r := range s.replicas {
		if fetched := metric(s.t, r.Agentauth, "agentauth_jwks_last_success_timestamp_seconds", s.provider.Issuer); fetched < float64(s.gone.Unix()+2) {
			if time.Since(s.gone) > 5*time.Minute+10*time.Second {
				s.t.Errorf("%s after a key was withdrawn the keys were not fetched again", time.Since(s.gone))
			}
			return
		}
	}
	s.forgets(former)
}

// forged is who has a token of a key that the provider never had.
func (s *soaking) forged() *soakCaller {
	s.t.Helper()
	key := newKey(s.t, "nobody's")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	must(s.t, err)
	token, err := jwt.Signed(signer).Claims(map[string]any{"iss": s.provider.Issuer, "aud": orders, "sub": "mallory", "exp": time.Now().Add(time.Hour).Unix()}).Serialize()
	must(s.t, err)
	return newCaller("a token of an unknown key", "/tokens", "authorization", bearer(token), http.StatusUnauthorized)
}
