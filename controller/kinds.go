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
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// optional are the kinds that need not be installed, by the names of their
// CRDs, in the versions that are read, the best first. A watch on what is not
// served would only fail.
var optional = map[string][]version{
	"httproutes.gateway.networking.k8s.io":   {{"v1", func() client.Object { return &gatewayv1.HTTPRoute{} }}},
	"grpcroutes.gateway.networking.k8s.io":   {{"v1", func() client.Object { return &gatewayv1.GRPCRoute{} }}},
	"gateways.gateway.networking.k8s.io":     {{"v1", func() client.Object { return &gatewayv1.Gateway{} }}},
	"listenersets.gateway.networking.k8s.io": {{"v1", func() client.Object { return &gatewayv1.ListenerSet{} }}},
	// Older releases of Gateway API have only v1beta1.
	"referencegrants.gateway.networking.k8s.io": {
		{"v1", func() client.Object { return &gatewayv1.ReferenceGrant{} }},
		{"v1beta1", func() client.Object { return &gatewayv1beta1.ReferenceGrant{} }},
	},
}

// version is a version of a kind, and an empty object of it.
type version struct {
	name   string
	object func() client.Object
}

// kinds follows the optional kinds while they are installed. It is told of
// CRDs.
type kinds struct {
	ctx     context.Context
	cache   cache.Cache
	store   *store
	watches *watches
	log     *slog.Logger
	// policies is told of the CRD of policies; nil is that it is gone.
	policies func(*crdv1.CustomResourceDefinition)

	mu       sync.Mutex
	followed map[string]followed // by the name of the CRD
}

// followed is a kind in the version that is read of it.
type followed struct {
	version         string
	object          client.Object
	synced, stopped func() bool
}

// OnAdd takes a CRD that is there.
func (k *kinds) OnAdd(obj any, _ bool) { k.see(obj) }

// OnUpdate takes a CRD that changed.
func (k *kinds) OnUpdate(_, obj any) { k.see(obj) }

// OnDelete takes leave of a CRD.
func (k *kinds) OnDelete(obj any) {
	if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	if crd, ok := obj.(*crdv1.CustomResourceDefinition); ok {
		if crd.Name == policiesCRD {
			k.policies(nil)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.drop(crd.Name)
	}
}

func (k *kinds) see(obj any) {
	crd, ok := obj.(*crdv1.CustomResourceDefinition)
	if ok && crd.Name == policiesCRD {
		k.policies(crd)
	}
	if !ok || optional[crd.Name] == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now, ok := k.followed[crd.Name]
	versions := served(crd)
	switch {
	case len(versions) == 0:
		k.drop(crd.Name)
	case !ok:
		k.follow(crd.Name, versions[0])
		// Listeners select namespaces by their labels.
		k.follow("namespaces", version{"v1", func() client.Object { return &corev1.Namespace{} }})
	case !slices.ContainsFunc(versions, func(v version) bool { return v.name == now.version }):
		k.replace(crd.Name, now, versions[0])
	}
}

// served are the versions that the API server serves a kind in, of those that
// are read here.
func served(crd *crdv1.CustomResourceDefinition) []version {
	if !slices.ContainsFunc(crd.Status.Conditions, func(c crdv1.CustomResourceDefinitionCondition) bool {
		return c.Type == crdv1.Established && c.Status == crdv1.ConditionTrue
	}) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(optional[crd.Name]), func(read version) bool {
		return !slices.ContainsFunc(crd.Spec.Versions, func(v crdv1.CustomResourceDefinitionVersion) bool {
			return v.Name == read.name && v.Served
		})
	})
}

func (k *kinds) follow(name string, v version) {
	if _, ok := k.followed[name]; ok {
		return
	}
	kind := v.object()
	informer, err := k.cache.GetInformer(k.ctx, kind, cache.BlockUntilSynced(false))
	if err == nil {
		k.store.expect(kind)
		var handler toolscache.ResourceEventHandlerRegistration
		if handler, err = informer.AddEventHandler(k.store); err == nil {
			k.followed[name] = followed{v.name, kind, handler.HasSynced, informer.IsStopped}
			k.log.Info("following a kind of Gateway API", "kind", name, "version", v.name)
			return
		}
	}
	if k.ctx.Err() == nil {
		k.log.Error("a kind cannot be followed", "kind", name, "error", err.Error())
	}
}

// drop takes leave of a kind that is not served any more.
func (k *kinds) drop(name string) {
	if _, ok := k.followed[name]; !ok {
		return
	}
	k.unfollow(name)
	for _, v := range optional[name] {
		k.store.forget(v.object())
	}
	k.log.Info("a kind of Gateway API is gone", "kind", name)
}

// patience is for how long what a version said stays in force that is not
// watched any more, and so cannot be taken back.
const patience = 2 * time.Minute

// replace goes over to another version. What the old one said stays in force
// until the new one was read, within patience: nothing is refused because an
// operator upgrades, and nothing allowed for ever because that went wrong.
func (k *kinds) replace(name string, old followed, v version) {
	k.unfollow(name)
	k.follow(name, v)
	now, ok := k.followed[name]
	if !ok {
		k.store.forget(old.object)
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(k.ctx, patience)
		defer cancel()
		read := toolscache.WaitForCacheSync(ctx.Done(), func() bool { return now.synced() || now.stopped() })
		if k.ctx.Err() != nil {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.followed[name].version == now.version {
			if !read {
				k.log.Warn("a version of a kind cannot be read, and what the one before said is not in force any more", "kind", name, "version", now.version)
			}
			k.store.forget(old.object)
		}
	}()
}

func (k *kinds) unfollow(name string) {
	if err := k.cache.RemoveInformer(k.ctx, k.followed[name].object); err != nil {
		k.log.Error("a kind that is gone is still followed", "kind", name, "error", err.Error())
	}
	delete(k.followed, name)
	resource, _, _ := strings.Cut(name, ".")
	k.watches.forget(resource)
}

// hasSynced says whether all there was of what is followed was read.
func (k *kinds) hasSynced() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.followed {
		if !f.synced() {
			return false
		}
	}
	return true
}
