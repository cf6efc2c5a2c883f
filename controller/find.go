package controller

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Find returns a Secret or ConfigMap that is labelled agentauth.dev/use, as
// *engine.Object, or an object of Gateway API, by its kind; nil if there is
// none. known is false where that cannot be said: not everything was read yet,
// or the namespace is not watched.
func (c *Cluster) Find(kind string, name types.NamespacedName) (object any, known bool) {
	if !c.read.Load() || len(c.config.Namespaces) > 0 && !slices.Contains(c.config.Namespaces, name.Namespace) {
		return nil, false
	}
	return c.store.find(kind, name), true
}

func (s *store) find(kind string, name types.NamespacedName) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	object := func(in map[types.NamespacedName]*engine.Object) any {
		if o := in[name]; o != nil {
			return o
		}
		return nil
	}
	switch kind {
	case "Secret":
		return object(s.secrets)
	case "ConfigMap":
		return object(s.configMaps)
	}
	for t, objects := range s.gateway {
		if o := objects[name]; o != nil && t.Elem().Name() == kind {
			return o
		}
	}
	return nil
}
