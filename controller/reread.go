package controller

import (
	"context"
	"crypto/sha256"
	"time"
)

// rereadAfter are the waits between lists of a kind after its CRD changed. Specs
// then change without a new generation, and for up to two minutes a watch may
// deliver objects in the old schema, which no later watch corrects.
var rereadAfter = []time.Duration{0, time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// sees reports whether a kind was read by another CRD before.
func (k *kinds) sees(name string, crd definition) (changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.followed[name]
	if f == nil || f.spec == crd.spec {
		return false
	}
	changed = f.spec != [sha256.Size]byte{}
	f.spec = crd.spec
	return changed
}

// reread lists a kind again after its CRD changed. An API server that does not
// answer holds up nothing else.
func (k *kinds) reread(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.followed[name]
	if f == nil {
		return
	}
	if f.endReread != nil {
		f.endReread()
	}
	var ctx context.Context
	ctx, f.endReread = context.WithCancel(f.ctx)
	if f.changed.IsZero() {
		f.changed = time.Now()
	}
	k.running.Go(func() {
		for _, wait := range rereadAfter {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
				k.rereadNow(ctx, name, f)
			}
		}
	})
}

func (k *kinds) rereadNow(ctx context.Context, name string, f *followed) {
	for _, c := range k.inForce(name) {
		if err := c.reread(ctx); err != nil {
			if ctx.Err() == nil {
				k.log.Warn("a kind could not be read again after a change of its CRD", "kind", name, "error", err.Error())
			}
			return
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() == nil { // otherwise the CRD changed again meanwhile
		f.changed = time.Time{}
	}
}
