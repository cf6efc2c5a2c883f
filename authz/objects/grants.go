package objects

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// referenceGrants are the rights that ReferenceGrants give to policies. Rights of
// other kinds are not kept.
type referenceGrants map[referenceGrant]bool

// referenceGrant is the right of policies of a namespace to refer to an object; to
// all objects of a kind in a namespace if the object has no name.
type referenceGrant struct {
	from string
	to   Key
}

// newReferenceGrants enters every pair of from and to of each ReferenceGrant
// (Gateway API: "entries MUST be combined using OR").
func newReferenceGrants(list []*gatewayv1.ReferenceGrant) referenceGrants {
	g := referenceGrants{}
	for _, rg := range list {
		for _, from := range rg.Spec.From {
			if from.Group == gatewayv1.Group(v1alpha1.GroupVersion.Group) && from.Kind == v1alpha1.Kind {
				g.enter(string(from.Namespace), rg)
			}
		}
	}
	return g
}

func (g referenceGrants) enter(from string, rg *gatewayv1.ReferenceGrant) {
	for _, to := range rg.Spec.To {
		key := Key{Kind: string(to.Kind), Namespace: rg.Namespace}
		if to.Name != nil {
			if key.Name = string(*to.Name); key.Name == "" {
				continue // without a name it is all of them; an empty one is no object's
			}
		}
		if to.Group == "" {
			g[referenceGrant{from, key}] = true
		}
	}
}

// permit says whether policies of a namespace may refer to an object, be it there
// or not.
func (g referenceGrants) permit(from string, key Key) bool {
	return from == key.Namespace || g[referenceGrant{from, key}] || g[referenceGrant{from, Key{key.Kind, key.Namespace, ""}}]
}

// Seen is an object as policies of a namespace see it: its content is not visible
// unless they may refer to it. Equal values have equal contents.
type Seen struct {
	Permitted bool
	print     Fingerprint
}

// See returns an object, be it there or not, as policies of a namespace see it.
func (v *View) See(from string, key Key) Seen {
	if !v.grants.permit(from, key) {
		return Seen{}
	}
	if s := v.find(key); s != nil {
		return Seen{true, s.print()}
	}
	return Seen{Permitted: true}
}
