package controller

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// optional are the kinds that need not be installed, by the names of their
// CRDs. A watch on a kind that is not there would only fail.
var optional = map[string]func() client.Object{
	"httproutes.gateway.networking.k8s.io":   func() client.Object { return &gatewayv1.HTTPRoute{} },
	"grpcroutes.gateway.networking.k8s.io":   func() client.Object { return &gatewayv1.GRPCRoute{} },
	"gateways.gateway.networking.k8s.io":     func() client.Object { return &gatewayv1.Gateway{} },
	"listenersets.gateway.networking.k8s.io": func() client.Object { return &gatewayv1.ListenerSet{} },
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

	mu     sync.Mutex
	synced map[string]toolscache.InformerSynced // of what is followed
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
	if !established(crd) {
		k.drop(crd.Name)
		return
	}
	k.follow(crd.Name, optional[crd.Name]())
	// Listeners select namespaces by their labels.
	k.follow("namespaces", &corev1.Namespace{})
}

// established says whether the API server serves a kind in the version that is
// read here.
func established(crd *crdv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(c crdv1.CustomResourceDefinitionCondition) bool {
		return c.Type == crdv1.Established && c.Status == crdv1.ConditionTrue
	}) && slices.ContainsFunc(crd.Spec.Versions, func(v crdv1.CustomResourceDefinitionVersion) bool {
		return v.Name == gatewayv1.GroupVersion.Version && v.Served
	})
}

func (k *kinds) follow(name string, kind client.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.synced[name] != nil {
		return
	}
	informer, err := k.cache.GetInformer(k.ctx, kind, cache.BlockUntilSynced(false))
	if err == nil {
		var handler toolscache.ResourceEventHandlerRegistration
		if handler, err = informer.AddEventHandler(k.store); err == nil {
			k.synced[name] = handler.HasSynced
			k.log.Info("following a kind of Gateway API", "kind", name)
			return
		}
	}
	if k.ctx.Err() == nil {
		k.log.Error("a kind cannot be followed", "kind", name, "error", err.Error())
	}
}

func (k *kinds) drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if optional[name] == nil || k.synced[name] == nil {
		return
	}
	delete(k.synced, name)
	kind := optional[name]()
	if err := k.cache.RemoveInformer(k.ctx, kind); err != nil {
		k.log.Error("a kind that is gone is still followed", "kind", name, "error", err.Error())
	}
	k.store.forget(kind)
	resource, _, _ := strings.Cut(name, ".")
	k.watches.forget(resource)
	k.log.Info("a kind of Gateway API is gone", "kind", name)
}

// hasSynced says whether all there was of what is followed was read.
func (k *kinds) hasSynced() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, synced := range k.synced {
		if !synced() {
			return false
		}
	}
	return true
}
