package controller

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// version is a version of a kind, and an object of it.
type version struct {
	name   string
	object client.Object
}

// required are the kinds that are always followed, by resource and group.
var required = map[string]version{
	policiesCRD:  {v1alpha1.GroupVersion.Version, &received{}},
	"secrets":    {"v1", &corev1.Secret{}},
	"configmaps": {"v1", &corev1.ConfigMap{}},
	allCRDs:      {"v1", &crdv1.CustomResourceDefinition{}},
}

const (
	allCRDs       = "customresourcedefinitions.apiextensions.k8s.io"
	allNamespaces = "namespaces"
)

// optional are the kinds that need not be installed, by the names of their
// CRDs, in the versions that are read, the best first. A watch on what is not
// served would only fail.
var optional = map[string][]version{
	"httproutes.gateway.networking.k8s.io":   {{"v1", &gatewayv1.HTTPRoute{}}},
	"grpcroutes.gateway.networking.k8s.io":   {{"v1", &gatewayv1.GRPCRoute{}}},
	"gateways.gateway.networking.k8s.io":     {{"v1", &gatewayv1.Gateway{}}},
	"listenersets.gateway.networking.k8s.io": {{"v1", &gatewayv1.ListenerSet{}}},
	// Older releases of Gateway API have only v1beta1.
	"referencegrants.gateway.networking.k8s.io": {{"v1", &gatewayv1.ReferenceGrant{}}, {"v1beta1", &gatewayv1beta1.ReferenceGrant{}}},
}

// expiry is for how long the items of an old version stay in force. That
// version is not watched any more, so that no removal would be noticed.
const expiry = 2 * time.Minute

// rereadAfter are the waits between lists of policies after their CRD changed.
// Specs then change without a new generation, and for up to two minutes a watch
// may deliver policies in the old schema, which no later watch corrects.
var rereadAfter = []time.Duration{0, time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// reader lists and watches a kind in a namespace; "" is all.
type reader func(resource string, kind client.Object, namespace string) (*toolscache.ListWatch, error)

// kinds follows the required kinds, and the optional ones while they are
// installed.
type kinds struct {
	ctx        context.Context
	running    *sync.WaitGroup // the reflectors, which end with ctx
	read       reader
	namespaces []string
	schemas    *schemas
	log        *slog.Logger
	begun      time.Time

	// changed: compile again. policyUpdated: a policy or its status changed.
	// installed: a CRD changed. schemaChanged: that of policies did.
	changed, policyUpdated, installed, schemaChanged chan struct{}

	mu       sync.Mutex
	followed map[string]*followed // by resource and group
}

// followed is a kind in the version that is read of it.
type followed struct {
	version     string
	collections []*collection // one for each namespace
	stop        context.CancelFunc
	// old are the collections of the version before. They stay in force until
	// everything of this version was read.
	old []*collection
}

func newKinds(config Config, read reader) (*kinds, error) {
	schemas, err := newSchemas(config.Schema)
	return &kinds{
		read: read, namespaces: slices.Compact(slices.Sorted(slices.Values(config.Namespaces))), schemas: schemas, log: config.Log, begun: time.Now(),
		changed: make(chan struct{}, 1), policyUpdated: make(chan struct{}, 1), installed: make(chan struct{}, 1), schemaChanged: make(chan struct{}, 1),
		followed: map[string]*followed{},
	}, err
}

// begin follows the required kinds. The reflectors of all kinds end with ctx.
func (k *kinds) begin(ctx context.Context, running *sync.WaitGroup) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ctx, k.running = ctx, running
	for name, v := range required {
		if err := k.follow(name, v); err != nil {
			return err
		}
	}
	return nil
}

// run follows what is installed until ctx ends.
func (k *kinds) run() {
	k.running.Go(k.rereadPolicies) // an API server that does not answer holds up nothing else
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.installed:
			if k.update() {
				signal(k.schemaChanged)
			}
		}
	}
}

// rereadPolicies lists policies again after each change of their CRD.
func (k *kinds) rereadPolicies() {
	var due <-chan time.Time
	var left []time.Duration
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.schemaChanged:
			left, due = rereadAfter, time.After(rereadAfter[0])
		case <-due:
			for _, c := range k.inForce(policiesCRD) {
				if err := c.reread(k.ctx); err != nil && k.ctx.Err() == nil {
					k.log.Warn("policies could not be read again after a change of their CRD", "error", err.Error())
				}
			}
			if left = left[1:]; len(left) > 0 {
				due = time.After(left[0])
			}
		}
	}
}

// update follows what is installed, and reports whether the CRD of policies
// changed.
func (k *kinds) update() (changed bool) {
	for name, read := range optional {
		k.updateKind(name, served(k.crd(name), read))
	}
	return k.schemas.see(k.crd(policiesCRD))
}

// updateKind follows a kind in a version that is served, the best first.
func (k *kinds) updateKind(name string, versions []version) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.followed[name]
	switch {
	case now == nil && len(versions) == 0:
		return
	case len(versions) == 0:
		now.stop()
		delete(k.followed, name)
		signal(k.changed)
		k.log.Info("a kind of Gateway API is gone", "kind", name)
		return
	case now != nil && slices.ContainsFunc(versions, func(v version) bool { return v.name == now.version }):
		return
	}
	err := k.follow(name, versions[0])
	if err == nil {
		// Listeners select namespaces by their labels.
		err = k.follow(allNamespaces, version{"v1", &corev1.Namespace{}})
	}
	if err != nil {
		k.log.Error("a kind cannot be followed", "kind", name, "error", err.Error())
		return
	}
	k.log.Info("following a kind of Gateway API", "kind", name, "version", versions[0].name)
}

// served are the versions that the API server serves a kind in, of those that
// are read here.
func served(crd *crdv1.CustomResourceDefinition, read []version) []version {
	if crd == nil || !slices.ContainsFunc(crd.Status.Conditions, func(c crdv1.CustomResourceDefinitionCondition) bool {
		return c.Type == crdv1.Established && c.Status == crdv1.ConditionTrue
	}) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(read), func(read version) bool {
		return !slices.ContainsFunc(crd.Spec.Versions, func(v crdv1.CustomResourceDefinitionVersion) bool {
			return v.Name == read.name && v.Served
		})
	})
}

// follow begins with a version of a kind. The items of the version before stay
// in force until the new version was read, or until they expire: nothing is
// refused because an operator upgrades, and nothing allowed for ever because the
// upgrade went wrong.
func (k *kinds) follow(name string, v version) error {
	old := k.followed[name]
	if old != nil && old.version == v.name {
		return nil
	}
	ctx, stop := context.WithCancel(k.ctx)
	now := &followed{version: v.name, stop: stop}
	var updated chan struct{}
	changed, namespaces := k.changed, k.namespaces
	switch name {
	case policiesCRD:
		updated = k.policyUpdated
	case allCRDs:
		changed = k.installed
	}
	if len(namespaces) == 0 || name == allCRDs || name == allNamespaces {
		namespaces = []string{""}
	}
	resource, _, _ := strings.Cut(name, ".")
	for _, namespace := range namespaces {
		from, err := k.read(resource, v.object, namespace)
		if err != nil {
			stop()
			return err
		}
		now.collections = append(now.collections, newCollection(from, changed, updated))
	}
	for _, c := range now.collections {
		k.running.Go(func() { c.run(ctx, resource, v.object) })
	}
	k.followed[name] = now
	if old != nil {
		old.stop()
		now.old = old.inForce()
		time.AfterFunc(expiry, func() { k.expire(name, now) })
	}
	return nil
}

// expire takes the items of the version before out of force.
func (k *kinds) expire(name string, f *followed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if hasSynced(f.collections) || k.followed[name] != f || k.ctx.Err() != nil {
		return
	}
	k.log.Warn("a version of a kind cannot be read, and what the one before said is not in force any more", "kind", name, "version", f.version)
	f.old = nil
	signal(k.changed)
}

// inForce are the collections of which the items count.
func (f *followed) inForce() []*collection {
	if hasSynced(f.collections) {
		f.old = nil
	}
	if f.old != nil {
		return f.old
	}
	return f.collections
}

// hasSynced reports whether everything of all collections was read.
func hasSynced(all []*collection) bool {
	return !slices.ContainsFunc(all, func(c *collection) bool { return !c.hasSynced() })
}

// inForce are the collections of one kind, or of all, of which the items count.
func (k *kinds) inForce(of ...string) (out []*collection) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, f := range k.followed {
		if len(of) == 0 || slices.Contains(of, name) {
			out = append(out, f.inForce()...)
		}
	}
	return out
}

// input is everything that is in force.
func (k *kinds) input() (in engine.Input) {
	for _, c := range k.inForce() {
		for _, i := range c.items.List() {
			i.(*item).addTo(&in)
		}
	}
	return in
}

// find returns an item of a kind and its collection, or nil.
func (k *kinds) find(kind, key string) (*item, *collection) {
	for _, c := range k.inForce(kind) {
		if i := c.get(key); i != nil {
			return i, c
		}
	}
	return nil, nil
}

// crd is a CRD as it is installed, or nil.
func (k *kinds) crd(name string) *crdv1.CustomResourceDefinition {
	if i, _ := k.find(allCRDs, name); i != nil {
		return i.value.(*crdv1.CustomResourceDefinition)
	}
	return nil
}

// policy is a policy with its newest status, or nil.
func (k *kinds) policy(name types.NamespacedName) *item {
	i, _ := k.find(policiesCRD, name.String())
	return i
}

// wrote stores an item with the status that was written over another one. The
// watch will deliver it later.
func (k *kinds) wrote(over, now *item) {
	if _, c := k.find(policiesCRD, nameOf(now).String()); c != nil {
		c.swap(over, now)
	}
}

// age is the age of the collection that was not watched for the longest time.
// Each check may ask for it.
func (k *kinds) age() (age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.followed) == 0 {
		return time.Since(k.begun)
	}
	for _, f := range k.followed {
		for _, c := range f.collections {
			age = max(age, c.age())
		}
	}
	return age
}
