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

// balanceEvery paces balance: each looks at all labelled objects, whoever changes
// one of them how often.
const balanceEvery = time.Second

// held counts the bytes of the labelled objects of a collection, by namespace: of
// those that there are, and of those whose content is held.
type held struct {
	there, kept       map[string]int
	allThere, allKept int
}

// add counts an item that is stored; sign is -1 where it is not any more.
func (h *held) add(i *item, sign int) {
	if i.size == 0 {
		return
	}
	if h.there == nil {
		h.there, h.kept = map[string]int{}, map[string]int{}
	}
	h.allThere += sign * i.size
	count(h.there, i.Namespace, sign*i.size)
	if !i.omitted {
		h.allKept += sign * i.size
		count(h.kept, i.Namespace, sign*i.size)
	}
}

func count(m map[string]int, namespace string, n int) {
	if m[namespace] += n; m[namespace] == 0 {
		delete(m, namespace)
	}
}

// unequal reports whether there is something for balance to do.
func (h *held) unequal(namespace string) bool {
	return h.there[namespace] != h.kept[namespace] || h.allKept > heldOfAll || h.kept[namespace] > heldOfNamespace
}

// hasRoom reports whether the content of an item may be held until balance says
// which is. old is the item before, or nil: what was held is rather held once
// more than missed for a moment.
func (h *held) hasRoom(i, old *item) bool {
	most, before := 1, 0
	if old != nil && !old.omitted {
		most, before = 2, old.size
	}
	return h.kept[i.Namespace]-before+i.size <= most*heldOfNamespace && h.allKept-before+i.size <= most*heldOfAll
}

// fullest is the namespace of which most is held, the first of several by name.
func (h *held) fullest() (fullest string) {
	for namespace, n := range h.kept {
		if most := h.kept[fullest]; n > most || n == most && namespace < fullest {
			fullest = namespace
		}
	}
	return fullest
}

// share is how much each namespace may have at most, so that all together keep
// to the bound: those that have less than a fair part leave the rest to others.
func (h *held) share() int {
	if h.allThere <= heldOfAll {
		return heldOfNamespace
	}
	sizes := make([]int, 0, len(h.there))
	for _, size := range h.there {
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

// byAge orders items, the oldest first.
func byAge(a, b *item) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

// balance holds the content of the oldest objects that fit, and of no others. It
// returns the objects of which the content is to be fetched.
func (c *collection) balance() (wanting []*item, changed bool) {
	share := c.held.share()
	of := map[string][]*item{}
	for _, o := range c.items.List() {
		if i := o.(*item); i.size > 0 && (c.held.unequal(i.Namespace) || share < heldOfNamespace) {
			of[i.Namespace] = append(of[i.Namespace], i)
		}
	}
	for _, items := range of {
		slices.SortFunc(items, byAge)
		left := share
		for _, i := range items {
			fits := i.size <= left
			switch {
			case fits && i.omitted:
				wanting = append(wanting, i)
			case !fits && !i.omitted:
				c.store(c.withoutContent(i))
				changed = true
			}
			if fits {
				left -= i.size
			}
		}
	}
	return wanting, changed
}

// store stores an item, and counts it.
func (c *collection) store(i *item) {
	old, _, _ := c.items.Get(i)
	was, _ := old.(*item)
	if was != nil {
		c.held.add(was, -1)
	}
	c.held.add(i, 1)
	_ = c.items.Update(i)
	c.rebalance(i.Namespace)
}

// rebalance makes balance look again, if there is something for it to do.
func (c *collection) rebalance(namespace string) {
	if c.held.unequal(namespace) || c.held.allKept != c.held.allThere {
		signal(c.unbalanced)
	}
}

// keepBalance balances what is held, until ctx ends.
func (c *collection) keepBalance(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.unbalanced:
		}
		c.writing.Lock()
		wanting, changed := c.balance()
		c.writing.Unlock()
		c.notify(changed)
		for _, i := range wanting {
			err := c.readAgain(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + i.Name + ",metadata.namespace=" + i.Namespace})
			if err != nil && ctx.Err() == nil {
				c.log.Warn("the content of an object could not be fetched; it will be tried again", "object", c.nameOf(i), "error", err.Error())
				time.AfterFunc(fetchAgain, func() { signal(c.unbalanced) })
				break
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(balanceEvery):
		}
	}
}

// fetchAgain is the wait after content could not be fetched.
const fetchAgain = 5 * time.Second

// stream is what a watch has delivered of what there was before it, and what is
// held of that: the oldest of each namespace first.
type stream struct {
	held held
	of   map[string][]*item
}

// take takes an object of the stream, and drops the content of the youngest of
// its namespace, or of the one that has most, where the bounds do not hold any
// more: no stream is held whole.
func (s *stream) take(i *item, withoutContent func(*item) *item) {
	if i.size == 0 || i.omitted {
		return
	}
	if s.of == nil {
		s.of = map[string][]*item{}
	}
	s.held.add(i, 1)
	at, _ := slices.BinarySearchFunc(s.of[i.Namespace], i, byAge)
	s.of[i.Namespace] = slices.Insert(s.of[i.Namespace], at, i)
	for s.held.kept[i.Namespace] > heldOfNamespace {
		s.drop(i.Namespace, withoutContent)
	}
	for s.held.allKept > heldOfAll {
		s.drop(s.held.fullest(), withoutContent)
	}
}

// drop drops the content of the youngest object of a namespace.
func (s *stream) drop(namespace string, withoutContent func(*item) *item) {
	list := s.of[namespace]
	youngest := list[len(list)-1]
	s.of[namespace] = list[:len(list)-1]
	s.held.add(youngest, -1)
	*youngest = *withoutContent(youngest)
}

// streamed is the transform of what a stream brings.
func (c *collection) streamed(o any) (any, error) {
	made, err := newItem(c.kind, o)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream.take(made.(*item), c.withoutContent)
	return made, nil
}
