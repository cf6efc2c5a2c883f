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
	// listed and reported are those of the policies and reports of the last load, in
	// their order. Most are where they were.
	listed, reported []*known
	// sum is of the hashes of all known policies: the order does not matter to it.
	sum uint64
}

// hash tells whether replicas have the same policies in force: 48 bits of it, which a
// float64 holds.
func (c *changes) hash() uint64 { return c.sum & (1<<48 - 1) }

// known is a policy as the last load had it.
type known struct {
	source     *v1alpha1.AgentAuthPolicy
	generation int64 // before this pass
	hash       uint64
	ready      string
}

func (k *known) name() types.NamespacedName { return nameOf(k.source) }

// pass is the comparison of a load with the one before.
type pass struct {
	*changes
	named map[types.NamespacedName]*known
	kinds map[*known]authz.ChangeKind
	all   []*known // that changed
	// digests are those of the specs that changed.
	digests map[*known]string
}

// of is what is known of a policy that was at a place of a list; nil: nothing is. Where
// policies are not where they were, all are indexed.
func (p *pass) of(before []*known, at int, name types.NamespacedName) *known {
	if at < len(before) && before[at] != nil && before[at].name() == name {
		return before[at]
	}
	if p.named == nil {
		p.named = make(map[types.NamespacedName]*known, len(p.listed))
		for _, k := range p.listed {
			p.named[k.name()] = k
		}
	}
	return p.named[name]
}

func (p *pass) note(k *known, kind authz.ChangeKind) {
	if p.kinds[k] == "" {
		p.kinds[k], p.all = kind, append(p.all, k)
	}
}

// next returns what a load changed, by name: the first maxChanges, and how many
// there are. An unchanged policy costs a look at where it was.
func (c *changes) next(in engine.Input, reports []engine.Report) (first []authz.PolicyChange, count int) {
	pass := &pass{changes: c, kinds: map[*known]authz.ChangeKind{}, digests: map[*known]string{}}
	listed, reported := make([]*known, len(in.Policies)), make([]*known, len(reports))
	moved := len(in.Policies) != len(c.listed)
	for i, p := range in.Policies {
		k := pass.of(c.listed, i, nameOf(p))
		moved = moved || k != c.listed[i]
		switch {
		case k == nil:
			k = &known{source: p}
			pass.named[nameOf(p)] = k
			pass.rehash(k, p)
			pass.note(k, authz.PolicyAdded)
		case k.source != p && (k.source.Generation != p.Generation || !reflect.DeepEqual(&k.source.Spec, &p.Spec)):
			k.generation = k.source.Generation
			pass.rehash(k, p)
			pass.note(k, authz.PolicyChanged)
		default:
			k.generation = p.Generation
		}
		k.source, listed[i] = p, k
	}
	for i := range reports {
		k := pass.of(c.reported, i, reports[i].Policy)
		reported[i] = k
		if ready := reports[i].Conditions[0].Reason; k != nil && k.ready != ready {
			k.ready = ready
			pass.note(k, authz.PolicyChanged)
		}
	}
	if moved {
		pass.gone(listed)
	}
	c.listed, c.reported = listed, reported
	slices.SortFunc(pass.all, func(a, b *known) int {
		x, y := a.name(), b.name()
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	for _, k := range pass.all[:min(len(pass.all), maxChanges)] {
		first = append(first, pass.change(k))
	}
	return first, len(pass.all)
}

// gone notes the policies that a load no longer has.
func (p *pass) gone(listed []*known) {
	here := make(map[*known]bool, len(listed))
	for _, k := range listed {
		here[k] = true
	}
	for _, k := range p.listed {
		if !here[k] {
			k.generation = k.source.Generation
			p.sum -= k.hash
			p.note(k, authz.PolicyRemoved)
		}
	}
}

// rehash has the sum count a policy as it is now.
func (p *pass) rehash(k *known, source *v1alpha1.AgentAuthPolicy) {
	p.digests[k] = policy.VersionOf(source).Digest
	sum := sha256.Sum256([]byte(nameOf(source).String() + " " + p.digests[k]))
	p.sum -= k.hash
	k.hash = binary.BigEndian.Uint64(sum[:])
	p.sum += k.hash
}

func (p *pass) change(k *known) authz.PolicyChange {
	out := authz.PolicyChange{Policy: k.name().String(), Kind: p.kinds[k], From: k.generation}
	if out.Kind != authz.PolicyRemoved {
		out.To, out.Digest, out.Ready = k.source.Generation, p.digests[k], k.ready
		if out.Digest == "" { // what changed is whether it is ready
			out.Digest = policy.VersionOf(k.source).Digest
		}
	}
	return out
}
