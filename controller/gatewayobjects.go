package controller

import (
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// gatewayObjects are what Gateway API says, and the namespaces that listeners
// select, by kind. Kinds that are not followed are not in it: an informer may
// tell of its last objects when it was stopped already.
type gatewayObjects map[reflect.Type]map[types.NamespacedName]client.Object

func kindOf(o client.Object) reflect.Type { return reflect.TypeOf(o) }

// expect begins with a kind, of which nothing is known.
func (g gatewayObjects) expect(kind client.Object) {
	g[kindOf(kind)] = map[types.NamespacedName]client.Object{}
}

// put keeps an object, and says whether it means something else than before.
func (g gatewayObjects) put(o client.Object) bool {
	if g[kindOf(o)] == nil {
		return false
	}
	name := nameOf(o)
	old := g[kindOf(o)][name]
	if old != nil && old.GetUID() == o.GetUID() {
		_, labels := o.(*corev1.Namespace)
		if labels && maps.Equal(old.GetLabels(), o.GetLabels()) || !labels && old.GetGeneration() == o.GetGeneration() {
			return false
		}
	}
	g[kindOf(o)][name] = o
	return true
}

func (g gatewayObjects) remove(o client.Object) { delete(g[kindOf(o)], nameOf(o)) }

func (g gatewayObjects) addTo(in *engine.Input) {
	for _, objects := range g {
		for _, o := range objects {
			if ns, ok := o.(*corev1.Namespace); ok {
				in.Namespaces = append(in.Namespaces, engine.Namespace{Name: ns.Name, Labels: ns.Labels})
				continue
			}
			in.AddGateway(o)
		}
	}
}
