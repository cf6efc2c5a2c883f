package controller

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// store holds what the watches say, in the kernel's form. What did not change
// keeps its pointer, by which Compile sees that.
type store struct {
	mu         sync.Mutex
	policies   map[types.NamespacedName]*v1alpha1.AgentAuthPolicy
	statuses   map[types.NamespacedName]seen
	secrets    map[types.NamespacedName]*engine.Object
	configMaps map[types.NamespacedName]*engine.Object
	gateway    gatewayObjects

	// changed: compile again. statusChanged: somebody wrote a status.
	changed, statusChanged chan struct{}
}

// seen is the newest status of a policy.
type seen struct {
	version    string // of the resource
	conditions []metav1.Condition
	ancestors  []gatewayv1.PolicyAncestorStatus
}

func newStore() *store {
	return &store{
		policies:   map[types.NamespacedName]*v1alpha1.AgentAuthPolicy{},
		statuses:   map[types.NamespacedName]seen{},
		secrets:    map[types.NamespacedName]*engine.Object{},
		configMaps: map[types.NamespacedName]*engine.Object{},
		gateway:    gatewayObjects{},
		changed:    make(chan struct{}, 1), statusChanged: make(chan struct{}, 1),
	}
}

// signal says that there is something to do, to whoever does all there is.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// input is what there is.
func (s *store) input() engine.Input {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := engine.Input{
		Policies:   slices.Collect(maps.Values(s.policies)),
		Secrets:    slices.Collect(maps.Values(s.secrets)),
		ConfigMaps: slices.Collect(maps.Values(s.configMaps)),
	}
	s.gateway.addTo(&in)
	return in
}

// OnAdd takes a new object of a watch.
func (s *store) OnAdd(obj any, _ bool) { s.put(obj) }

// OnUpdate takes an object of a watch that changed.
func (s *store) OnUpdate(_, obj any) { s.put(obj) }

func (s *store) put(obj any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := obj.(type) {
	case *v1alpha1.AgentAuthPolicy:
		s.putPolicy(o)
	case *corev1.Secret:
		s.putObject(s.secrets, manifest.Secret(o))
	case *corev1.ConfigMap:
		s.putObject(s.configMaps, manifest.ConfigMap(o))
	case client.Object:
		if s.gateway.put(o) {
			signal(s.changed)
		}
	}
}

// putPolicy keeps the old object where only its status or metadata changed, so
// that writing a status compiles nothing. The UID differs where a policy was
// deleted and made again and the watch saw only the result; the spec differs,
// in one generation, where the CRD was replaced and another one keeps more or
// less of it.
func (s *store) putPolicy(p *v1alpha1.AgentAuthPolicy) {
	name := nameOf(p)
	old := s.policies[name]
	if old == nil || old.UID != p.UID || old.Generation != p.Generation || !reflect.DeepEqual(&old.Spec, &p.Spec) {
		s.policies[name] = p
		signal(s.changed)
	}
	s.statuses[name] = seen{p.ResourceVersion, p.Status.Conditions, p.Status.Ancestors}
	signal(s.statusChanged)
}

// reread takes a policy that was asked for, if the watch told of the same
// state of it: what is older or newer is the watch's business.
func (s *store) reread(p *v1alpha1.AgentAuthPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.statuses[nameOf(p)].version == p.ResourceVersion {
		s.putPolicy(p)
	}
}

func (s *store) putObject(in map[types.NamespacedName]*engine.Object, o *engine.Object) {
	name := types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
	if !reflect.DeepEqual(in[name], o) {
		in[name] = o
		signal(s.changed)
	}
}

// OnDelete takes leave of an object, of which the last state may be unknown.
func (s *store) OnDelete(obj any) {
	if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := obj.(type) {
	case *v1alpha1.AgentAuthPolicy:
		delete(s.policies, nameOf(o))
		delete(s.statuses, nameOf(o))
	case *corev1.Secret:
		delete(s.secrets, nameOf(o))
	case *corev1.ConfigMap:
		delete(s.configMaps, nameOf(o))
	case client.Object:
		s.gateway.remove(o)
	default:
		return
	}
	signal(s.changed)
}

// expect begins to keep the objects of a kind, until forget. What was kept of it
// goes: nobody would tell that it is not there any more.
func (s *store) expect(kind client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gateway.expect(kind)
	signal(s.changed)
}

// forget takes leave of all objects of a kind, and keeps no more.
func (s *store) forget(kind client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gateway, kindOf(kind))
	signal(s.changed)
}

// policy is a policy and the status it has; nil if it is gone.
func (s *store) policy(name types.NamespacedName) (*v1alpha1.AgentAuthPolicy, seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policies[name], s.statuses[name]
}

// wrote notes what the watch has yet to tell of.
func (s *store) wrote(p *v1alpha1.AgentAuthPolicy, change func(*seen)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := nameOf(p)
	if now := s.policies[name]; now != nil && now.UID == p.UID {
		status := s.statuses[name]
		change(&status)
		s.statuses[name] = status
	}
}

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
