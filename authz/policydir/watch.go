package policydir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Options are what [Watch] needs.
type Options struct {
	// Dir is the directory. Required.
	Dir string
	// OnChange is called, on the goroutine of Watch, with the first state of
	// the directory and with each that differs from the one before: the whole
	// of it, or a nil tree and why there is none. Required.
	OnChange func(*manifest.Tree, []authz.Problem)

	// Settle is how long size and time of every file must stand still before
	// any is read. Default: 100ms.
	Settle time.Duration
	// SettleAtMost is how long to wait for that before it is told as a problem.
	// Default: 5s.
	SettleAtMost time.Duration
	// Poll is how often to look for changes that caused no event, as on network
	// file systems. Default: 10s.
	Poll time.Duration
}

func (o *Options) setDefaults() error {
	if o.Dir == "" || o.OnChange == nil {
		return errors.New("policydir: expected a directory and a function to call")
	}
	for d, otherwise := range map[*time.Duration]time.Duration{
		&o.Settle: 100 * time.Millisecond, &o.SettleAtMost: 5 * time.Second, &o.Poll: 10 * time.Second,
	} {
		if *d <= 0 {
			*d = otherwise
		}
	}
	return nil
}

// Watch reads a directory, and all of it again whenever anything in it changes,
// until ctx ends; then it returns nil. Events that come while it reads are
// seen after; however many there are, one reading follows. A directory that
// is missing or cannot be read is told like any other problem, and read when it
// is there.
func Watch(ctx context.Context, o Options) error {
	if err := o.setDefaults(); err != nil {
		return err
	}
	var last *[sha256.Size]byte
	for ctx.Err() == nil {
		// Watching begins before reading, or a change between the two is missed;
		// and anew each time, for a directory may be another one by now.
		w := newWatcher(o.Dir)
		now, state := o.settled(ctx, w)
		if ctx.Err() == nil {
			if sum := now.sum(); last == nil || *last != sum {
				last = &sum
				o.OnChange(now.build())
			}
			if state != nil {
				o.wait(ctx, w, state)
			}
		}
		w.close()
	}
	return nil
}

// settled reads the directory in one state: that of a moment after which
// nothing changed for a while and until everything was read. If there is none
// in time that is the problem, and the state is nil.
func (o *Options) settled(ctx context.Context, w *watcher) (*content, *listing) {
	enough, cancel := context.WithTimeout(ctx, o.SettleAtMost)
	defer cancel()
	before := o.list(w)
	for {
		w.pause(ctx, o.Settle)
		after := o.list(w)
		moving := changed(before, after)
		if moving == "" {
			c := read(after)
			before, after = after, o.list(w)
			if moving = changed(before, after); moving == "" {
				c.problems = append(c.problems, w.problems(o.Dir)...)
				return c, after
			}
		}
		if enough.Err() != nil {
			return &content{problems: []authz.Problem{problem(moving, fmt.Sprintf(
				"still changing after %v; a directory is read once size and time of every file stood still for %v: write to another name and rename", o.SettleAtMost, o.Settle))}}, nil
		}
		before = after
	}
}

func (o *Options) list(w *watcher) *listing {
	l := list([]string{o.Dir})
	for _, dir := range l.dirs {
		w.add(dir)
	}
	for _, f := range l.files {
		w.add(filepath.Dir(f.real)) // where links lead
	}
	return l
}

// wait returns when there may be something new to read.
func (o *Options) wait(ctx context.Context, w *watcher, state *listing) {
	poll := time.NewTicker(o.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changes():
			return
		case <-poll.C:
			if changed(state, list([]string{o.Dir})) != "" {
				return
			}
		}
	}
}
