package policydir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Options are what [Watch] needs.
type Options struct {
	// Dir is the directory. Required.
	Dir string
	// OnChange gets, on the goroutine of Watch, the first state of the directory
	// and each that differs from the one before: the whole of it, or a nil tree
	// and the problems that are why there is none, with what remains of Secrets and
	// ConfigMaps, if that is known. Required.
	OnChange func(*manifest.Tree, *manifest.Remains, []authz.Problem)
	// Interval is the time between two listings, or for a large directory up to
	// three times of it. A change is read at the second listing after it.
	// Default: 250ms.
	Interval time.Duration
}

const (
	defaultInterval = 250 * time.Millisecond
	// patience is for how many intervals a directory may change before that is
	// reported as a problem.
	patience = 20
	// timeStep is the coarsest step in which file systems keep times (FAT).
	timeStep = 2 * time.Second
)

// Watch lists a directory at each Interval and reads all of it when two
// listings in a row are equal and differ from the listing of what was read, so
// that no file is read while it is written. It returns nil when ctx ends. A directory that is
// missing or cannot be read is a problem like any other, and is read when it is
// there. Watch uses no events of the file system: not every file system has
// them, and their number is limited.
func Watch(ctx context.Context, o Options) error {
	if o.Dir == "" || o.OnChange == nil {
		return errors.New("policydir: expected a directory and a function to call")
	}
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	w := &watch{Options: o}
	w.before = w.list()
	tick := time.NewTimer(w.pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.look()
			tick.Reset(w.pause)
		}
	}
}

// watch is the state of a Watch.
type watch struct {
	Options
	before *listing // of the tick before
	read   *listing // of what was read last; nil if it has to be read again
	moving int      // ticks in a row at which the directory was changing
	told   *[sha256.Size]byte
	pause  time.Duration
}

// list lists the directory. The pause after it is longer for a large directory,
// so that listing does not keep a core busy.
func (w *watch) list() *listing {
	began := time.Now()
	l := list([]string{w.Dir})
	w.pause = min(max(w.Interval, 10*time.Since(began)), 3*w.Interval)
	return l
}

// look is what Watch does at each tick.
func (w *watch) look() {
	now := w.list()
	before, moving := w.before, changed(w.before, now)
	w.before = now
	if moving == "" && (w.read == nil || changed(w.read, now) != "") {
		moving = w.readAll(now)
	}
	if moving == "" {
		w.moving = 0
		return
	}
	if w.moving++; w.moving%patience == 0 {
		w.read = nil
		seen := append(before.paths(), now.paths()...) // a file may be replaced just now
		slices.Sort(seen)
		w.tell(&content{partial: true, seen: slices.Compact(seen), problems: []authz.Problem{problem(moving, fmt.Sprintf(
			"still changing after %v; a directory is read once size and time of every file stood still for %v: write to another name and rename", patience*w.Interval, w.Interval))}})
	}
}

// readAll reads the files of a listing. It returns the name of a file that
// changed meanwhile: then nothing was told.
func (w *watch) readAll(now *listing) (moving string) {
	c := read(now)
	w.before = w.list()
	if moving = changed(now, w.before); moving != "" {
		return moving
	}
	// A file that is written once more within a step of time keeps its time. So
	// it is read again until its time is older than a step.
	if w.read = now; now.writtenAt(time.Now()) {
		w.read = nil
	}
	w.tell(c)
	return ""
}

// tell calls OnChange with a state that differs from the one before.
func (w *watch) tell(c *content) {
	if sum := c.sum(); w.told == nil || *w.told != sum {
		w.told = &sum
		w.OnChange(c.build())
	}
}
