package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// collection holds the objects of one kind in one namespace, as items: the only
// copy that a replica has. It is the store of a reflector of client-go.
type collection struct {
	kind  client.Object // an object of the kind, without content
	name  string        // of the kind, for people
	items *items        // of *item, by namespace and name
	from  *toolscache.ListWatch
	log   *slog.Logger
	// changed is signalled when the engine would make something else of the
	// items. updated, if not nil, is signalled at every event, also where only a
	// status changed. arrives, if not nil, is called before changed is signalled.
	changed, updated chan struct{}
	arrives          func()
	pace, tell       flowcontrol.RateLimiter

	writing sync.Mutex // while items are compared and stored
	held    held
	// unbalanced is signalled when something else of the labelled objects may have
	// to be held.
	unbalanced chan struct{}

	mu     sync.Mutex
	synced bool // everything was read once
	watch  watchState
	stream stream
}

// How many objects that cannot be read are logged one by one: oddBurst, and then
// oddPerSecond.
const (
	oddBurst     = 20
	oddPerSecond = 0.1
)

func newCollection(kind client.Object, from *toolscache.ListWatch, changed, updated chan struct{}) *collection {
	return &collection{
		kind: kind, items: newItems(), from: from, changed: changed, updated: updated,
		log: slog.New(slog.DiscardHandler), unbalanced: make(chan struct{}, 1),
		pace: flowcontrol.NewTokenBucketRateLimiter(watchesPerSecond, watchBurst), tell: flowcontrol.NewTokenBucketRateLimiter(oddPerSecond, oddBurst),
		watch: watchState{current: time.Now()},
	}
}

// run reads and watches until ctx ends.
func (c *collection) run(ctx context.Context) {
	var balancing sync.WaitGroup
	defer balancing.Wait()
	balancing.Go(func() { c.keepBalance(ctx) })
	lw := &toolscache.ListWatch{ListWithContextFunc: c.list, WatchFuncWithContext: c.beginWatch}
	// No type is expected of objects: what cannot be an item is an error of newItem.
	toolscache.NewReflectorWithOptions(lw, nil, c, toolscache.ReflectorOptions{Name: c.name, TypeDescription: c.name, Backoff: againAfter()}).RunWithContext(ctx)
}

// againAfter is how long a reflector waits before it tries a failed read again. client-go would wait for up to a minute, and a
// right that was taken away would be in force as long after an outage. Two such times may follow each other: a watch that is to
// go on where it ended is refused by an API server that does not remember so much, and everything is read anew.
func againAfter() *wait.Backoff {
	return &wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 10, Cap: 6 * time.Second} // jitter doubles at most
}

// list lists everything.
func (c *collection) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	if o.Continue == "" {
		c.mu.Lock()
		c.watch.lists()
		c.mu.Unlock()
	}
	if labelled(c.kind) != "" {
		return c.listPages(ctx, o)
	}
	return c.from.ListWithContextFunc(ctx, o)
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
func (c *collection) Transformer() toolscache.TransformFunc { return c.streamed }

// Replace stores everything there is. What cannot be an item is left out.
func (c *collection) Replace(list []any, _ string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	items := make([]any, 0, len(list))
	changed := false
	for n, o := range list {
		list[n] = nil // an item is the only copy
		i, differs, err := c.intern(o)
		if err != nil {
			return err
		}
		if i.isGone() {
			continue
		}
		items, changed = append(items, i), changed || differs
	}
	changed = changed || len(items) != len(c.items.ListKeys())
	if err := c.items.Replace(items, ""); err != nil {
		return err
	}
	c.held = held{}
	for _, i := range items {
		c.held.add(i.(*item), 1)
	}
	wanting, lost := c.balance()
	if len(wanting) > 0 {
		signal(c.unbalanced)
	}
	changed = changed || lost
	c.mu.Lock()
	first := !c.synced
	c.synced, c.stream = true, stream{}
	c.watch.reads()
	c.mu.Unlock()
	c.notify(changed || first)
	return nil
}

// intern makes an item. The item takes over the value of the old one of its
// name if the engine would make the same of both: the engine knows a value by
// its pointer.
func (c *collection) intern(o any) (i *item, differs bool, err error) {
	made, err := newItem(c.kind, o)
	if err != nil {
		return nil, false, err
	}
	i = made.(*item)
	found, ok, _ := c.items.Get(i)
	if !ok {
		c.left(i)
		return i, true, nil
	}
	old := found.(*item)
	if i.UID == old.UID && isOlder(i.ResourceVersion, old.written) {
		i.status, i.written = old.status, old.written
	}
	if i.unreadable != old.unreadable {
		c.left(i)
	}
	if i.omitted && !old.omitted && i.UID == old.UID && i.ResourceVersion == old.ResourceVersion {
		i.value, i.omitted = old.value, false // the content is held already
	}
	if !i.means(old) {
		return i, true, nil
	}
	i.value = old.value
	return i, false, nil
}

// left says that an object is left out, if it is.
func (c *collection) left(i *item) {
	if i.unreadable != "" && c.tell.TryAccept() {
		c.log.Warn("an object cannot be read and is left out; the others are not affected. Repair it, or remove it", "object", c.nameOf(i), "problem", i.unreadable)
	}
}

func (c *collection) nameOf(i *item) string { return c.name + " " + nameOf(i).String() }

// unreadable are the objects that are left out, with why.
func (c *collection) unreadable() (out []string) {
	for _, o := range c.items.List() {
		if i := o.(*item); i.unreadable != "" {
			out = append(out, c.nameOf(i)+" cannot be read and is left out: "+i.unreadable)
		}
	}
	return out
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
	if i.isGone() {
		return c.remove(i)
	}
	found, _, _ := c.items.Get(i)
	if old, _ := found.(*item); i.size > 0 && !c.held.hasRoom(i, old) {
		i = c.withoutContent(i)
		if differs = old == nil || !i.means(old); !differs {
			i.value = old.value
		}
	}
	c.store(i)
	c.notify(differs)
	return nil
}

// swap stores an item with a status that was written in place of the one that
// it was made of. Of an item that the watch brought meanwhile it replaces the
// status, if that is the older one.
func (c *collection) swap(old, now *item) {
	c.writing.Lock()
	defer c.writing.Unlock()
	found, _, _ := c.items.Get(now)
	i, _ := found.(*item)
	switch {
	case i == nil:
	case i == old:
		_ = c.items.Update(now)
	case i.UID == now.UID && isOlder(i.ResourceVersion, now.written) && !isOlder(now.written, i.written):
		merged := *i
		merged.status, merged.written = now.status, now.written
		_ = c.items.Update(&merged)
	}
}

// isOlder reports whether a version is known to be older than another.
func isOlder(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}

// Delete removes an object.
func (c *collection) Delete(o any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.remove(o)
}

func (c *collection) remove(o any) error {
	found, there, err := c.items.Get(o)
	if err != nil || !there {
		return err
	}
	i := found.(*item)
	if err := c.items.Delete(i); err != nil {
		return err
	}
	c.held.add(i, -1)
	c.rebalance(i.Namespace)
	c.notify(true) // last: whoever is woken by it must not find the item
	return nil
}

// Resync has nothing to do: nothing is held elsewhere.
func (c *collection) Resync() error { return nil }

// reread lists everything and updates the items that have the same
// resourceVersion in the list. Older and newer ones are left to the watch.
func (c *collection) reread(ctx context.Context) error {
	return c.readAgain(ctx, metav1.ListOptions{})
}

func (c *collection) readAgain(ctx context.Context, of metav1.ListOptions) error {
	list, err := c.from.ListWithContextFunc(ctx, of)
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
		if c.arrives != nil {
			c.arrives()
		}
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
