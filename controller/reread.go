package controller

import (
	"context"
	"log/slog"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rereadAfter is how long after a change of the CRD of policies they are read
// again, each counted from the one before. An API server serves old watches for
// a while, at most two minutes, in the form that the CRD had; what these tell
// is not told again by those that follow.
var rereadAfter = []time.Duration{0, time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// rereader reads policies again once their CRD changed: the API server then
// serves them with more or fewer fields, in the same generation.
type rereader struct {
	from       client.Reader
	namespaces []string
	store      *store
	log        *slog.Logger
	changed    chan struct{}
}

func newRereader(from client.Reader, config Config, s *store) *rereader {
	r := &rereader{from: from, namespaces: config.Namespaces, store: s, log: config.Log, changed: make(chan struct{}, 1)}
	if len(r.namespaces) == 0 {
		r.namespaces = []string{""}
	}
	return r
}

func (r *rereader) run(ctx context.Context) {
	next := len(rereadAfter) // nothing to do
	for {
		var due <-chan time.Time
		if next < len(rereadAfter) {
			due = time.After(rereadAfter[next])
		}
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
			next = 0
		case <-due:
			next++
			if err := r.read(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("policies could not be read again after a change of their CRD", "error", err.Error())
			}
		}
	}
}

func (r *rereader) read(ctx context.Context) error {
	for _, ns := range r.namespaces {
		list := &receivedList{}
		if err := r.from.List(ctx, list, client.InNamespace(ns)); err != nil {
			return err
		}
		for i := range list.Items {
			p := list.Items[i].AgentAuthPolicy
			_, _ = slim(&p)
			r.store.reread(&p)
		}
	}
	return nil
}
