// Package controller makes a cluster's API server the source of policies:
//
//	watches -> engine.Input -> Compile -> Swap     in every replica
//	                              └─► reports -> status of the policies, by one of them
//
// Of the cluster's Secrets and ConfigMaps only those with the label
// agentauth.dev/use are asked for, and API keys become digests before anything
// keeps them. While the API server is away, what is in force stays in force.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Config is a cluster and what to do with its policies. All of it is needed,
// but for Namespaces and Schema.
type Config struct {
	REST *rest.Config
	// Namespaces are those to watch; none is all.
	Namespaces []string
	Engine     *engine.Engine
	// LeaseNamespace has the Lease of the replica that writes status, and
	// Identity is this replica's name in it.
	LeaseNamespace, Identity string
	Log                      *slog.Logger
	// Loaded is told what came in force, first when everything there is was read
	// and compiled. It is called by one goroutine and should return soon.
	Loaded func(engine.Input, []engine.Report)
	// Schema is told how the CRD of policies differs from the one that this
	// binary is built for: when it is first seen, and once per change.
	Schema func(Schema)
}

// Cluster keeps an engine at what the API server says.
type Cluster struct {
	config   Config
	cache    cache.Cache
	store    *store
	watches  *watches
	status   *status
	lease    lease
	schemas  *schemas
	rereader *rereader
}

// New connects nothing yet: an API server that cannot be reached is waited for
// by Run.
func New(config Config) (*Cluster, error) {
	c := &Cluster{config: config, store: newStore(), watches: newWatches(time.Now)}
	rc := rest.CopyConfig(config.REST)
	rc.QPS = -1 // the API server bounds its clients better than they themselves
	rc.Wrap(c.watches.wrap)
	http, err := rest.HTTPClientFor(rc)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), crdv1.AddToScheme(scheme), gatewayv1.Install(scheme), gatewayv1beta1.Install(scheme)); err != nil {
		return nil, err
	}
	addReceived(scheme)
	// All kinds are known: no discovery, and no waiting for it.
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(crdv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), meta.RESTScopeRoot)
	addGateway(mapper, "v1", "HTTPRoute", "GRPCRoute", "Gateway", "ListenerSet", "ReferenceGrant")
	addGateway(mapper, "v1beta1", "ReferenceGrant")

	labelled, err := labels.NewRequirement(v1alpha1.LabelUse, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	used := cache.ByObject{Label: labels.NewSelector().Add(*labelled)}
	options := cache.Options{
		HTTPClient: http, Scheme: scheme, Mapper: mapper, DefaultTransform: slim,
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: used, &corev1.ConfigMap{}: used},
	}
	if len(config.Namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, ns := range config.Namespaces {
			options.DefaultNamespaces[ns] = cache.Config{}
		}
	}
	if c.cache, err = cache.New(rc, options); err != nil {
		return nil, err
	}
	reader, err := client.New(rc, client.Options{HTTPClient: http, Scheme: scheme, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	written := runtime.NewScheme() // where policies are policies, and not what was received
	if err := v1alpha1.AddToScheme(written); err != nil {
		return nil, err
	}
	writer, err := client.New(rc, client.Options{HTTPClient: http, Scheme: written, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	c.status = newStatus(writer.Status(), c.store, config.Log)
	if c.lease, err = newLease(rc, config); err != nil {
		return nil, err
	}
	c.rereader = newRereader(reader, config, c.store)
	if c.schemas, err = newSchemas(config.Schema, c.rereader.changed); err != nil {
		return nil, err
	}
	return c, nil
}

func addGateway(mapper *meta.DefaultRESTMapper, version string, kinds ...string) {
	gv := schema.GroupVersion{Group: v1alpha1.GatewayGroup, Version: version}
	for _, kind := range kinds {
		one := strings.ToLower(kind) // said outright: the plural of Gateway would be guessed wrongly
		mapper.AddSpecific(gv.WithKind(kind), gv.WithResource(one+"s"), gv.WithResource(one), meta.RESTScopeNamespace)
	}
}

// Age is for how long what is in force may not have been what the API server
// says: 0 while it is watched.
func (c *Cluster) Age() time.Duration { return c.watches.age() }

// Run follows the cluster until ctx ends. It returns an error only where
// nothing can be followed at all.
func (c *Cluster) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var synced []toolscache.InformerSynced
	installed := &kinds{ctx: ctx, cache: c.cache, store: c.store, watches: c.watches, log: c.config.Log, policies: c.schemas.see, followed: map[string]followed{}}
	for _, kind := range []client.Object{&received{}, &corev1.Secret{}, &corev1.ConfigMap{}, &crdv1.CustomResourceDefinition{}} {
		informer, err := c.cache.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		var to toolscache.ResourceEventHandler = c.store
		if _, crds := kind.(*crdv1.CustomResourceDefinition); crds {
			to = installed
		}
		handler, err := informer.AddEventHandler(to)
		if err != nil {
			return err
		}
		synced = append(synced, handler.HasSynced)
	}
	failed := make(chan error, 2)
	running.Go(func() {
		if err := c.cache.Start(ctx); err != nil {
			failed <- err
		}
	})
	running.Go(func() { c.rereader.run(ctx) })
	running.Go(func() {
		// An outage at the start is waited out; the probes say that we are.
		// Which kinds are followed is known once the CRDs are.
		if toolscache.WaitForCacheSync(ctx.Done(), synced...) && toolscache.WaitForCacheSync(ctx.Done(), installed.hasSynced) {
			running.Go(func() { c.lease.run(ctx, c.config.Log, c.status.run) })
			c.follow(ctx)
		}
		failed <- nil
	})
	return <-failed
}

// follow compiles what there is, and again after every change: never two at
// once, and once for all changes that came meanwhile.
func (c *Cluster) follow(ctx context.Context) {
	for {
		c.load()
		select {
		case <-ctx.Done():
			return
		case <-c.store.changed:
		}
	}
}

func (c *Cluster) load() {
	defer func() {
		if v := recover(); v != nil {
			c.config.Log.Error("compiling panicked; what was in force stays in force", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	in := c.store.input()
	snapshot, reports := c.config.Engine.Compile(in)
	c.config.Engine.Swap(snapshot)
	c.status.tell(reports)
	c.config.Loaded(in, reports)
}
