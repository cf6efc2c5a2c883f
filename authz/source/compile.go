package source

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	revocation "github.com/agentauth-dev/agentauth/authz/revoke"
)

// Compile compiles a tree of manifests and adds the problems of its policies to
// those of reading it. ok is false if a problem is fatal or there is no tree:
// then the snapshot must not be put in force. Its revocations are, at once.
func Compile(e *engine.Engine, tree *manifest.Tree, problems []authz.Problem) (s *engine.Snapshot, all []authz.Problem, ok bool) {
	if tree != nil {
		wrong := revocationProblems(tree, Revoke(e, tree.Input.Revocations), e.Revocations())
		problems = append(slices.Clip(problems), wrong...)
	}
	return compile(e, tree, problems)
}

// Revoke puts revocations in force for a command, in the place of those that are. Its
// problems are fatal for those of files.
func Revoke(e *engine.Engine, list []revocation.ConfigMap) []authz.Problem {
	var all revocations
	return all.take(e, list)
}

// compile is Compile without the revocations.
func compile(e *engine.Engine, tree *manifest.Tree, problems []authz.Problem) (s *engine.Snapshot, all []authz.Problem, ok bool) {
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
				p.Position = position(tree, r.Policy, p)
			}
			out = append(out, p)
		}
	}
	return out
}

// position is where a problem is to be corrected: in the Secret or ConfigMap that the
// policy refers to, if it is in the tree, else in the policy. An object that another
// namespace may not have granted is not looked for.
func position(tree *manifest.Tree, policy types.NamespacedName, p authz.Problem) authz.Position {
	kind, name, _ := strings.Cut(p.Ref, " ")
	namespace, name, named := strings.Cut(name, "/")
	granted := namespace == policy.Namespace || p.Reason != v1alpha1.ReasonRefNotPermitted
	if at := tree.Locate(kind, namespace, name, ""); named && granted && at.File != "" {
		return within(tree, kind, namespace, name, p.Key)
	}
	return tree.Locate(v1alpha1.Kind, policy.Namespace, policy.Name, p.Field)
}

// within is the position of an entry of an object; without an entry, or where it is
// not written, that of its labels, which say what the object is for.
func within(tree *manifest.Tree, kind, namespace, name, entry string) authz.Position {
	for _, data := range []string{"stringData", "data"} {
		whole := tree.Locate(kind, namespace, name, data)
		if at := tree.Locate(kind, namespace, name, data+"["+entry+"]"); entry != "" && at != whole {
			return at
		}
	}
	return tree.Locate(kind, namespace, name, "metadata.labels")
}
