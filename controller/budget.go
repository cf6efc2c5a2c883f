package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// How many bytes a collection holds of labelled objects: of one namespace, and of
// all. Whoever may write ConfigMaps may label as many as fit into etcd. Where all
// namespaces together have more, those that have most get less.
const (
	heldOfNamespace = 8 << 20
	heldOfAll       = 128 << 20
)

// maxLabels bounds the labels that stay of an object whose content does not.
const maxLabels = 4 << 10

// fetchAgain is the wait after content could not be fetched.
const fetchAgain = 5 * time.Second

// held counts the bytes of the labelled objects of a collection, by namespace.
type held struct {
	of    map[string]int
	all   int
	empty int // the objects of which the content is not held
}

// add counts an item that is stored; sign is -1 where it is not any more.
func (h *held) add(i *item, sign int) {
	if i.size == 0 {
		return
	}
	if h.of == nil {
		h.of = map[string]int{}
	}
	h.all += sign * i.size
	if h.of[i.Namespace] += sign * i.size; h.of[i.Namespace] == 0 {
		delete(h.of, i.Namespace)
	}
	if i.omitted {
		h.empty += sign
	}
}

// fits reports whether the bounds hold with nothing left out.
func (h *held) fits(namespace string) bool {
	return h.empty == 0 && h.all <= heldOfAll && h.of[namespace] <= heldOfNamespace
}

// share is how much each namespace may have at most, so that all together keep
// to the bound: those that have less than a fair part leave the rest to others.
func (h *held) share() int {
	if h.all <= heldOfAll {
		return heldOfNamespace
	}
	sizes := make([]int, 0, len(h.of))
	for _, size := range h.of {
		sizes = append(sizes, min(size, heldOfNamespace))
	}
	slices.Sort(sizes)
	left := heldOfAll
	for n, size := range sizes {
		if part := left / (len(sizes) - n); size > part {
			return part
		}
		left -= size
	}
	return heldOfNamespace
}

// labelledObject is the labelled object of an item, or nil.
func (i *item) labelledObject() *engine.Object {
	switch v := i.value.(type) {
	case *engine.Object:
		return v
	case configMapObject:
		return v.Object
	}
	return nil
}

// sizeOf is what an object takes in memory, about.
func sizeOf(o *engine.Object) int {
	size := sizeOfLabels(o.Labels) + sizeOfLabels(o.Annotations)
	for k, v := range o.Data {
		size += len(k) + len(v)
	}
	return size + 1 // that it is labelled
}

func sizeOfLabels(m map[string]string) (size int) {
	for k, v := range m {
		size += len(k) + len(v)
	}
	return size
}

// withoutContent is an item of which only the name is held, and why.
func (c *collection) withoutContent(i *item) *item {
	o := i.labelledObject()
	labels := o.Labels
	if sizeOfLabels(labels) > maxLabels {
		labels = map[string]string{v1alpha1.LabelUse: o.Use()}
	}
	bare := &engine.Object{Namespace: strings.Clone(o.Namespace), Name: strings.Clone(o.Name), Labels: labels, Type: o.Type}
	bare.Omitted = fmt.Sprintf("its content of %s is not read: of the %s of a namespace that are labelled %s at most %s are held, the oldest first, and less where all namespaces have more than %s; remove labels or objects that nothing needs",
		mebibytes(i.size), c.name, v1alpha1.LabelUse, mebibytes(heldOfNamespace), mebibytes(heldOfAll))
	now := *i
	now.omitted = true
	if now.value = any(bare); !isObject(i.value) {
		now.value = configMapObject{bare}
	}
	return &now
}

func isObject(value any) bool {
	_, is := value.(*engine.Object)
	return is
}

func mebibytes(n int) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// balance holds the content of the oldest objects that fit, and of no others. It
// reports whether an object lost its content. What is to get it back is fetched.
func (c *collection) balance(namespace string) (changed bool) {
	c.wanting = nil
	if c.held.fits(namespace) {
		return false
	}
	share := c.held.share()
	of := map[string][]*item{}
	for _, o := range c.items.List() {
		if i := o.(*item); i.size > 0 {
			of[i.Namespace] = append(of[i.Namespace], i)
		}
	}
	for _, items := range of {
		slices.SortFunc(items, func(a, b *item) int {
			return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
		})
		left := share
		for _, i := range items {
			fits := i.size <= left
			switch {
			case fits && i.omitted:
				c.wanting = append(c.wanting, i)
			case !fits && !i.omitted:
				bare := c.withoutContent(i)
				c.store(bare)
				changed = true
			}
			if fits {
				left -= i.size
			}
		}
	}
	if len(c.wanting) > 0 {
		signal(c.fetch)
	}
	return changed
}

// store stores an item, and counts it.
func (c *collection) store(i *item) {
	if old, there, _ := c.items.Get(i); there {
		c.held.add(old.(*item), -1)
	}
	c.held.add(i, 1)
	_ = c.items.Update(i)
}

// fetchContent fetches what balance wants, until ctx ends.
func (c *collection) fetchContent(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.fetch:
		}
		c.writing.Lock()
		wanting := c.wanting
		c.writing.Unlock()
		for _, i := range wanting {
			if err := c.fetchOne(ctx, i); err != nil {
				if ctx.Err() == nil {
					c.log.Warn("the content of an object could not be fetched; it will be tried again", "object", c.nameOf(i), "error", err.Error())
				}
				time.AfterFunc(fetchAgain, func() { signal(c.fetch) })
				break
			}
		}
	}
}

func (c *collection) fetchOne(ctx context.Context, i *item) error {
	return c.readAgain(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + i.Name + ",metadata.namespace=" + i.Namespace})
}

// streamed is a transform of what a stream brings: what does not fit is dropped
// before the whole stream is held. Which objects are held in the end is for
// balance to say.
func (c *collection) streamed(o any) (any, error) {
	made, err := newItem(c.kind, o)
	if err != nil {
		return nil, err
	}
	i := made.(*item)
	c.mu.Lock()
	defer c.mu.Unlock()
	if i.size == 0 || i.omitted {
		return i, nil
	}
	c.stream.add(i, 1)
	if c.stream.of[i.Namespace] <= heldOfNamespace && c.stream.all <= heldOfAll {
		return i, nil
	}
	c.stream.add(i, -1)
	return c.withoutContent(i), nil
}
