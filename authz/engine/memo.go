package engine

import (
	"iter"
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/pool"
)

// of is what the policy was compiled to that is at a place of the next Input. Where
// nothing came or went before it, it has the place that it had.
func (s *Snapshot) of(at int, source *v1alpha1.AgentAuthPolicy) *compiled {
	n, known := s.find.NumberAt(at)
	if known && !s.policies[n].pending && s.policies[n].origin.source == source {
		return s.policies[n]
	}
	return s.named(nameOf(source))
}

// named is what a policy was compiled to; nil if there is none, or it is pending.
func (s *Snapshot) named(name types.NamespacedName) *compiled {
	if n, known := s.find.Number(name); known && !s.policies[n].pending {
		return s.policies[n]
	}
	return nil
}

// origin is what a policy was compiled from.
type origin struct {
	source   *v1alpha1.AgentAuthPolicy // as it came
	problems *authz.Problems           // nil: there are none
	pooled   map[pool.Key]*pool.Held
	// uses are what else it was made of: each a ref, selected, namedKeys, asked or
	// published, or what an entry of an object was parsed to, so that the next compile
	// finds it parsed.
	uses []any
}

// uses yields those of a kind.
func uses[T any](p *compiled) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, u := range p.origin.uses {
			if u, ok := u.(T); ok && !yield(u) {
				return
			}
		}
	}
}

func (b *building) uses(what any) { b.origin.uses = append(b.origin.uses, what) }

// told says whether a problem of a field is kept.
func (o *origin) told(field string) bool { return o.problems != nil && o.problems.Told(field) }

// ref is a reference and what it resolved to.
type ref struct {
	key  objects.Key
	seen objects.Seen
}

// unchanged says whether source would compile to p again.
func (c *compiler) unchanged(p *compiled, source *v1alpha1.AgentAuthPolicy) bool {
	o := &p.origin
	if o.source != source &&
		(o.source.Generation != source.Generation || !reflect.DeepEqual(&o.source.Spec, &source.Spec)) {
		return false
	}
	for _, u := range o.uses {
		switch u := u.(type) {
		case ref:
			if c.objects.See(p.Name.Namespace, u.key) != u.seen {
				return false
			}
		case selected:
			if !c.objects.Still(u.Selection) {
				return false
			}
		}
	}
	return true
}
