package work

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestStatsTellWhatRunsWaitsAndWasRefusedByClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1, MaxWaiting: 1, MaxWaitingPerOwner: 1})
		task := func(kind string) Task { return Task{Owner: Owner{Namespace: "shop", Policy: "a"}, Kind: kind} }
		release := make(chan struct{})
		go func() {
			_ = s.Do(t.Context(), task("bcrypt-12"), func() { <-release })
		}()
		synctest.Wait()
		go func() {
			_ = s.Do(t.Context(), task("sha512-crypt-10"), func() {})
		}()
		synctest.Wait()
		if err := s.Do(t.Context(), task("argon2id-17-4"), func() {}); !errors.Is(err, ErrOverloaded) {
			t.Errorf("expected no place, got %v", err)
		}
		if got := s.Stats(); got.Slots != 1 || got.Running != 1 || got.Waiting != 1 || got.Classes["argon2id"].Refused != 1 {
			t.Errorf("got %+v", got)
		}
		time.Sleep(3 * time.Second)
		close(release)
		synctest.Wait()
		got := s.Stats()
		if got.Running != 0 || got.Waiting != 0 || got.Classes["bcrypt"] != (Class{Run: 1, Busy: 3 * time.Second}) ||
			got.Classes["sha512-crypt"] != (Class{Run: 1, Waited: 3 * time.Second}) {
			t.Errorf("got %+v", got)
		}
	})
}

func TestATaskThatMakesRoomForAnotherIsCountedAsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1, MaxWaiting: 1, MaxWaitingPerOwner: 1})
		release := make(chan struct{})
		go func() { _ = s.Do(t.Context(), Task{Owner: Owner{"a", "1"}, Kind: "x"}, func() { <-release }) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() { _ = s.Do(ctx, Task{Owner: Owner{"a", "2"}, Kind: "x"}, func() {}) }()
		synctest.Wait()
		go func() { _ = s.Do(ctx, Task{Owner: Owner{"b", "1"}, Kind: "y"}, func() {}) }()
		synctest.Wait()
		got := s.Stats()
		if got.Classes["x"].Refused+got.Classes["y"].Refused != 1 {
			t.Errorf("got %+v", got)
		}
		close(release)
		synctest.Wait()
	})
}

func TestASchedulerThatNobodyMadeHasNoStats(t *testing.T) {
	var none *Scheduler
	var zero Scheduler
	for _, s := range []*Scheduler{none, &zero} {
		if err := s.Do(t.Context(), Task{}, func() {}); !errors.Is(err, ErrOverloaded) {
			t.Errorf("got %v", err)
		}
		if got := s.Stats(); got.Running != 0 || len(got.Classes) != 0 {
			t.Errorf("got %+v", got)
		}
	}
}
