package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
)

// collection holds the objects of one kind in one namespace, as items: the only
// copy that a replica has. It is the store of a reflector of client-go.
type collection struct {
	items toolscache.Store // of *item, by namespace and name
	from  *toolscache.ListWatch
	// changed is signalled when the engine would make something else of the
	// items. updated, if not nil, is signalled at every event, also where only a
	// status changed.
	changed, updated chan struct{}
	pace             flowcontrol.RateLimiter

	writing sync.Mutex // while items are compared and stored

	mu       sync.Mutex
	synced   bool // everything was read once
	watching *openWatch
	initial  bool      // the watch still delivers what there was before it
	lost     time.Time // when the last watch ended
}

// How often the watch of a collection is begun: at most watchBurst times at
// once, and then watchesPerSecond. Reflectors wait longer after most failures,
// but not after a watch that brought an event and was cut: they read everything
// again, as fast as they can.
const (
	watchBurst       = 5
	watchesPerSecond = 0.5
)

func newCollection(from *toolscache.ListWatch, changed, updated chan struct{}) *collection {
	return &collection{
		items: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), from: from, changed: changed, updated: updated,
		pace: flowcontrol.NewTokenBucketRateLimiter(watchesPerSecond, watchBurst), lost: time.Now(),
	}
}

// run reads and watches until ctx ends. kind is an object of the kind.
func (c *collection) run(ctx context.Context, name string, kind any) {
	lw := &toolscache.ListWatch{ListWithContextFunc: c.from.ListWithContextFunc, WatchFuncWithContext: c.watch}
	toolscache.NewReflectorWithOptions(lw, kind, c, toolscache.ReflectorOptions{Name: name}).RunWithContext(ctx)
}

// watch begins a watch, in its time.
func (c *collection) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if err := c.pace.Wait(ctx); err != nil {
		return nil, err
	}
	w, err := c.from.WatchFuncWithContext(ctx, o)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watching = &openWatch{w, c}
	c.initial = o.SendInitialEvents != nil // until Replace; other watches continue from what was read
	return c.watching, nil
}

// openWatch notes when the watch ends: a reflector stops each of its watches,
// also those that the API server ended.
type openWatch struct {
	watch.Interface
	of *collection
}

// Stop ends the watch.
func (w *openWatch) Stop() {
	w.Interface.Stop()
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.of.watching != w {
		return
	}
	if w.of.watching = nil; !w.of.initial {
		w.of.lost = time.Now()
	}
}

// age is for how long the collection has not been watched, 0 while it is.
func (c *collection) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watching != nil && !c.initial {
		return 0
	}
	return time.Since(c.lost)
}

// hasSynced reports whether everything was read.
func (c *collection) hasSynced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.synced
}

// get returns the item of a key, or nil.
func (c *collection) get(key string) *item {
	found, _, _ := c.items.GetByKey(key)
	i, _ := found.(*item)
	return i
}

// Transformer makes items of objects as soon as they are decoded: no API key
// is held until everything is read.
func (c *collection) Transformer() toolscache.TransformFunc { return newItem }

// Replace stores everything there is.
func (c *collection) Replace(list []any, _ string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	changed := len(list) != len(c.items.ListKeys())
	for n, o := range list {
		i, differs, err := c.intern(o)
		if err != nil {
			return err
		}
		list[n], changed = i, changed || differs
	}
	if err := c.items.Replace(list, ""); err != nil {
		return err
	}
	c.mu.Lock()
	first := !c.synced
	c.synced, c.initial = true, false
	c.mu.Unlock()
	c.notify(changed || first)
	return nil
}

// intern makes an item. The item takes over the value of the old one of its
// name if the engine would make the same of both: the engine knows a value by
// its pointer.
func (c *collection) intern(o any) (i *item, differs bool, err error) {
	made, err := newItem(o)
	if err != nil {
		return nil, false, err
	}
	i = made.(*item)
	old, ok, _ := c.items.Get(i)
	if !ok || !i.means(old.(*item)) {
		return i, true, nil
	}
	i.value = old.(*item).value
	return i, false, nil
}

// Add stores a new object.
func (c *collection) Add(o any) error { return c.Update(o) }

// Update stores an object.
func (c *collection) Update(o any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.update(o)
}

func (c *collection) update(o any) error {
	i, differs, err := c.intern(o)
	if err != nil {
		return err
	}
	defer c.notify(differs)
	return c.items.Update(i)
}

// swap stores an item in place of the one that it was made of.
func (c *collection) swap(old, now *item) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if found, _, _ := c.items.Get(now); found == any(old) {
		_ = c.items.Update(now)
	}
}

// Delete removes an object.
func (c *collection) Delete(o any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	defer c.notify(true)
	return c.items.Delete(o)
}

// Resync has nothing to do: nothing is held elsewhere.
func (c *collection) Resync() error { return nil }

// reread lists everything and updates the items that have the same
// resourceVersion in the list. Older and newer ones are left to the watch.
func (c *collection) reread(ctx context.Context) error {
	list, err := c.from.ListWithContextFunc(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return meta.EachListItem(list, func(o runtime.Object) error {
		c.writing.Lock()
		defer c.writing.Unlock()
		old, ok, err := c.items.Get(o)
		if now, is := o.(metav1.Object); err != nil || !ok || !is || now.GetResourceVersion() != old.(*item).ResourceVersion {
			return err
		}
		return c.update(o)
	})
}

func (c *collection) notify(changed bool) {
	signal(c.updated)
	if changed {
		signal(c.changed)
	}
}

// signal wakes the one receiver of a channel, which then does all that there is
// to do.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
