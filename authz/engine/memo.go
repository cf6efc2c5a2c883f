package engine

import (
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// memo has what the next compile may take over: the results of a compile, by
// fingerprints of what they were made of. No content of a Secret outlives its
// compile.
type memo struct {
	policies map[types.NamespacedName]*compiled
	objects  *objects.View
}

// origin is what a policy was compiled from.
type origin struct {
	source     *v1alpha1.AgentAuthPolicy // as it came
	generation int64
	refs       []ref
	selected   []selected
	parsed     []any // what is used of objects, so that the next compile finds it parsed
	problems   authz.Problems
	pooled     map[poolKey]*pooled
	keys       []namedKeys
}

// ref is a reference and what it resolved to.
type ref struct {
	key  objects.Key
	seen objects.Seen
}

// unchanged says whether source would compile to p again.
func (c *compiler) unchanged(p *compiled, source *v1alpha1.AgentAuthPolicy) bool {
	o := &p.origin
	if o.source != source &&
		(o.generation != source.Generation || !reflect.DeepEqual(&o.source.Spec, &source.Spec)) {
		return false
	}
	for _, r := range o.refs {
		if c.objects.See(p.Name.Namespace, r.key) != r.seen {
			return false
		}
	}
	for _, s := range o.selected {
		if !c.objects.Still(s.Selection) {
			return false
		}
	}
	return true
}
