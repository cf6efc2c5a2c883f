// Package controller makes a cluster's API server the source of policies:
//
//	watches -> engine.Input -> Config.Load     in every replica
//	                              └─► reports -> status of the policies, by one of them
//
// Of the cluster's Secrets and ConfigMaps only those are asked for that the label
// agentauth.dev/use says a use of, and what is held of them is bounded. API keys
// become digests before anything keeps them. An object that cannot be read is
// left out and stops no other. While the API server is away, what is in force
// stays in force.
package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// Config is a cluster and what to do with its policies. All of it is needed,
// but for Namespaces, GatewayClassesNamed, Revoke, Again, Schema, Behind and Leads.
type Config struct {
	REST *rest.Config
	// Namespaces are those to watch; none is all.
	Namespaces []string
	// LeaseNamespace is agentauth's own. It has the Lease of the replica that writes
	// status, in which Identity is this replica's name, and the ConfigMaps of
	// hostname grants.
	LeaseNamespace, Identity string
	// GatewayClassesNamed says that the operator names the GatewayClasses whose
	// Gateways count. No GatewayClass is read then.
	GatewayClassesNamed bool
	Log                 *slog.Logger
	// Load puts an Input in force: first when everything there is was read, then
	// after every change. It is called by one goroutine. Its reports become the
	// status of the policies, if the Input is in force.
	Load func(context.Context, engine.Input) (reports []engine.Report, inForce bool)
	// Revoke, if not nil, puts revocations in force, by another goroutine than Load: first
	// when everything there is was read, then after every change of one.
	Revoke func([]revoke.ConfigMap)
	// Again, if not nil, is signalled when Load is to be called without a change.
	Again <-chan struct{}
	// Schema is called with how the CRD of policies differs from the one that this
	// binary is built for: when it is first seen, and once per change.
	Schema func(Schema)
	// Behind, if not nil, says since when a change that Load took is not in force.
	Behind func() (since time.Time, behind bool)
	// Leads, if not nil, is told whether this replica writes status, whenever that
	// changes.
	Leads func(bool)
}

// Cluster loads what the API server says, whenever that changes.
type Cluster struct {
	config Config
	kinds  *kinds
	status *status
	sink   events.EventSink
	lease  lease
}

// New connects nothing yet: an API server that cannot be reached is waited for
// by Run.
func New(config Config) (*Cluster, error) {
	rc := rest.CopyConfig(config.REST)
	rc.QPS = -1 // the API server bounds its clients better than they themselves
	connections, err := rest.HTTPClientFor(rc)
	if err != nil {
		return nil, err
	}
	read, err := newReader(rc, connections)
	if err != nil {
		return nil, err
	}
	c := &Cluster{config: config}
	if c.kinds, err = newKinds(config, read); err != nil {
		return nil, err
	}
	if c.lease, err = newLease(rc, config); err != nil {
		return nil, err
	}
	// The kind is known: no discovery, and no waiting for it.
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind), meta.RESTScopeNamespace)
	writer, err := client.New(rc, client.Options{HTTPClient: connections, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	if c.sink, err = newSink(rc, connections); err != nil {
		return nil, err
	}
	c.status = newStatus(writer.Status(), c.kinds, c.kinds.policyUpdated, config.Log)
	c.status.observes = c.kinds.observes
	return c, nil
}

// Run follows the cluster until ctx ends. It returns an error only where
// nothing can be followed at all.
func (c *Cluster) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.kinds.begin(ctx, &running); err != nil {
		return err
	}
	// An outage at the start is waited out; the probes say that we are. Which
	// kinds are followed is known once the CRDs are.
	if toolscache.WaitForCacheSync(ctx.Done(), func() bool { return hasSynced(c.kinds.inForce(allCRDs)) }) {
		c.kinds.update()
		running.Go(c.kinds.run)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), func() bool { return hasSynced(c.kinds.inForce()) }) {
		running.Go(func() { c.lease.run(ctx, c.config.Log, c.lead) })
		if c.config.Revoke != nil {
			c.config.Revoke(c.kinds.revocations())
		}
		running.Go(func() { c.revoke(ctx) })
		c.follow(ctx)
	}
	return nil
}

// lead writes status, and Events, until ctx ends.
func (c *Cluster) lead(ctx context.Context) {
	if c.config.Leads != nil {
		c.config.Leads(true)
		defer c.config.Leads(false)
	}
	end, err := c.status.events.begin(ctx, c.sink)
	if err != nil {
		c.config.Log.Warn("no Events are written", "error", err.Error())
	} else {
		defer end()
	}
	c.status.run(ctx)
}

// follow loads what there is, and again after every change: never two at
// once, and once for all changes that came meanwhile.
func (c *Cluster) follow(ctx context.Context) {
	for {
		c.load(ctx)
		select {
		case <-ctx.Done():
			return
		case <-c.kinds.changed:
		case <-c.config.Again:
		}
	}
}

func (c *Cluster) load(ctx context.Context) {
	c.kinds.pending.begin()
	if reports, inForce := c.config.Load(ctx, c.kinds.input()); inForce {
		c.kinds.pending.inForce()
		c.status.report(reports)
	}
}
