// Package controller makes a cluster's API server the source of policies:
//
//	watches -> engine.Input -> Config.Load     in every replica
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
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Config is a cluster and what to do with its policies. All of it is needed,
// but for Namespaces, GatewayClassesNamed, Again, Schema and Behind.
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
	// Again, if not nil, is signalled when Load is to be called without a change.
	Again <-chan struct{}
	// Schema is called with how the CRD of policies differs from the one that this
	// binary is built for: when it is first seen, and once per change.
	Schema func(Schema)
	// Behind, if not nil, says since when a change that Load took is not in force.
	Behind func() (since time.Time, behind bool)
}

// Cluster loads what the API server says, whenever that changes.
type Cluster struct {
	config Config
	kinds  *kinds
	status *status
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
	c.status = newStatus(writer.Status(), c.kinds, c.kinds.policyUpdated, config.Log)
	return c, nil
}

// newReader reads kinds from the API server.
func newReader(rc *rest.Config, connections *http.Client) (reader, error) {
	types, sent := runtime.NewScheme(), runtime.NewScheme()
	err := errors.Join(corev1.AddToScheme(types), crdv1.AddToScheme(types), gatewayv1.Install(types), gatewayv1beta1.Install(types),
		v1alpha1.AddToScheme(types), corev1.AddToScheme(sent))
	if err != nil {
		return nil, err
	}
	for _, v := range versions() {
		if gvk, err := apiutil.GVKForObject(v.object, types); err != nil {
			return nil, err
		} else if gvk.Group != corev1.GroupName {
			addReceived(sent, gvk)
		}
	}
	codecs := serializer.NewCodecFactory(sent)
	return func(resource string, kind client.Object, namespace string) (*toolscache.ListWatch, error) {
		grants, ofGrants := kind.(grantsMap)
		if ofGrants {
			kind = grants.ConfigMap
		}
		gvk, err := apiutil.GVKForObject(kind, types)
		if err != nil {
			return nil, err
		}
		from, err := apiutil.RESTClientForGVK(gvk, gvk.Group != corev1.GroupName, false, rc, codecs, connections)
		if err != nil {
			return nil, err
		}
		return toolscache.NewFilteredListWatchFromClient(from, resource, namespace, func(o *metav1.ListOptions) {
			if o.LabelSelector = labelled(kind); ofGrants {
				o.LabelSelector = v1alpha1.LabelUse + "=" + v1alpha1.UseHostnameGrants
			}
		}), nil
	}, nil
}

// labelled selects the objects of a kind that are of use: of Secrets and
// ConfigMaps those that their owners labelled for a use that there is.
func labelled(kind client.Object) string {
	var uses []string
	switch kind.(type) {
	case *corev1.Secret:
		uses = []string{v1alpha1.UseAPIKey, v1alpha1.UseBasic, v1alpha1.UseCA, v1alpha1.UseHMAC, v1alpha1.UseJWKS}
	case *corev1.ConfigMap:
		uses = []string{v1alpha1.UseCA, v1alpha1.UseJWKS}
	default:
		return ""
	}
	return v1alpha1.LabelUse + " in (" + strings.Join(uses, ",") + ")"
}

// Age is for how long what is in force may not have been what the API server
// says: since the oldest change that is not in force, and since anything was not
// watched. It is 0 while all is well, and never because of a try that failed.
func (c *Cluster) Age() time.Duration {
	return max(c.kinds.age(), c.kinds.pending.age(), c.behind())
}

// behind is since when what was loaded is not in force, as Config.Behind says.
func (c *Cluster) behind() time.Duration {
	if c.config.Behind == nil {
		return 0
	}
	since, behind := c.config.Behind()
	if !behind {
		return 0
	}
	return time.Since(since)
}

// Problems are what keeps what is in force from being all that the API server
// says, and what is left out of it: a line each, at most 20 of the latter.
func (c *Cluster) Problems() (lines []string) {
	lags := append(c.kinds.lags(), lag{"", "a change is not in force", c.kinds.pending.age()}, lag{"", "a policy is not compiled", c.behind()})
	for _, l := range lags {
		if l.age >= time.Second {
			lines = append(lines, fmt.Sprintf("%s for %s; what was known before is in force", strings.TrimSpace(l.kind+" "+l.what), l.age.Round(time.Second)))
		}
	}
	slices.Sort(lines)
	odd := c.kinds.unreadable()
	if more := len(odd) - maxUnreadable; more > 0 {
		odd = append(odd[:maxUnreadable:maxUnreadable], fmt.Sprintf("and %d more objects cannot be read", more))
	}
	return append(lines, odd...)
}

// maxUnreadable bounds the objects that are named.
const maxUnreadable = 20

// Unreadable is how many objects are left out because they cannot be read.
func (c *Cluster) Unreadable() int { return len(c.kinds.unreadable()) }

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
		running.Go(func() { c.lease.run(ctx, c.config.Log, c.status.run) })
		c.follow(ctx)
	}
	return nil
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
