package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
)

func TestItemsAreThoseOfAStoreOfClientGo(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	got, want := newItems(), toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
	one := func() any {
		return &metav1.ObjectMeta{Namespace: fmt.Sprint(random.IntN(2)), Name: fmt.Sprint(random.IntN(8)), Generation: random.Int64()}
	}
	key := func(o any) string { k, _ := toolscache.MetaNamespaceKeyFunc(o); return fmt.Sprintf("%s %p", k, o) }
	for range 5000 {
		o, list := one(), []any{one(), one(), one()}
		n := random.IntN(8)
		for _, s := range []interface {
			Replace([]any, string) error
			Delete(any) error
			Update(any) error
		}{got, want} {
			var err error
			switch {
			case n == 0:
				err = s.Replace(list, "")
			case n < 4:
				err = s.Delete(o)
			default:
				err = s.Update(o)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		a, b := mapped(got.List(), key), mapped(want.List(), key)
		if x, y := mapped(got.ListKeys(), func(k string) string { return k }), mapped(want.ListKeys(), func(k string) string { return k }); !slices.Equal(a, b) || !slices.Equal(x, y) {
			t.Fatalf("expected %v, got %v", b, a)
		}
		x, there, _ := got.Get(o)
		if y, should, _ := want.Get(o); x != y || there != should {
			t.Fatalf("expected %v, got %v", y, x)
		}
	}
}

func mapped[T any](list []T, to func(T) string) (out []string) {
	for _, v := range list {
		out = append(out, to(v))
	}
	slices.Sort(out)
	return out
}

func TestItemsThatDoNotChangeStayInOrder(t *testing.T) {
	s := newItems()
	for i := range 10 {
		_ = s.Add(&metav1.ObjectMeta{Name: fmt.Sprint(i)})
	}
	before := s.List()
	changed := &metav1.ObjectMeta{Name: "4", Generation: 2}
	_ = s.Update(changed)
	for i, o := range s.List() {
		if i != 4 && o != before[i] || i == 4 && o != any(changed) {
			t.Errorf("%d: got %v", i, o)
		}
	}
}
