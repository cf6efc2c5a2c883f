package controller

import (
	"context"
	"crypto/sha256"
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
	policiesCRD:  {v1alpha1.GroupVersion.Version, &v1alpha1.AgentAuthPolicy{}},
	"secrets":    {"v1", &corev1.Secret{}},
	"configmaps": {"v1", &corev1.ConfigMap{}},
	allCRDs:      {"v1", &crdv1.CustomResourceDefinition{}},
	hostGrants:   {"v1", usedMap{&corev1.ConfigMap{}, v1alpha1.UseHostnameGrants}},

	ownRevocations: {"v1", usedMap{&corev1.ConfigMap{}, v1alpha1.UseRevocations}},
	revocations:    {"v1", usedMap{&corev1.ConfigMap{}, v1alpha1.UseRevocations}},
}

const (
	allCRDs       = "customresourcedefinitions.apiextensions.k8s.io"
	allNamespaces = "namespaces"
	// hostGrants are the ConfigMaps of hostname grants, of agentauth's own namespace.
	hostGrants = "configmaps.hostname-grants"
	// ownRevocations are the ConfigMaps of revocations of agentauth's own namespace, and
	// revocations those of tenants: these take no room from those.
	ownRevocations = "configmaps.own-revocations"
	revocations    = "configmaps.revocations"

	gateways       = "gateways.gateway.networking.k8s.io"
	gatewayClasses = "gatewayclasses.gateway.networking.k8s.io"

	referenceGrants = "referencegrants.gateway.networking.k8s.io"
)

// usedMap is a ConfigMap of one use: a reader asks for no others.
type usedMap struct {
	*corev1.ConfigMap
	use string
}

// optional are the kinds that need not be installed, by the names of their
// CRDs, in the versions that are read, the best first. A watch on what is not
// served would only fail.
var optional = map[string][]version{
	"httproutes.gateway.networking.k8s.io":   {{"v1", &gatewayv1.HTTPRoute{}}},
	"grpcroutes.gateway.networking.k8s.io":   {{"v1", &gatewayv1.GRPCRoute{}}},
	gateways:                                 {{"v1", &gatewayv1.Gateway{}}},
	gatewayClasses:                           {{"v1", &gatewayv1.GatewayClass{}}},
	"listenersets.gateway.networking.k8s.io": {{"v1", &gatewayv1.ListenerSet{}}},
	// Older releases of Gateway API have only v1beta1.
	referenceGrants: {{"v1", &gatewayv1.ReferenceGrant{}}, {"v1beta1", &gatewayv1beta1.ReferenceGrant{}}},
}

// versions are all versions of all kinds that are read.
func versions() []version {
	var out []version
	for _, v := range required {
		if _, used := v.object.(usedMap); !used { // a ConfigMap as others
			out = append(out, v)
		}
	}
	for _, read := range optional {
		out = append(out, read...)
	}
	return append(out, version{"v1", &corev1.Namespace{}})
}

// expiry is for how long the items of an old version stay in force. That
// version is not watched any more, so that no removal would be noticed.
const expiry = 2 * time.Minute

// reader lists and watches a kind in a namespace; "" is all.
type reader func(resource string, kind client.Object, namespace string) (*toolscache.ListWatch, error)

// kinds follows the required kinds, and the optional ones while they are
// installed.
type kinds struct {
	ctx        context.Context
	running    *sync.WaitGroup // the reflectors, which end with ctx
	read       reader
	namespaces []string
	own        string // agentauth's namespace
	// classesNamed: the operator names the GatewayClasses, and none is read.
	classesNamed bool
	schemas      *schemas
	log          *slog.Logger
	begun        time.Time

	// changed: compile again. policyUpdated: a policy or its status changed.
	// installed: a CRD changed.
	// revoked: a revocation changed.
	changed, policyUpdated, installed, revoked chan struct{}
	pending                                    pending

	mu       sync.Mutex
	followed map[string]*followed // by resource and group
}

// followed is a kind in the version that is read of it.
type followed struct {
	version     string
	collections []*collection // one for each namespace
	ctx         context.Context
	stop        context.CancelFunc
	// old are the collections of the version before. They stay in force until
	// everything of this version was read.
	old []*collection

	// spec is the digest of the CRD of the kind as it was seen last.
	spec [sha256.Size]byte
	// endReread ends reading the kind again after an older change of its CRD.
	endReread context.CancelFunc
	// changed is when the CRD changed, until the kind was read again.
	changed time.Time
}

func newKinds(config Config, read reader) (*kinds, error) {
	schemas, err := newSchemas(config.Schema)
	return &kinds{
		read: read, namespaces: slices.Compact(slices.Sorted(slices.Values(config.Namespaces))), own: config.LeaseNamespace, classesNamed: config.GatewayClassesNamed, schemas: schemas, log: config.Log, begun: time.Now(),
		changed: make(chan struct{}, 1), policyUpdated: make(chan struct{}, 1), installed: make(chan struct{}, 1), revoked: make(chan struct{}, 1),
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
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.installed:
			k.update()
		}
	}
}

// update follows what is installed, and reads kinds again of which the CRD
// changed.
func (k *kinds) update() {
	for name, read := range optional {
		if name == gatewayClasses && k.classesNamed {
			continue
		}
		crd := k.crd(name)
		k.updateKind(name, served(crd.CustomResourceDefinition, read))
		if k.sees(name, crd) {
			k.reread(name)
		}
	}
	if k.schemas.see(k.crd(policiesCRD).CustomResourceDefinition) {
		k.reread(policiesCRD)
	}
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
		k.change()
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
	now := &followed{version: v.name, ctx: ctx, stop: stop}
	if old != nil {
		now.spec = old.spec
	}
	var updated chan struct{}
	changed, arrives, namespaces := k.changed, k.pending.arrives, k.namespaces
	switch name {
	case policiesCRD:
		updated = k.policyUpdated
	case allCRDs:
		changed, arrives = k.installed, nil
	case revocations, ownRevocations:
		changed = k.revoked
	}
	if len(namespaces) == 0 || name == allCRDs || name == allNamespaces || name == gatewayClasses {
		namespaces = []string{""}
	}
	if name == hostGrants || name == ownRevocations {
		namespaces = []string{k.own}
	}
	received := v.object
	if used, ok := v.object.(usedMap); ok {
		received = used.ConfigMap
	}
	resource, _, _ := strings.Cut(name, ".")
	for _, namespace := range namespaces {
		from, err := k.read(resource, v.object, namespace)
		if err != nil {
			stop()
			return err
		}
		c := newCollection(received, from, changed, updated)
		c.name, c.log, c.arrives = resource, k.log, arrives
		now.collections = append(now.collections, c)
	}
	for _, c := range now.collections {
		k.running.Go(func() { c.run(ctx) })
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
	k.change()
}

// change says that something else is to be compiled.
func (k *kinds) change() {
	k.pending.arrives()
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
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, f := range k.followed {
		for _, c := range f.inForce() {
			for _, o := range c.items.List() {
				i := o.(*item)
				in.Unreadable = in.Unreadable || i.unreadable != "" && guards(name)
				switch name {
				case hostGrants:
					in.HostnameGrants = append(in.HostnameGrants, i.configMap())
				case revocations, ownRevocations:
					in.Revocations = appendRevocations(in.Revocations, name, i, k.own)
				default:
					i.addTo(&in)
				}
			}
		}
	}
	for _, kind := range []v1alpha1.TargetKind{v1alpha1.TargetGRPCRoute, v1alpha1.TargetGateway, v1alpha1.TargetHTTPRoute} {
		if k.followed[strings.ToLower(string(kind))+"s."+v1alpha1.GatewayGroup] == nil {
			in.Absent = append(in.Absent, kind)
		}
	}
	in.NoGatewayClasses = k.followed[gateways] != nil && k.followed[gatewayClasses] == nil && !k.classesNamed
	return in
}

// guards says whether objects of a kind say which hosts there are.
func guards(kind string) bool {
	return optional[kind] != nil && kind != gatewayClasses && kind != referenceGrants
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

// crd is a CRD as it is installed; without one it holds nil.
func (k *kinds) crd(name string) definition {
	if i, _ := k.find(allCRDs, name); i != nil {
		d, _ := i.value.(definition)
		return d
	}
	return definition{}
}

// observes says whether the CRD of policies has status.observedGeneration.
func (k *kinds) observes() bool { return observes(k.crd(policiesCRD).CustomResourceDefinition) }

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

// unreadable are the objects that are left out, with why.
func (k *kinds) unreadable() (out []string) {
	for _, c := range k.inForce() {
		out = append(out, c.unreadable()...)
	}
	slices.Sort(out)
	return out
}
