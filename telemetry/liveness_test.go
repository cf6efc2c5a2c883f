package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func healthz(l *Liveness) (int, string) {
	w := httptest.NewRecorder()
	l.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	return w.Code, w.Body.String()
}

func TestAProbeThatDoesNotReturnMakesTheProcessStuckAndOneThatDoesAgainEndsThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l, hang := &Liveness{}, make(chan struct{})
		l.Probe(ctx, "checks", time.Second, time.Minute, func(context.Context) error { <-hang; return nil })
		time.Sleep(time.Minute)
		if code, body := healthz(l); code != 200 || body != "ok\n" {
			t.Errorf("expected ok within the limit, got %d %s", code, body)
		}
		time.Sleep(time.Second)
		if code, body := healthz(l); code != 503 || !strings.Contains(body, "stuck: checks for 1m1s, expected at most 1m0s") {
			t.Errorf("expected 503 with the cause, got %d %s", code, body)
		}
		close(hang)
		synctest.Wait()
		if code, _ := healthz(l); code != 200 {
			t.Errorf("expected ok again, got %d", code)
		}
	})
}

func TestAProbeThatFailsForTooLongIsStuckAndOneThatSucceedsBetweenIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l, tries := &Liveness{}, 0
		l.Probe(ctx, "sometimes", time.Second, time.Minute, func(context.Context) error {
			if tries++; tries%50 == 0 {
				return nil
			}
			return errors.New("not now")
		})
		for range 600 {
			time.Sleep(time.Second)
			if stuck := l.Stuck(); stuck != nil {
				t.Fatal(stuck)
			}
		}
		l.Probe(ctx, "never", time.Second, time.Minute, func(context.Context) error { return errors.New("not now") })
		time.Sleep(2 * time.Minute)
		if stuck := l.Stuck(); len(stuck) != 1 || !strings.Contains(stuck[0], "stuck: never for") {
			t.Errorf("got %q", stuck)
		}
	})
}

func TestWorkThatIsUnderWayForTooLongIsStuck(t *testing.T) {
	l, busy := &Liveness{}, time.Duration(0)
	l.Watch("a load", time.Minute, func() time.Duration { return busy })
	if stuck := l.Stuck(); stuck != nil {
		t.Errorf("got %q", stuck)
	}
	busy = 2 * time.Minute
	if stuck := l.Stuck(); len(stuck) != 1 {
		t.Errorf("got %q", stuck)
	}
}
