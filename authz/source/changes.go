package source

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// maxChanges is how many changed policies of one load are told one by one: all that a
// directory may have.
const maxChanges = 20_000

// changes compares loads: which policies each put in force, changed or took away.
type changes struct {
	known map[types.NamespacedName]*known
	pass  int
	// listed and reported are those of the policies and reports of the last load, in
	// their order. Most are where they were.
	listed, reported []*known
	// sum is of the hashes of all known policies: the order does not matter to it.
	sum uint64
}

// hash tells whether replicas have the same policies in force: 48 bits of it, which a
// float64 holds.
func (c *changes) hash() uint64 { return c.sum & (1<<48 - 1) }

// of is what is known of a policy that was at a place of a list; nil: nothing is.
func (c *changes) of(before []*known, at int, name types.NamespacedName) *known {
	if at < len(before) && before[at] != nil && before[at].name == name {
		return before[at]
	}
	return c.known[name]
}

// known is a policy as the last load had it.
type known struct {
	name       types.NamespacedName
	source     *v1alpha1.AgentAuthPolicy
	generation int64  // before this pass
	digest     string // of the spec
	hash       uint64
	ready      string
	pass       int              // the last one that had it
	kind       authz.ChangeKind // in this pass; "" is none
}

// next returns what a load changed, by name: the first maxChanges, and how many
// there are. An unchanged policy costs a look at where it was.
func (c *changes) next(in engine.Input, reports []engine.Report) (first []authz.PolicyChange, count int) {
	if c.known == nil {
		c.known = make(map[types.NamespacedName]*known, len(in.Policies))
	}
	c.pass++
	var all []*known
	note := func(k *known, kind authz.ChangeKind) {
		if k.kind == "" {
			k.kind, all = kind, append(all, k)
		}
	}
	listed, reported := make([]*known, len(in.Policies)), make([]*known, len(reports))
	for i, p := range in.Policies {
		k := c.of(c.listed, i, nameOf(p))
		switch {
		case k == nil:
			k = &known{name: nameOf(p)}
			c.known[k.name] = k
			c.rehash(k, p)
			note(k, authz.PolicyAdded)
		case k.source != p && (k.source.Generation != p.Generation || !reflect.DeepEqual(&k.source.Spec, &p.Spec)):
			k.generation = k.source.Generation
			c.rehash(k, p)
			note(k, authz.PolicyChanged)
		default:
			k.generation = p.Generation
		}
		k.source, k.pass, listed[i] = p, c.pass, k
	}
	for i := range reports {
		k := c.of(c.reported, i, reports[i].Policy)
		reported[i] = k
		if ready := reports[i].Conditions[0].Reason; k != nil && k.ready != ready {
			k.ready = ready
			note(k, authz.PolicyChanged)
		}
	}
	c.listed, c.reported = listed, reported
	if len(c.known) > len(in.Policies) {
		for name, k := range c.known {
			if k.pass != c.pass {
				k.generation = k.source.Generation
				delete(c.known, name)
				c.sum -= k.hash
				note(k, authz.PolicyRemoved)
			}
		}
	}
	slices.SortFunc(all, func(a, b *known) int {
		return cmp.Or(cmp.Compare(a.name.Namespace, b.name.Namespace), cmp.Compare(a.name.Name, b.name.Name))
	})
	for i, k := range all {
		if i < maxChanges {
			first = append(first, k.change())
		}
		k.kind = ""
	}
	return first, len(all)
}

// rehash has the sum count a policy as it is now.
func (c *changes) rehash(k *known, p *v1alpha1.AgentAuthPolicy) {
	k.digest = policy.VersionOf(p).Digest
	sum := sha256.Sum256([]byte(k.name.String() + " " + k.digest))
	c.sum -= k.hash
	k.hash = binary.BigEndian.Uint64(sum[:])
	c.sum += k.hash
}

func (k *known) change() authz.PolicyChange {
	out := authz.PolicyChange{Policy: k.name.String(), Kind: k.kind, From: k.generation}
	if k.kind != authz.PolicyRemoved {
		out.To, out.Digest, out.Ready = k.source.Generation, k.digest, k.ready
	}
	return out
}
