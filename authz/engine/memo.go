package engine

import (
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// memo is what the next compile may take over: everything that was read, and
// what was made of it. Equal objects are replaced by the ones already known,
// so that "unchanged" is a comparison of pointers from there on.
type memo struct {
	objects  map[objectKey]*Object
	policies map[types.NamespacedName]*policy
	tables   map[string]*keyTable
	secrets  map[*Object]*keySecret
}

func (m *memo) init(o *objects) {
	m.objects = o.byKey
	m.policies = map[types.NamespacedName]*policy{}
	m.tables = map[string]*keyTable{}
	m.secrets = map[*Object]*keySecret{}
}

// origin is what a policy was compiled from.
type origin struct {
	name       types.NamespacedName
	source     *v1alpha1.AgentAuthPolicy // as it came
	spec       *v1alpha1.PolicySpec      // with its defaults
	generation int64
	fields     []string // where each entry of the policy was written
	refs       []ref
	selected   []*keyTable
	problems   []Problem
	pooled     map[poolKey]*pooled
}

// ref is a reference and what it resolved to; nil is nothing.
type ref struct {
	key    objectKey
	object *Object
}

// unchanged says whether compiling source again would give p.
func (c *compiler) unchanged(p *policy, source *v1alpha1.AgentAuthPolicy) bool {
	o := &p.origin
	if o.source != source &&
		(o.generation != source.Generation || !reflect.DeepEqual(&o.source.Spec, &source.Spec)) {
		return false
	}
	for _, r := range o.refs {
		if c.objects.byKey[r.key] != r.object {
			return false
		}
	}
	for _, t := range o.selected {
		if c.table(t.namespace, t.labels) != t {
			return false
		}
	}
	return true
}
