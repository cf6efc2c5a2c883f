package engine

import (
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/pool"
)

// memo has what the next compile may take over: the results of a compile, by
// fingerprints of what they were made of. No content of a Secret outlives its
// compile.
type memo struct {
	// policies are those of the Input in its order, nil where one is pending. places
	// are their places by name.
	policies []*compiled
	places   map[types.NamespacedName]int
	objects  *objects.View
}

// of is what the policy was compiled to that is at a place of the next Input. Where
// nothing came or went before it, it has the place that it had.
func (m *memo) of(at int, source *v1alpha1.AgentAuthPolicy) *compiled {
	if at < len(m.policies) {
		if p := m.policies[at]; p != nil && p.origin.source == source {
			return p
		}
	}
	return m.named(nameOf(source))
}

// named is what a policy was compiled to; nil if there is none, or it is pending.
func (m *memo) named(name types.NamespacedName) *compiled {
	if at, known := m.places[name]; known {
		return m.policies[at]
	}
	return nil
}

// put makes the memo of all policies of a pass. It shares with the one before it what
// stays.
func (m *memo) put(prev *memo, all []*compiled) {
	m.policies, m.places = make([]*compiled, len(all)), prev.places
	same := len(all) == len(prev.policies) && prev.places != nil
	for i, p := range all {
		if !p.pending {
			m.policies[i] = p
		}
		same = same && (prev.policies[i] == p || prev.policies[i] != nil && prev.policies[i].Name == p.Name)
	}
	if same {
		return
	}
	m.places = make(map[types.NamespacedName]int, len(all))
	for i, p := range all {
		m.places[p.Name] = i
	}
}

// origin is what a policy was compiled from.
type origin struct {
	source     *v1alpha1.AgentAuthPolicy // as it came
	generation int64
	refs       []ref
	selected   []selected
	parsed     []any // what is used of objects, so that the next compile finds it parsed
	problems   authz.Problems
	pooled     map[pool.Key]*pool.Held
	keys       []namedKeys
	asked      []asked
	published  []published
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
