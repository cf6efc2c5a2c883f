package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	revocation "github.com/agentauth-dev/agentauth/authz/revoke"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// revocations are those of a Keeper: read is what a source said last, and whole what it
// said when a load of it was in force last.
// A source may hand them over apart from loads, by another goroutine.
type revocations struct {
	mu          sync.Mutex
	apart       bool
	read, whole *revocation.List
	problems    []authz.Problem
}

// take puts revocations in force before anything is compiled, beside those that are: one
// that is gone gives a right back, and waits for the load that it is a part of.
func (r *revocations) take(e *engine.Engine, list []revocation.ConfigMap) []authz.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read, r.problems = revocation.Read(list, r.read, time.Now())
	e.Revoke(r.read.With(r.whole))
	return slices.Clone(r.problems)
}

func (r *revocations) list() *revocation.List {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}

// told are the problems of what is taken, or of what was taken apart.
func (r *revocations) told(e *engine.Engine, list []revocation.ConfigMap) []authz.Problem {
	r.mu.Lock()
	apart, problems := r.apart, slices.Clone(r.problems)
	r.mu.Unlock()
	if apart { // list may be an older one
		return problems
	}
	return r.take(e, list)
}

// loaded takes what is gone out of force.
func (r *revocations) loaded(e *engine.Engine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole = r.read
	e.Revoke(r.read)
}

// ofFiles are the revocations of files. Where some cannot be read, what was read of them
// before holds on.
func (r *revocations) ofFiles(tree *manifest.Tree, remains *manifest.Remains) []revocation.ConfigMap {
	switch {
	case tree != nil && len(tree.Count()) > 0:
		return tree.Input.Revocations
	case remains != nil:
		return r.read.Keeping(remains.Revocations())
	}
	return r.read.Keeping(nil) // a volume that is not mounted
}

// warned are problems in a cluster, where an entry that cannot be read stops no others.
func warned(problems []authz.Problem) []authz.Problem {
	for i := range problems {
		problems[i].Severity = authz.Warning
	}
	return problems
}

// revocationProblems places problems in a tree, and adds what a directory shows of its
// revocations: those that hold for no policy of it.
func revocationProblems(tree *manifest.Tree, problems []authz.Problem, list *revocation.List) []authz.Problem {
	if tree == nil {
		return problems
	}
	for _, e := range list.Entries() {
		if message := holdsForNone(tree.Input.Policies, e); message != "" {
			problems = append(problems, authz.Problem{Severity: authz.Warning, Lint: authz.RevokesNothing, Object: "ConfigMap " + e.ConfigMap, Field: "data[" + e.Name + "]", Message: message})
		}
	}
	for i := range problems {
		p := &problems[i]
		namespace, name, _ := strings.Cut(strings.TrimPrefix(p.Object, "ConfigMap "), "/")
		entry, _, _ := strings.Cut(strings.TrimPrefix(p.Field, "data["), "]")
		p.Position = within(tree, "ConfigMap", namespace, name, entry)
	}
	return problems
}

// RevokesNothing says why an entry refuses nobody by the files of a tree; "" if it may. A
// key that is gone needs no revocation, so for entries that are kept it is no problem.
func RevokesNothing(tree *manifest.Tree, e *revocation.Entry) string {
	if message := holdsForNone(tree.Input.Policies, e); message != "" {
		return message
	}
	wanted, entry := e.Secret()
	if wanted == "" {
		return ""
	}
	var others []string
	for _, o := range tree.Input.Secrets {
		if o.Use() != v1alpha1.UseAPIKey {
			continue
		}
		name := o.Namespace + "/" + o.Name
		if others = append(others, name); name != wanted {
			continue
		}
		if _, has := o.Data[entry]; has || entry == "" {
			return ""
		}
		return fmt.Sprintf("Secret %s has no entry %q; its entries are: %s", wanted, entry, authz.Cut(strings.Join(slices.Sorted(maps.Keys(o.Data)), ", "), 512))
	}
	if len(others) == 0 {
		return "no Secret is labelled " + v1alpha1.LabelUse + ": " + v1alpha1.UseAPIKey
	}
	slices.Sort(others)
	return fmt.Sprintf("no Secret %s is labelled %s: %s; those that are: %s", wanted, v1alpha1.LabelUse, v1alpha1.UseAPIKey, authz.Cut(strings.Join(others, ", "), 512))
}

// holdsForNone says why an entry holds for no credential of the policies; "" if it may.
func holdsForNone(policies []*v1alpha1.AgentAuthPolicy, e *revocation.Entry) string {
	var issuers []string
	unknown := len(policies) == 0 // they are elsewhere
	inNamespace := false
	for _, p := range policies {
		if e.Namespace != "" && p.Namespace != e.Namespace {
			continue
		}
		inNamespace = true
		of, known := validate.Issuers(p.Spec.Authentication.Methods)
		issuers, unknown = append(issuers, of...), unknown || !known
	}
	switch {
	case !inNamespace && !unknown:
		return "no policy is in namespace " + e.Namespace + ", for whose policies it holds; leave metadata.namespace out to revoke for the policies of all namespaces"
	case e.Issuer() == "" || slices.Contains(issuers, e.Issuer()):
		return ""
	}
	slices.Sort(issuers)
	issuers = slices.Compact(issuers)
	for _, issuer := range issuers {
		if strings.TrimSuffix(issuer, "/") == strings.TrimSuffix(e.Issuer(), "/") {
			return fmt.Sprintf("no policy names issuer %q, and one takes tokens of %q (a final slash differs): issuers are compared byte for byte", e.Issuer(), issuer)
		}
	}
	if unknown {
		return ""
	}
	if len(issuers) == 0 {
		return fmt.Sprintf("no policy takes tokens of any issuer, so what names issuer %q revokes nothing", e.Issuer())
	}
	return fmt.Sprintf("no policy takes tokens of issuer %q, so the entry revokes nothing; the issuers are: %s", e.Issuer(), authz.Cut(strings.Join(issuers, ", "), 512))
}
