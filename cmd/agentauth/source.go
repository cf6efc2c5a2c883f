package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
)

// source keeps the engine at what a directory says: every change is read,
// compiled and swapped in whole, or refused whole.
type source struct {
	dir     string
	kernel  *engine.Engine
	log     *slog.Logger
	metrics *metrics
	state   *state
	// ready is called once, when the first load is in force.
	ready  func()
	loaded bool
	names  map[string]bool // of the policies in force
}

var errFirstLoad = errors.New("the policies are not valid; see the log above. Nothing was loaded before, so nothing can be served")

// run follows the directory until ctx ends. That the first load is refused is
// fatal; later the last good state stays in force.
func (s *source) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := policydir.Watch(ctx, policydir.Options{
		Dir: s.dir,
		OnChange: func(tree *manifest.Tree, problems []authz.Problem) {
			if s.apply(ctx, tree, problems) {
				return
			}
			if !s.loaded {
				cancel(errFirstLoad)
			}
		},
	})
	if cause := context.Cause(ctx); errors.Is(cause, errFirstLoad) {
		return exit{exitUsage, cause}
	}
	return err
}

// apply puts a tree in force, or says why it is not.
func (s *source) apply(ctx context.Context, tree *manifest.Tree, problems []authz.Problem) bool {
	snapshot, problems, ok := compileTree(s.kernel, tree, problems)
	if !ok {
		s.refuse(problems)
		return false
	}
	s.kernel.Swap(snapshot)
	s.forgetOld(tree.Input.Policies)
	var lines []string
	for _, p := range problems {
		s.log.Warn("in force, with a problem", "problem", problemLine(p))
		lines = append(lines, problemLine(p))
	}
	s.metrics.reloads.WithLabelValues("ok").Inc()
	s.metrics.good.Set(1)
	s.metrics.policies.Set(float64(len(tree.Input.Policies)))
	s.metrics.problems.Set(float64(len(problems)))
	s.state.set(func(st *state) { st.refused, st.since, st.problems = nil, time.Time{}, lines })
	s.log.Info("policies are in force", "policies", len(tree.Input.Policies), "secrets", len(tree.Input.Secrets), "configMaps", len(tree.Input.ConfigMaps))
	if !s.loaded {
		s.loaded = true
		s.kernel.Wait(ctx)
		s.ready()
	}
	return true
}

// forgetOld drops the metrics of policies that are there no more.
func (s *source) forgetOld(policies []*v1alpha1.AgentAuthPolicy) {
	names := make(map[string]bool, len(policies))
	for _, p := range policies {
		names[p.Namespace+"/"+p.Name] = true
	}
	for name := range s.names {
		if !names[name] {
			s.metrics.forget(name)
		}
	}
	s.names = names
}

func (s *source) refuse(problems []authz.Problem) {
	var lines []string
	for _, p := range problems {
		if p.Severity.Fatal() {
			s.log.Error("policies refused; what was loaded before stays in force", "problem", problemLine(p))
			lines = append(lines, problemLine(p))
		}
	}
	s.metrics.reloads.WithLabelValues("refused").Inc()
	s.metrics.good.Set(0)
	s.state.set(func(st *state) {
		st.refused = lines
		if st.since.IsZero() {
			st.since = time.Now()
		}
	})
}
