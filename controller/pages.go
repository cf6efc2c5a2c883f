package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pageSize is how many labelled objects are in memory at once while they are
// listed. Each may have 1 MiB.
const pageSize = 50

// listPages lists all labelled objects in pages, as items that keep to the
// bounds. From its cache an API server would send everything at once, so that is
// not asked.
func (c *collection) listPages(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	var out itemList
	var s stream
	for o.Limit, o.ResourceVersion, o.ResourceVersionMatch = pageSize, "", ""; ; {
		page, err := c.from.ListWithContextFunc(ctx, o)
		if err != nil {
			return nil, err
		}
		err = meta.EachListItem(page, func(object runtime.Object) error {
			made, err := newItem(c.kind, object)
			if err != nil {
				return err
			}
			s.take(made.(*item), c.withoutContent)
			out.Items = append(out.Items, made.(*item))
			return nil
		})
		if err != nil {
			return nil, err
		}
		of, err := meta.ListAccessor(page)
		if err != nil {
			return nil, err
		}
		out.ResourceVersion = of.GetResourceVersion()
		if o.Continue = of.GetContinue(); o.Continue == "" {
			return &out, nil
		}
	}
}

// itemList is a list of items, for a reflector.
type itemList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []*item
}

// DeepCopyObject makes it an object; nobody copies it.
func (l *itemList) DeepCopyObject() runtime.Object {
	out := *l
	return &out
}

// GetObjectKind makes an item an object.
func (*item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject makes an item an object; nobody copies it.
func (i *item) DeepCopyObject() runtime.Object {
	out := *i
	return &out
}
