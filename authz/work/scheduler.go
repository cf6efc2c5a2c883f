package work

import (
	"context"
	"runtime"
)

// Scheduler runs tasks. It owns no goroutine while idle and needs no Close. The
// zero Scheduler, and a nil one, refuse everything with ErrOverloaded.
type Scheduler struct {
	slots chan struct{}
}

// New makes a Scheduler.
func New(o Options) *Scheduler {
	if o.Slots < 1 {
		o.Slots = runtime.GOMAXPROCS(0)
	}
	return &Scheduler{slots: make(chan struct{}, o.Slots)}
}

// Do runs fn on another goroutine once it is the turn of the task's owner, and
// waits for it. Only after nil did fn run to its end and may its results be read.
//
//   - ErrOverloaded: the task found no place, made room for a newer one, or
//     cannot end in its time. fn did not and will not run.
//   - ctx.Err(): ctx ended first. A function still waiting never runs. One that
//     runs already keeps its slots until it ends, so giving up early buys no
//     extra work; Do does not wait for it, and a panic of it is dropped.
//   - A panic of fn is raised again here with the same value.
func (s *Scheduler) Do(ctx context.Context, t Task, fn func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s == nil || s.slots == nil {
		return ErrOverloaded
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done, panicked := make(chan bool, 1), any(nil)
	go func() {
		ended := false
		defer func() {
			if !ended {
				panicked = recover()
			}
			<-s.slots
			done <- ended
		}()
		fn()
		ended = true
	}()
	select {
	case ended := <-done:
		if panicked != nil {
			panic(panicked)
		}
		if !ended {
			return errUnfinished
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
