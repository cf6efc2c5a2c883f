package source

import (
	"slices"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Compile compiles a tree of manifests and adds the problems of its policies to
// those of reading it. ok is false if a problem is fatal or there is no tree:
// then the snapshot must not be put in force.
func Compile(e *engine.Engine, tree *manifest.Tree, problems []authz.Problem) (s *engine.Snapshot, all []authz.Problem, ok bool) {
	if tree == nil || anyFatal(problems) {
		return nil, problems, false
	}
	s, reports := e.Compile(tree.Input)
	all = append(slices.Clip(problems), problemsOf(reports, tree)...)
	return s, all, !anyFatal(all)
}

func anyFatal(problems []authz.Problem) bool {
	return slices.ContainsFunc(problems, func(p authz.Problem) bool { return p.Severity.Fatal() })
}

// problemsOf are the problems of reports, with their policies and, if there is
// a tree, their places in it.
func problemsOf(reports []engine.Report, tree *manifest.Tree) (out []authz.Problem) {
	for _, r := range reports {
		for _, p := range r.Problems {
			p.Object = v1alpha1.Kind + " " + r.Policy.String()
			if tree != nil {
				p.Position = tree.Locate(v1alpha1.Kind, r.Policy.Namespace, r.Policy.Name, p.Field)
			}
			out = append(out, p)
		}
	}
	return out
}
