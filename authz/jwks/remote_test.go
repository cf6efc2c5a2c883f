package jwks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// provider is a fake one, on the fake clock of a synctest bubble.
type provider struct {
	mu      sync.Mutex
	answer  Answer
	err     error
	delay   time.Duration
	fetches []time.Time
}

func (p *provider) fetch(ctx context.Context, _ Turn, _ string) (Answer, error) {
	p.mu.Lock()
	p.fetches = append(p.fetches, time.Now())
	delay := p.delay
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // as egress does
	defer cancel()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer, p.err
}

func (p *provider) set(a Answer, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer, p.err = a, err
}

func (p *provider) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.fetches)
}

func good(kids ...string) Answer {
	var keys []string
	for _, kid := range kids {
		keys = append(keys, jwkOf(kid, &p256().PublicKey))
	}
	return page(setOf(keys...))
}

var errDown = errors.New("cannot connect")

// bubble runs a test against a Remote and its provider, and fails if anything
// is left running.
func bubble(t *testing.T, p *provider, test func(t *testing.T, r *Remote)) {
	p256() // not on the fake clock
	synctest.Test(t, func(t *testing.T) {
		r := NewRemote(Config{URL: "https://idp.example.com/keys", Fetch: p.fetch})
		defer r.Close()
		test(t, r)
	})
}

// want asks for a key: "ok", "unknown" or "unavailable".
func want(t *testing.T, r *Remote, kid, want string) {
	t.Helper()
	if got, err := ask(r, kid); got != want {
		t.Errorf("%s: want %s, got %s: %v", kid, want, got, err)
	}
}

func ask(r *Remote, kid string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	keys, err := r.Lookup(ctx, kid, "ES256")
	var unavailable *UnavailableError
	switch {
	case err == nil && len(keys) == 1 && keys[0].ID == kid:
		return "ok", nil
	case errors.Is(err, ErrUnknownKey):
		return "unknown", err
	case errors.As(err, &unavailable):
		return "unavailable", err
	}
	return "broken", err
}

func TestNothingIsFetchedBeforeTheFirstLookup(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		time.Sleep(time.Hour)
		if p.count() != 0 {
			t.Error("fetched unasked")
		}
		want(t, r, "a", "ok")
		if s := r.Status(); s.Keys != 1 || s.Error != "" || s.Success.IsZero() || s.Attempt.IsZero() {
			t.Errorf("got %+v", s)
		}
	})
}

func TestReadyComesWithTheEndOfTheFirstAttempt(t *testing.T) {
	for _, err := range []error{nil, errDown} {
		p := &provider{answer: good("a"), err: err, delay: time.Second}
		bubble(t, p, func(t *testing.T, r *Remote) {
			started := time.Now()
			r.Start()
			<-r.Ready()
			if d := time.Since(started); d != time.Second {
				t.Errorf("ready after %s", d)
			}
		})
	}
}

func TestTheFirstLookupsWaitForTheFirstFetch(t *testing.T) {
	p := &provider{answer: good("a"), delay: 900 * time.Millisecond}
	bubble(t, p, func(t *testing.T, r *Remote) {
		var wg sync.WaitGroup
		for range maxWaitersPerSet {
			wg.Go(func() { want(t, r, "a", "ok") })
		}
		wg.Wait()
		if p.count() != 1 {
			t.Errorf("%d fetches", p.count())
		}
	})
}

func TestALookupWaitsNoLongerThanItsContext(t *testing.T) {
	p := &provider{answer: good("a"), delay: 3 * time.Second}
	bubble(t, p, func(t *testing.T, r *Remote) {
		_, err := ask(r, "a")
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || !errors.Is(err, context.DeadlineExceeded) || unavailable.RetryAfter != time.Second {
			t.Errorf("before there are keys: got %v", err)
		}
		time.Sleep(3 * time.Second)
		want(t, r, "a", "ok")
		if got, err := ask(r, "b"); got != "unavailable" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody knows yet whether the key exists: got %s, %v", got, err)
		}
		time.Sleep(3 * time.Second)
		want(t, r, "b", "unknown")
	})
}

func TestKeysAreRefreshedInTheBackground(t *testing.T) {
	p := &provider{answer: good("old")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "old", "ok")
		p.set(good("new"), nil)
		time.Sleep(4 * time.Minute)
		want(t, r, "old", "ok")
		time.Sleep(time.Minute + time.Second)
		want(t, r, "new", "ok")
		want(t, r, "old", "unknown") // a removed key verifies no more
		time.Sleep(time.Hour)
		if n := p.count(); n < 13 || n > 17 {
			t.Errorf("%d fetches in 65 minutes", n)
		}
	})
}

func TestCacheControlIsFollowed(t *testing.T) {
	answer := good("a")
	answer.CacheControl = "max-age=60"
	p := &provider{answer: answer}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "a", "ok")
		time.Sleep(10*time.Minute + time.Second)
		if p.count() != 11 {
			t.Errorf("%d fetches in ten minutes", p.count())
		}
	})
}

func TestARotatedKeyIsFoundAtOnce(t *testing.T) {
	p := &provider{answer: good("old"), delay: 100 * time.Millisecond}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "old", "ok")
		p.set(good("old", "new"), nil)
		want(t, r, "new", "ok")
		want(t, r, "old", "ok")
		if p.count() != 2 {
			t.Errorf("%d fetches", p.count())
		}
	})
}

func TestAFloodOfUnknownKidsFetchesOnceInTenSeconds(t *testing.T) {
	p := &provider{answer: good("a"), delay: 200 * time.Millisecond}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "a", "ok")
		for round := range 6 {
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() { want(t, r, fmt.Sprintf("%d-%d", round, i), "unknown") })
			}
			wg.Wait()
			for i := range 1000 {
				want(t, r, fmt.Sprintf("late-%d", i), "unknown")
			}
			if n := p.count(); n != 2+round {
				t.Fatalf("round %d: %d fetches", round, n)
			}
			want(t, r, "a", "ok")
			time.Sleep(10 * time.Second)
		}
	})
}

func TestALookupDuringABackgroundRefreshStillGetsOneOfItsOwn(t *testing.T) {
	answer := good("old")
	answer.CacheControl = "max-age=60"
	p := &provider{answer: answer}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "old", "ok")
		p.slow(100 * time.Millisecond)
		time.Sleep(time.Minute + 50*time.Millisecond) // a refresh is under way
		done := make(chan string, 1)
		go func() { got, _ := ask(r, "new"); done <- got }()
		time.Sleep(75 * time.Millisecond) // it ended without the key
		p.set(good("new"), nil)
		if got := <-done; got != "ok" {
			t.Errorf("got %s", got)
		}
		if p.count() != 3 {
			t.Errorf("%d fetches", p.count())
		}
	})
}

func TestAnAlgorithmThatDoesNotFitIsAnUnknownKey(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		for _, alg := range []string{"RS256", "HS256", "none", ""} {
			if _, err := r.Lookup(t.Context(), "a", alg); !errors.Is(err, ErrUnknownKey) {
				t.Errorf("%s: got %v", alg, err)
			}
		}
	})
}

func TestAProviderThatIsDownFromTheStartIsTriedEveryTenSecondsForWhoAsks(t *testing.T) {
	p := &provider{err: errDown}
	bubble(t, p, func(t *testing.T, r *Remote) {
		_, err := ask(r, "a")
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || unavailable.RetryAfter != 10*time.Second || !strings.Contains(err.Error(), "key set: cannot connect") {
			t.Errorf("got %v", err)
		}
		for range 1000 {
			want(t, r, "a", "unavailable") // at once, and without a fetch
		}
		for range 59 {
			time.Sleep(time.Second)
			want(t, r, "a", "unavailable")
		}
		if p.count() != 6 {
			t.Errorf("%d fetches in a minute", p.count())
		}
		p.set(good("a"), nil)
		time.Sleep(2 * time.Second)
		want(t, r, "a", "ok")
		if s := r.Status(); s.Error != "" || s.Keys != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAProviderThatHangsKeepsNobodyAfterTheFirstAttempt(t *testing.T) {
	p := &provider{delay: time.Hour}
	bubble(t, p, func(t *testing.T, r *Remote) {
		r.Start()
		<-r.Ready()
		for range 60 {
			before := time.Now()
			want(t, r, "a", "unavailable")
			if d := time.Since(before); d != 0 {
				t.Fatalf("waited %s", d)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestABadAnswerNeverReplacesGoodKeys(t *testing.T) {
	for name, bad := range map[string]Answer{
		"HTML":             page("<html>maintenance</html>"),
		"an empty set":     page(`{"keys":[]}`),
		"nothing":          page(""),
		"half":             page(string(good("a").Body[:60])),
		"over 1 MiB":       page(string(good("a").Body) + strings.Repeat(" ", 1<<20)),
		"no usable key":    page(setOf(`{"kty":"oct","k":"AA"}`)),
		"a server error":   {Status: 503, Body: good("b").Body},
		"not found":        {Status: 404, Body: good("b").Body},
		"a strange 2xx":    {Status: 206, Body: good("b").Body},
		"no status at all": {Body: good("b").Body},
	} {
		t.Run(name, func(t *testing.T) {
			p := &provider{answer: good("a")}
			bubble(t, p, func(t *testing.T, r *Remote) {
				want(t, r, "a", "ok")
				p.set(bad, nil)
				want(t, r, "b", "unknown") // refreshes, and fails
				if p.count() != 2 || r.Status().Error == "" || r.Status().Keys != 1 {
					t.Errorf("%d fetches, %+v", p.count(), r.Status())
				}
				time.Sleep(time.Hour + time.Second)
				want(t, r, "a", "ok")
				if n := p.count(); n != 62 {
					t.Errorf("want it tried every minute, got %d fetches", n)
				}
			})
		})
	}
}

func TestTheLastGoodKeysServeForADay(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "a", "ok")
		p.set(Answer{}, errDown)
		time.Sleep(24*time.Hour - time.Second)
		want(t, r, "a", "ok")
		time.Sleep(time.Second)
		want(t, r, "a", "unavailable")
		want(t, r, "b", "unavailable")
		time.Sleep(2*time.Minute + time.Second)
		before := p.count()
		time.Sleep(time.Minute)
		if n := p.count() - before; n != 6 {
			t.Errorf("want it tried every ten seconds again, got %d in a minute", n)
		}
		p.set(good("a"), nil)
		time.Sleep(10 * time.Second)
		want(t, r, "a", "ok")
	})
}

func TestKeysThatAreNotUsedAreReportedBesideTheGoodOnes(t *testing.T) {
	p := &provider{answer: page(setOf(jwkOf("weak", oddRSA(1024, 3)), jwkOf("a", &p256().PublicKey)))}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "a", "ok")
		if s := r.Status(); s.Keys != 1 || len(s.Warnings) != 1 || s.Warnings[0].Field != "keys[0]" {
			t.Errorf("got %+v", s)
		}
	})
}

func TestCloseEndsTheWorkAndReleasesWhoWaits(t *testing.T) {
	t.Run("before the start", func(t *testing.T) {
		p := &provider{answer: good("a")}
		bubble(t, p, func(t *testing.T, r *Remote) {
			r.Close()
			<-r.Ready()
			want(t, r, "a", "unavailable")
			synctest.Wait()
			if p.count() != 0 {
				t.Error("fetched after Close")
			}
		})
	})
	t.Run("during the first fetch", func(t *testing.T) {
		p := &provider{delay: time.Hour}
		bubble(t, p, func(t *testing.T, r *Remote) {
			time.AfterFunc(time.Millisecond, r.Close)
			before := time.Now()
			want(t, r, "a", "unavailable")
			if d := time.Since(before); d != time.Millisecond {
				t.Errorf("waited %s", d)
			}
		})
	})
	t.Run("during a refresh", func(t *testing.T) {
		p := &provider{answer: good("a")}
		bubble(t, p, func(t *testing.T, r *Remote) {
			want(t, r, "a", "ok")
			p.slow(time.Hour)
			time.AfterFunc(time.Millisecond, r.Close)
			want(t, r, "b", "unknown")
			want(t, r, "a", "ok") // for requests under way
			time.Sleep(time.Hour)
			want(t, r, "c", "unknown")
			if p.count() != 2 {
				t.Errorf("%d fetches", p.count())
			}
		})
	})
}
