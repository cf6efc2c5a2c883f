package main

import (
	"context"
	"errors"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// source is what follows the policies until its context ends: a directory, or a
// cluster. The door's health service says when they are in force.
func (s *service) source(d door) (follow func(context.Context) error, err error) {
	if s.flags.policies == "" {
		return s.cluster(d)
	}
	keeper := s.keeper(d, telemetry.LoadLog{Line: problemLine})
	return func(ctx context.Context) error {
		go s.followKeys(ctx, func() {})
		return followDirectory(ctx, s.flags.policies, keeper)
	}, nil
}

// keeper keeps the engine at a source, and says in log, metrics and probes what
// came of it.
func (s *service) keeper(d door, loads telemetry.LoadLog) *source.Keeper {
	loads.Log, loads.Metrics, loads.Readiness, loads.Audit = s.log, s.metrics, s.readiness, s.audit
	keeper := &source.Keeper{
		Engine: s.kernel, Log: s.log,
		Loaded: func(l source.Load) { loads.Loaded(telemetry.Load(l)) },
		Ready: func() {
			s.readiness.Ready()
			d.setReady(s.readiness.Serving()) // it may be ending already
		},
	}
	s.loading = keeper.Busy
	return keeper
}

var errFirstLoad = errors.New("the policies are not valid; see the log above. Nothing was loaded before, so nothing can be served")

// followDirectory hands a directory to the keeper until ctx ends. That the first
// load is refused is fatal; later the last good state stays in force.
func followDirectory(ctx context.Context, dir string, keeper *source.Keeper) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := false
	err := policydir.Watch(ctx, policydir.Options{
		Dir: dir,
		OnChange: func(tree *manifest.Tree, remains *manifest.Remains, problems []authz.Problem) {
			if keeper.Directory(ctx, tree, remains, problems) {
				begun = true
			} else if !begun {
				cancel(errFirstLoad)
			}
		},
	})
	if cause := context.Cause(ctx); errors.Is(cause, errFirstLoad) {
		return exit{exitUsage, cause}
	}
	return err
}
