package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// LeaseName is the Lease of the replica that writes status.
const LeaseName = "agentauth-status"

// A replica that ended without a word is replaced after leaseDuration.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// lease is held by the one replica that writes status. Losing it ends the
// writing and nothing else: checks do not depend on it.
type lease struct{ lock resourcelock.Interface }

func newLease(rc *rest.Config, config Config) (lease, error) {
	rc = rest.CopyConfig(rc)
	rc.Timeout = renewDeadline / 2 // a hanging request must not cost the lease
	leases, err := coordinationv1.NewForConfig(rc)
	if err != nil {
		return lease{}, err
	}
	return lease{&resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: config.LeaseNamespace, Name: LeaseName},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: config.Identity},
	}}, nil
}

// run calls lead whenever the lease is held, with a context that ends when it
// is lost, and tries again after that. It returns when ctx ends.
func (l lease) run(ctx context.Context, log *slog.Logger, lead func(context.Context)) {
	var leading sync.Mutex // the elector does not wait for the last one to end
	defer leading.Lock()
	for ctx.Err() == nil {
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: l.lock, Name: LeaseName, ReleaseOnCancel: true,
			LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					leading.Lock()
					defer leading.Unlock()
					log.Info("this replica writes the status of policies")
					lead(ctx)
				},
				OnStoppedLeading: func() {
					if ctx.Err() == nil {
						log.Info("this replica writes no status any more; checks go on")
					}
				},
			},
		})
	}
}
