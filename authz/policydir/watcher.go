package policydir

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/agentauth-dev/agentauth/authz"
)

// watcher tells that something happened in some directories. Where that is not
// possible it says so once, and what is left is polling.
type watcher struct {
	fs     *fsnotify.Watcher
	events chan struct{}
	err    error

	mu    sync.Mutex
	added map[string]bool

	// around are directories of which only some entries count: those that the
	// watched directory may be replaced through.
	around  map[string]bool
	entries map[string]bool
}

func newWatcher(dir string) *watcher {
	w := &watcher{added: map[string]bool{}, events: make(chan struct{}, 1), around: map[string]bool{}, entries: map[string]bool{}}
	w.fs, w.err = fsnotify.NewWatcher()
	if w.err != nil {
		return w
	}
	paths := []string{dir}
	if abs, err := filepath.Abs(dir); err == nil {
		paths[0] = abs
	}
	if resolved, err := filepath.EvalSymlinks(paths[0]); err == nil && resolved != paths[0] {
		paths = append(paths, resolved)
	}
	for _, path := range paths {
		w.around[filepath.Dir(path)], w.entries[path] = true, true
		// The directory above need not be readable: then polling finds a new one.
		_ = w.fs.Add(filepath.Dir(path))
	}
	go w.forward(w.fs)
	return w
}

// forward makes one signal of any number of events.
func (w *watcher) forward(fs *fsnotify.Watcher) {
	for {
		select {
		case e, ok := <-fs.Events:
			if !ok {
				return
			}
			if dir := filepath.Dir(e.Name); w.around[dir] && !w.entries[e.Name] && !w.counts(dir) {
				continue
			}
		case _, ok := <-fs.Errors: // too many events: some are lost
			if !ok {
				return
			}
		}
		select {
		case w.events <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) add(dir string) {
	if w.fs == nil || w.counts(dir) {
		return
	}
	w.mu.Lock()
	w.added[dir] = true
	w.mu.Unlock()
	if err := w.fs.Add(dir); err != nil {
		// One that is gone already is no problem: the next listing tells.
		if _, statErr := filepath.EvalSymlinks(dir); statErr == nil {
			w.err = err
		}
	}
}

// counts reports whether everything in a directory counts.
func (w *watcher) counts(dir string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.added[dir]
}

// pause waits, and forgets what happened meanwhile: who pauses looks after.
func (w *watcher) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	select {
	case <-w.events:
	default:
	}
}

func (w *watcher) changes() <-chan struct{} { return w.events }

func (w *watcher) problems(dir string) []authz.Problem {
	if w.err == nil {
		return nil
	}
	return []authz.Problem{warning(dir, fmt.Sprintf(
		"changes are not told by the system and are looked for now and then: %v; if it is a limit, raise fs.inotify.max_user_watches and max_user_instances", w.err))}
}

func (w *watcher) close() {
	if w.fs != nil {
		_ = w.fs.Close() // nothing was written
	}
}
