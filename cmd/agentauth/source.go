package main

import (
	"context"
	"errors"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/source"
)

var errFirstLoad = errors.New("the policies are not valid; see the log above. Nothing was loaded before, so nothing can be served")

// followDirectory hands a directory to the keeper until ctx ends. That the first
// load is refused is fatal; later the last good state stays in force.
func followDirectory(ctx context.Context, dir string, keeper *source.Keeper) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := false
	err := policydir.Watch(ctx, policydir.Options{
		Dir: dir,
		OnChange: func(tree *manifest.Tree, problems []authz.Problem) {
			if keeper.Directory(ctx, tree, problems) {
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
