package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// large is a labelled object of that many bytes. The higher its number is, the
// younger it is.
func large(kind client.Object, namespace string, n, size int, use string) client.Object {
	meta := metav1.ObjectMeta{
		Namespace: namespace, Name: fmt.Sprintf("o-%04d", 9999-n), ResourceVersion: fmt.Sprint(n + 1), Labels: map[string]string{v1alpha1.LabelUse: use},
		CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(n) * time.Second)),
	}
	if _, secret := kind.(*corev1.Secret); secret {
		return &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"a": bytes.Repeat([]byte("s"), size)}}
	}
	return &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": strings.Repeat("c", size)}}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestWhoeverLabelsWhatLittleOfItIsHeld(t *testing.T) {
	const most = 20 << 20
	for _, kind := range []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}} {
		for way, put := range map[string]func(*collection, func(yield func(client.Object) bool)) error{
			"streamed": func(c *collection, all func(func(client.Object) bool)) error {
				var list []any
				for o := range all {
					i, err := c.Transformer()(o)
					if err != nil {
						return err
					}
					list = append(list, i)
				}
				if held := heap(); held > most*3 {
					return fmt.Errorf("%d MiB are held while it is streamed", held>>20)
				}
				return c.Replace(list, "")
			},
			"watched": func(c *collection, all func(func(client.Object) bool)) error {
				for o := range all {
					if err := c.Add(o); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			for _, n := range []int{150, 1000} {
				c := newCollection(kind, nil, make(chan struct{}, 1), nil)
				before := heap()
				err := put(c, func(yield func(client.Object) bool) {
					for i := range n {
						if !yield(large(kind, "evil", i, 1<<20, v1alpha1.UseJWKS)) {
							return
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if held := int64(heap()) - int64(before); held > most {
					t.Errorf("%T, %s, %d: %d MiB are held", kind, way, n, held>>20)
				}
				if len(c.stream.of) != 0 && way == "streamed" {
					t.Error("what was streamed is held beside what is stored")
				}
				if len(c.items.List()) != n {
					t.Errorf("expected all to be known, got %d", len(c.items.List()))
				}
				runtime.KeepAlive(c)
			}
		}
	}
}

func TestAnObjectThatIsHeldIsHeldOnce(t *testing.T) {
	for _, kind := range []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}} {
		c := newCollection(kind, nil, make(chan struct{}, 1), nil)
		before := heap()
		for i := range 7 {
			if err := c.Add(large(kind, "shop", i, 1<<20, v1alpha1.UseJWKS)); err != nil {
				t.Fatal(err)
			}
		}
		if held := int64(heap()) - int64(before); held > 8<<20 {
			t.Errorf("%T: seven objects of 1 MiB take %d KiB", kind, held>>10)
		}
		if in := inputOf(objects{c}); len(in.Secrets)+len(in.ConfigMaps) != 7 {
			t.Errorf("got %+v", in)
		}
	}
}

// full lists the names of objects whose content is held.
func full(c *collection) (names []string) {
	for _, o := range c.items.List() {
		i := o.(*item)
		if object := i.labelledObject(); object.Omitted == "" && len(object.Data["a"]) > 0 {
			names = append(names, object.Namespace+"/"+object.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestWhichObjectsAreHeldFollowsFromWhatThereIsAlone(t *testing.T) {
	const size = 3 << 20 // two fit
	for name, order := range map[string][]int{"oldest first": {0, 1, 2, 3}, "youngest first": {3, 2, 1, 0}, "mixed": {2, 0, 3, 1}} {
		for _, way := range []string{"streamed", "watched", "listed"} {
			synctest.Test(t, func(t *testing.T) {
				all := map[int]client.Object{}
				for n := range 4 {
					all[n] = large(&corev1.ConfigMap{}, "shop", n, size, v1alpha1.UseCA)
				}
				c := newCollection(&corev1.ConfigMap{}, fetching(all, nil), make(chan struct{}, 1), nil)
				ctx, cancel := context.WithCancel(t.Context())
				go c.keepBalance(ctx)
				var list []any
				for _, n := range order {
					o := all[n].DeepCopyObject()
					switch way {
					case "watched":
						if err := c.Add(o); err != nil {
							t.Fatal(err)
						}
						continue
					case "streamed":
						i, err := c.Transformer()(o)
						if err != nil {
							t.Fatal(err)
						}
						list = append(list, i)
					default:
						list = append(list, o)
					}
				}
				if way != "watched" {
					if err := c.Replace(list, ""); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := full(c); !slices.Equal(got, []string{"shop/o-9998", "shop/o-9999"}) {
					t.Errorf("%s, %s: expected the two oldest, got %q", name, way, got)
				}
				cancel()
				synctest.Wait()
			})
		}
	}
}

// fetching lists what there is by name, and fails while it is to.
func fetching(all map[int]client.Object, fails *atomic.Bool) *toolscache.ListWatch {
	return &toolscache.ListWatch{ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (k8sruntime.Object, error) {
		if fails != nil && fails.Load() {
			return nil, errors.New("connection refused")
		}
		list := &corev1.ConfigMapList{}
		for object := range maps.Values(all) {
			if o.FieldSelector == "metadata.name="+object.GetName()+",metadata.namespace="+object.GetNamespace() {
				list.Items = append(list.Items, *object.(*corev1.ConfigMap).DeepCopy())
			}
		}
		return list, nil
	}}
}

func TestWhatFitsOnceOthersAreGoneIsFetchedAndOthersAreNotAffected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[int]client.Object{}
		var failing atomic.Bool
		failing.Store(true)
		c := newCollection(&corev1.ConfigMap{}, fetching(all, &failing), make(chan struct{}, 1), nil)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.keepBalance(ctx) })
		for n := range 3 {
			all[n] = large(&corev1.ConfigMap{}, "evil", n, 5<<20, v1alpha1.UseCA)
		}
		all[3] = large(&corev1.ConfigMap{}, "shop", 3, 5<<20, v1alpha1.UseCA)
		for n := range 4 {
			if err := c.Add(all[n].DeepCopyObject()); err != nil {
				t.Fatal(err)
			}
		}
		if got := full(c); !slices.Equal(got, []string{"evil/o-9999", "shop/o-9996"}) {
			t.Errorf("got %q", got)
		}
		told(c.changed)
		gone := all[0]
		synctest.Wait()
		delete(all, 0)
		if err := c.Delete(gone); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := full(c); !slices.Equal(got, []string{"shop/o-9996"}) {
			t.Errorf("got %q", got)
		}
		told(c.changed)
		failing.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := full(c); !slices.Equal(got, []string{"evil/o-9998", "shop/o-9996"}) || !told(c.changed) {
			t.Errorf("expected what fits now, got %q", got)
		}
		if err := c.Update(large(&corev1.ConfigMap{}, "evil", 1, 9<<20, v1alpha1.UseCA)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := full(c); !slices.Equal(got, []string{"evil/o-9997", "shop/o-9996"}) {
			t.Errorf("expected what is too large by itself to make room, got %q", got)
		}
		cancel()
		running.Wait()
	})
}

func TestWhereAllNamespacesHaveTooMuchThoseWithMostGetLess(t *testing.T) {
	for name, c := range map[string]struct {
		sizes map[string]int
		want  int
	}{
		"all fits":             {map[string]int{"a": 5 << 20, "b": 1}, heldOfNamespace},
		"many small ones":      {many(1000, 100<<10), heldOfNamespace},
		"many large ones":      {many(1000, 1<<20), heldOfAll / 1000},
		"one is much too much": {map[string]int{"a": 1 << 30, "b": 1 << 20}, heldOfNamespace},
	} {
		h := held{there: c.sizes}
		for _, size := range c.sizes {
			h.allThere += size
		}
		share := h.share()
		kept := 0
		for _, size := range c.sizes {
			kept += min(size, share)
		}
		if share != c.want || kept > heldOfAll {
			t.Errorf("%s: expected %d for each, got %d, in all %d", name, c.want, share, kept)
		}
	}
}

func many(n, size int) map[string]int {
	out := map[string]int{}
	for i := range n {
		out[fmt.Sprint(i)] = size
	}
	return out
}

func TestAnObjectWithoutContentSaysWhyAndWhatToDo(t *testing.T) {
	c := newCollection(&corev1.Secret{}, nil, make(chan struct{}, 1), nil)
	c.name = "secrets"
	odd := large(&corev1.Secret{}, "shop", 1, 9<<20, v1alpha1.UseHMAC)
	odd.GetLabels()["team"] = strings.Repeat("x", 1<<20)
	odd.SetAnnotations(map[string]string{"a": strings.Repeat("y", 200<<10)})
	if err := c.Add(odd); err != nil {
		t.Fatal(err)
	}
	got := inputOf(objects{c}).Secrets[0]
	if sizeOf(got) > maxLabels || got.Use() != v1alpha1.UseHMAC {
		t.Errorf("%d bytes are held", sizeOf(got))
	}
	for _, want := range []string{"10.2 MiB", "secrets", "8.0 MiB", "the oldest first", "remove labels or objects"} {
		if !strings.Contains(got.Omitted, want) {
			t.Errorf("expected %q in %q", want, got.Omitted)
		}
	}
	if err := c.Replace(nil, ""); err != nil || c.held.allThere != 0 || c.held.allKept != 0 {
		t.Errorf("expected nothing to be counted any more, got %+v", c.held)
	}
}

func TestWhatIsCountedIsWhatThereIs(t *testing.T) {
	c := newCollection(&corev1.ConfigMap{}, nil, make(chan struct{}, 1), nil)
	for step := range 500 {
		n := step * 7919 % 13
		object := large(&corev1.ConfigMap{}, fmt.Sprint("ns-", n%3), n, (step*31%4)<<20, v1alpha1.UseCA)
		var err error
		switch step * 104729 % 3 {
		case 0:
			err = c.Delete(object)
		default:
			err = c.Update(object)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var want held
	for _, o := range c.items.List() {
		want.add(o.(*item), 1)
	}
	if !reflect.DeepEqual(c.held, want) {
		t.Errorf("expected %+v, got %+v", want, c.held)
	}
}

func TestAReferenceToWhatIsNotHeldIsInvalidAndTheMethodUnavailable(t *testing.T) {
	secrets, policies := newObjects(), newObjects()
	secrets.kind, secrets.name = &corev1.Secret{}, "secrets"
	for n, use := range []string{v1alpha1.UseBasic, v1alpha1.UseAPIKey} {
		secret := large(&corev1.Secret{}, "shop", n, 9<<20, use).(*corev1.Secret)
		secret.Name, secret.Labels["team"] = use, "shop"
		for i := range 200_000 { // digests are short
			secret.Data[fmt.Sprint("a-long-name-of-an-entry-that-takes-room-", i)] = []byte("0123456789abcdef")
		}
		secrets.put(t, secret)
	}
	for name, method := range map[string]v1alpha1.Method{
		"basic":   {Name: "m", Basic: &v1alpha1.Basic{Users: v1alpha1.Users{SecretRef: v1alpha1.ObjectKeyReference{Name: v1alpha1.UseBasic}}}},
		"api-key": {Name: "m", APIKey: &v1alpha1.APIKey{Selector: v1alpha1.KeySelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "shop"}}}},
	} {
		p := policy(name, "1", 1)
		p.Spec = v1alpha1.PolicySpec{
			Routes:         []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{v1alpha1.Hostname(name + ".example.com")}}},
			Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{method}},
		}
		policies.put(t, p)
	}
	_, reports := newEngine().Compile(inputOf(secrets, policies))
	if len(reports) != 2 {
		t.Fatalf("got %+v", reports)
	}
	for _, r := range reports {
		if c := r.Conditions[2]; c.Reason != v1alpha1.ReasonRefInvalid || !strings.Contains(c.Message, "the oldest first") {
			t.Errorf("%s: got %+v", r.Policy, c)
		}
	}
}

// Otherwise one tenant that has too much makes every replica sort all the time.
func TestHowOftenBalanceIsMadeDependsOnNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetched atomic.Int32
		lists := func(context.Context, metav1.ListOptions) (k8sruntime.Object, error) {
			fetched.Add(1)
			return nil, errors.New("connection refused")
		}
		c := newCollection(&corev1.ConfigMap{}, &toolscache.ListWatch{ListWithContextFunc: lists}, make(chan struct{}, 1), nil)
		ctx, cancel := context.WithCancel(t.Context())
		go c.keepBalance(ctx)
		var list []any
		for n := range 10 { // the youngest are held, and the oldest are to be fetched
			i, err := newItem(c.kind, large(c.kind, "evil", 9-n, 1<<20, v1alpha1.UseCA))
			if err != nil {
				t.Fatal(err)
			}
			if n >= 8 {
				i = c.withoutContent(i.(*item))
			}
			list = append(list, i)
		}
		if err := c.Replace(list, ""); err != nil {
			t.Fatal(err)
		}
		for n := range 600 { // a minute
			if err := c.Update(large(c.kind, "evil", 20, n, v1alpha1.UseCA)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := fetched.Load(); n == 0 || n > 62 {
			t.Errorf("expected a try each second at most, got %d in a minute", n)
		}
		cancel()
		time.Sleep(fetchAgain)
	})
}

func TestWhereAllNamespacesHaveTooMuchEachHasItsShareInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const namespaces, size = 20, 7 << 20 // 140 MiB
		c := newCollection(&corev1.Secret{}, nil, make(chan struct{}, 1), nil)
		all := map[string]client.Object{}
		c.from = &toolscache.ListWatch{ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (k8sruntime.Object, error) {
			return &corev1.SecretList{Items: []corev1.Secret{*all[o.FieldSelector].DeepCopyObject().(*corev1.Secret)}}, nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go c.keepBalance(ctx)
		var list []any
		for n := range namespaces {
			for part := range 7 {
				o := large(c.kind, fmt.Sprint("ns-", n), part, size/7, v1alpha1.UseCA)
				all["metadata.name="+o.GetName()+",metadata.namespace="+o.GetNamespace()] = o
				i, err := c.Transformer()(o.DeepCopyObject())
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, i)
			}
		}
		if err := c.Replace(list, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		if len(c.held.kept) != namespaces || c.held.allKept > heldOfAll {
			t.Errorf("expected each namespace to have its share, got %d with %d MiB", len(c.held.kept), c.held.allKept>>20)
		}
		for namespace, kept := range c.held.kept {
			if kept < 6<<20 {
				t.Errorf("%s has %d KiB", namespace, kept>>10)
			}
		}
	})
}

// API servers without watches that begin with what there is are asked for lists.
func TestAListOfLabelledObjectsIsReadInPagesAndNeverHeldWhole(t *testing.T) {
	const n = 300
	pages, most := 0, int64(0)
	before := heap()
	lists := func(_ context.Context, o metav1.ListOptions) (k8sruntime.Object, error) {
		pages++
		most = max(most, int64(heap())-int64(before))
		if o.Limit == 0 || o.Limit > 50 || o.ResourceVersion == "0" {
			return nil, fmt.Errorf("expected pages, got %+v", o)
		}
		from, _ := strconv.Atoi(o.Continue)
		list := &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: "400"}}
		for i := from; i < min(n, from+int(o.Limit)); i++ {
			list.Items = append(list.Items, *large(&corev1.ConfigMap{}, "evil", i, 1<<20, v1alpha1.UseCA).(*corev1.ConfigMap))
			list.Continue = strconv.Itoa(i + 1)
		}
		if list.Continue == strconv.Itoa(n) {
			list.Continue = ""
		}
		return list, nil
	}
	c := newCollection(&corev1.ConfigMap{}, &toolscache.ListWatch{ListWithContextFunc: lists, WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
		return nil, errors.New("sendInitialEvents is forbidden")
	}}, make(chan struct{}, 1), nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.run(ctx) }()
	eventually(t, func() string {
		if !c.hasSynced() {
			return "nothing was read"
		}
		return ""
	})
	cancel()
	<-done
	if got := len(c.items.List()); got != n || len(full(c)) != 7 || pages < n/50 {
		t.Errorf("expected %d objects of which 7 are held, got %d and %d in %d pages", n, got, len(full(c)), pages)
	}
	if most > 100<<20 {
		t.Errorf("%d MiB were held", most>>20)
	}
}

func TestAPageThatCannotBeReadIsNoList(t *testing.T) {
	c := newCollection(&corev1.Secret{}, &toolscache.ListWatch{ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (k8sruntime.Object, error) {
		if o.Continue != "" {
			return nil, errors.New("the continue parameter is too old")
		}
		return &corev1.SecretList{ListMeta: metav1.ListMeta{Continue: "more"}}, nil
	}}, make(chan struct{}, 1), nil)
	if list, err := c.list(t.Context(), metav1.ListOptions{}); err == nil {
		t.Errorf("got %+v", list)
	}
}

func TestASmallObjectFindsRoomInAStreamOfNamespacesThatAreFull(t *testing.T) {
	c, s := &collection{}, &stream{}
	take := func(namespace, name string, size int) *item {
		i := &item{value: &engine.Object{Namespace: namespace, Name: name, Data: map[string][]byte{"k": make([]byte, 8)}}, size: size}
		i.Namespace, i.Name = namespace, name
		s.take(i, c.withoutContent)
		return i
	}
	for n := range heldOfAll / heldOfNamespace {
		for k := range 8 {
			take(fmt.Sprintf("evil-%02d", n), fmt.Sprint(k), heldOfNamespace/8)
		}
	}
	if i := take("victim", "robot", 100); i.omitted {
		t.Error("expected the small object to be held")
	}
	if s.held.allKept > heldOfAll || s.held.kept["evil-00"] != heldOfNamespace*7/8 {
		t.Errorf("expected the namespace that has most to make room, got %d of %d", s.held.kept["evil-00"], s.held.allKept)
	}
}
