package jwks

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// another is a second key for ES256.
var another = sync.OnceValue(func() string { return jwkOf("", &newEC(elliptic.P256()).PublicKey) })

// after looks up a key, and asks for newer ones as if it did not verify.
func after(t *testing.T, r *Remote, kid string) (held, newer []Key, err error) {
	t.Helper()
	held, err = r.Lookup(t.Context(), kid, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	newer, err = r.Renewed(t.Context(), kid, "ES256", held)
	return held, newer, err
}

func TestARotationWithoutKidOrWithTheSameOneIsFollowed(t *testing.T) {
	another()
	newer := newEC(elliptic.P256())
	for name, c := range map[string]struct {
		kid         string
		before, now string
	}{
		"neither token nor key has a kid":      {"", jwkOf("", &p256().PublicKey), another()},
		"the token has a kid, the key has not": {"a", jwkOf("", &p256().PublicKey), another()},
		"the kid stays":                        {"a", jwkOf("a", &p256().PublicKey), jwkOf("a", &newer.PublicKey)},
		"the key gets a kid":                   {"a", jwkOf("", &p256().PublicKey), jwkOf("a", &newer.PublicKey)},
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{answer: page(setOf(c.before)), delay: 100 * time.Millisecond}
			bubble(t, p, func(t *testing.T, r *Remote) {
				r.Start()
				<-r.Ready()
				p.set(page(setOf(c.now)), nil)
				began := time.Now()
				held, newer, err := after(t, r, c.kid)
				if err != nil || len(newer) != 1 || newer[0].Thumbprint == held[0].Thumbprint || time.Since(began) != 100*time.Millisecond || p.count() != 2 {
					t.Errorf("got %v, %v after %s and %d fetches", newer, err, time.Since(began), p.count())
				}
			})
		})
	}
}

func TestKeysThatCameMeanwhileNeedNoRefresh(t *testing.T) {
	another()
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		old, err := r.Lookup(t.Context(), "", "ES256")
		p.set(page(setOf(another(), jwkOf("a", &p256().PublicKey))), nil)
		time.Sleep(5*time.Minute + time.Second)
		keys, err2 := r.Renewed(t.Context(), "", "ES256", old)
		if err != nil || err2 != nil || len(keys) != 1 || keys[0].ID != "" || p.count() != 2 {
			t.Errorf("got %v, %v, %v, %d fetches", keys, err, err2, p.count())
		}
	})
}

func TestAKidThatNoKeyHasIsNoReasonToFetchWhileAKeyWithoutOneFits(t *testing.T) {
	p := &provider{answer: good("a", "")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		for i := range 100 {
			if keys, err := r.Lookup(t.Context(), fmt.Sprint("unknown-", i), "ES256"); err != nil || len(keys) != 1 || keys[0].ID != "" {
				t.Fatalf("got %v, %v", keys, err)
			}
		}
		if p.count() != 1 {
			t.Errorf("%d fetches", p.count())
		}
	})
}

func TestBadSignaturesAndUnknownKidsShareOneBound(t *testing.T) {
	p := &provider{answer: good("a"), delay: 200 * time.Millisecond}
	bubble(t, p, func(t *testing.T, r *Remote) {
		held, err := r.Lookup(t.Context(), "a", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		for round := range 6 {
			var all sync.WaitGroup
			for i := range 1000 {
				all.Go(func() { want(t, r, fmt.Sprintf("%d-%d", round, i), "unknown") })
				all.Go(func() {
					if _, err := r.Renewed(t.Context(), "a", "ES256", held); !errors.Is(err, ErrUnknownKey) {
						t.Errorf("got %v", err)
					}
				})
			}
			all.Wait()
			if n := p.count(); n != 2+round {
				t.Fatalf("round %d: %d fetches", round, n)
			}
			want(t, r, "a", "ok")
			time.Sleep(10 * time.Second)
		}
	})
}

func TestAScheduledRefreshDoesNotCountAgainstTheBound(t *testing.T) {
	another()
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		r.Start()
		<-r.Ready() // the first refresh
		if _, _, err := after(t, r, "a"); !errors.Is(err, ErrUnknownKey) || p.count() != 2 {
			t.Errorf("got %v, %d fetches", err, p.count())
		}
		time.Sleep(time.Until(r.Status().Next) + time.Millisecond)
		before := p.count()
		p.set(page(setOf(another())), nil)
		if _, newer, err := after(t, r, ""); err != nil || len(newer) != 1 || p.count() != before+1 {
			t.Errorf("got %v, %v, %d fetches", newer, err, p.count()-before)
		}
	})
}

func TestARotationInsideTheBoundIsFollowedWhenItEnds(t *testing.T) {
	another()
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		if _, _, err := after(t, r, "a"); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("got %v", err)
		}
		p.set(page(setOf(another())), nil)
		began := time.Now()
		if _, _, err := after(t, r, ""); !errors.Is(err, ErrUnknownKey) || time.Since(began) != 0 {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if keys, err := r.Lookup(t.Context(), "", "ES256"); err != nil || keys[0].ID != "" || p.count() != 3 {
			t.Errorf("got %v, %v, %d fetches", keys, err, p.count())
		}
	})
}

func TestABadSignatureWaitsASecondAtMostAndIsNoOutage(t *testing.T) {
	for name, change := range map[string]func(*provider){
		"a provider that hangs":      func(p *provider) { p.slow(4 * time.Second) },
		"a provider that fails":      func(p *provider) { p.set(Answer{}, errDown) },
		"a provider with a web page": func(p *provider) { p.set(page("<html>"), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{answer: good("a")}
			bubble(t, p, func(t *testing.T, r *Remote) {
				want(t, r, "a", "ok")
				change(p)
				began := time.Now()
				if _, _, err := after(t, r, "a"); !errors.Is(err, ErrUnknownKey) || time.Since(began) > time.Second {
					t.Errorf("got %v after %s", err, time.Since(began))
				}
			})
		})
	}
}

func TestWhoHasNoTimeToWaitDoesNotSayThatASignatureIsBad(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		held, err := r.Lookup(t.Context(), "a", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		p.slow(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var unavailable *UnavailableError
		if _, err := r.Renewed(ctx, "a", "ES256", held); !errors.As(err, &unavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBadSignaturesWaitInTheSamePlacesAsUnknownKids(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		held, err := r.Lookup(t.Context(), "a", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		p.slow(500 * time.Millisecond)
		var waited atomic.Int64
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				began := time.Now()
				_, _ = r.Renewed(context.Background(), "a", "ES256", held)
				if time.Since(began) > 0 {
					waited.Add(1)
				}
			})
		}
		synctest.Wait()
		want(t, r, "a", "ok") // at once
		all.Wait()
		if taken, _ := r.config.Shared.waiters.Taken(); waited.Load() != maxWaitersPerSet || taken != 0 {
			t.Errorf("%d waited, %d places are taken", waited.Load(), taken)
		}
	})
}

func TestASetThatNeverHadKeysIsUnavailableForABadSignature(t *testing.T) {
	p := &provider{err: errDown}
	bubble(t, p, func(t *testing.T, r *Remote) {
		var unavailable *UnavailableError
		if _, err := r.Renewed(t.Context(), "a", "ES256", nil); !errors.As(err, &unavailable) {
			t.Errorf("got %v", err)
		}
	})
}
