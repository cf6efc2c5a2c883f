package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// source keeps the engine at what a directory says: every change is read,
// compiled and swapped in whole, or refused whole.
type source struct {
	dir     string
	kernel  *engine.Engine
	log     *slog.Logger
	metrics *telemetry.Metrics
	state   *telemetry.Readiness
	// ready is called once, when the first load is in force.
	ready  func()
	loaded bool
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
	var lines []string
	for _, p := range problems {
		s.log.Warn("in force, with a problem", "problem", problemLine(p))
		lines = append(lines, problemLine(p))
	}
	s.metrics.InForce(names(tree.Input.Policies), len(problems))
	s.state.InForce(lines)
	s.log.Info("policies are in force", "policies", len(tree.Input.Policies), "secrets", len(tree.Input.Secrets), "configMaps", len(tree.Input.ConfigMaps))
	if !s.loaded {
		s.loaded = true
		s.kernel.Wait(ctx)
		s.ready()
	}
	return true
}

func names(policies []*v1alpha1.AgentAuthPolicy) []string {
	out := make([]string, len(policies))
	for i, p := range policies {
		out[i] = p.Namespace + "/" + p.Name
	}
	return out
}

func (s *source) refuse(problems []authz.Problem) {
	var lines []string
	for _, p := range problems {
		if p.Severity.Fatal() {
			s.log.Error("policies refused; what was loaded before stays in force", "problem", problemLine(p))
			lines = append(lines, problemLine(p))
		}
	}
	s.metrics.Refused()
	s.state.Refused(lines)
}
