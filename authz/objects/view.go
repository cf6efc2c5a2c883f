package objects

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// View is the objects of one compile. It never changes.
type View struct {
	store   *Store
	secrets *shelf
	configs *shelf

	grantList []*gatewayv1.ReferenceGrant
	grants    referenceGrants

	content [2][]*Object // keeps in memory what the shelves do not
}

// View makes the View of some objects. It shares with the one before it what did
// not change; nil is none. Of two objects of one name the later counts.
func (s *Store) View(before *View, secrets, configMaps []*Object, grants []*gatewayv1.ReferenceGrant) *View {
	if before == nil {
		before = &View{}
	}
	v := &View{
		store: s, content: [2][]*Object{secrets, configMaps},
		secrets: before.secrets.next(Secret, secrets), configs: before.configs.next(ConfigMap, configMaps),
		grantList: grants, grants: before.grants,
	}
	if before.grants == nil || !slices.Equal(before.grantList, grants) {
		v.grants = newReferenceGrants(grants)
	}
	return v
}

// Kept is the View without the content of its objects, to make the next one from.
func (v *View) Kept() *View {
	kept := *v
	kept.content = [2][]*Object{}
	return &kept
}

func (v *View) find(key Key) *stored {
	switch key.Kind {
	case Secret:
		return v.secrets.find(key.Namespace, key.Name)
	case ConfigMap:
		return v.configs.find(key.Namespace, key.Name)
	}
	return nil
}

// Get returns an object; nil if it is not there.
func (v *View) Get(key Key) *Object {
	if s := v.find(key); s != nil {
		return s.object.Value()
	}
	return nil
}
