package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/work"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// watched is a service with nothing but what liveness looks at.
func watched(ctx context.Context, slots int) *service {
	scheduler := work.New(work.Options{Slots: slots})
	s := &service{
		kernel:    engine.New(engine.Deps{Scheduler: scheduler, Replay: store.NewMemory(1<<20, nil)}, engine.Options{}),
		liveness:  &telemetry.Liveness{},
		scheduler: scheduler,
	}
	s.watchLiveness(ctx)
	return s
}

func TestWorkThatNeverEndsInEverySlotIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := watched(ctx, 2)
		synctest.Wait()
		var ends []func()
		for _, namespace := range []string{"a", "b"} {
			end, err := s.scheduler.Turn(ctx, work.Task{Owner: work.Owner{Namespace: namespace}})
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		time.Sleep(turnLimit + time.Minute)
		if stuck := s.liveness.Stuck(); len(stuck) != 1 || !strings.Contains(stuck[0], "a short turn of the scheduler") {
			t.Errorf("expected the scheduler to be stuck, got %q", stuck)
		}
		for _, end := range ends {
			end()
		}
		time.Sleep(2 * probeEvery)
		if stuck := s.liveness.Stuck(); stuck != nil {
			t.Errorf("expected nothing to be stuck any more, got %q", stuck)
		}
	})
}

// A flood of passwords fills the queue, not the slot that is kept.
func TestAFloodIsNoSignThatTheProcessIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := watched(ctx, 2)
		var flood sync.WaitGroup
		for _, namespace := range []string{"a", "b", "c"} {
			for range 100 {
				flood.Go(func() {
					for ctx.Err() == nil {
						within, end := context.WithTimeout(ctx, 2*time.Second)
						err := s.scheduler.Do(within, work.Task{Owner: work.Owner{Namespace: namespace}, Kind: "bcrypt-14"}, func() { time.Sleep(time.Second) })
						end()
						if errors.Is(err, work.ErrOverloaded) {
							time.Sleep(time.Second)
						}
					}
				})
			}
		}
		for range 60 {
			time.Sleep(15 * time.Second)
			if stuck := s.liveness.Stuck(); stuck != nil {
				t.Error(stuck)
				break
			}
		}
		cancel()
		flood.Wait()
	})
}

func TestALoadThatNeverEndsIsNoticed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &service{kernel: engine.New(engine.Deps{}, engine.Options{}), liveness: &telemetry.Liveness{}, scheduler: work.New(work.Options{})}
	s.loading = func() time.Duration { return loadLimit + time.Second }
	s.watchLiveness(ctx)
	if stuck := s.liveness.Stuck(); len(stuck) != 1 || !strings.Contains(stuck[0], "stuck: a load of policies") {
		t.Errorf("got %q", stuck)
	}
}

// A provider that is away, and policies that are broken, are no reason for a restart.
func TestAnOutageElsewhereLeavesTheProcessAlive(t *testing.T) {
	s := serveHere(t, strings.ReplaceAll(tracedPolicy, "PROVIDER", "http://"+freePort(t)), "--egress-allow-http", "--egress-allow-cidr", "127.0.0.1/32")
	within(t, func() bool {
		_, body := ask("http://" + s.probes + "/readyz?verbose")
		return strings.Contains(body, "the last attempt failed")
	}, s.log.String)
	for range 3 {
		if status, body := ask("http://" + s.probes + "/healthz"); status != http.StatusOK || body != "ok\n" {
			t.Errorf("expected ok, got %d %s", status, body)
		}
	}
}

func TestTheProbeIsForNoPolicyOfEveryHost(t *testing.T) {
	s := serveHere(t, strings.Replace(openPolicy, "api.example.com", `"*"`, 1), "--explain-on-loopback")
	text, err := extauthz.AskExplained(t.Context(), s.door, nil, probeRequest())
	if err != nil || !strings.Contains(text, `"decision": "deny"`) || strings.Contains(text, "shop/open") {
		t.Errorf("expected that no policy decides, got %v %s", err, text)
	}
}
