package engine

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// grants are what ReferenceGrants let policies refer to. Of what they say to
// other kinds nothing is kept.
type grants map[grant]bool

// grant is that policies of a namespace may refer to an object, or to all
// objects of a kind in a namespace where it has no name.
type grant struct {
	from string
	to   objectKey
}

// newGrants enters every pair of from and to: all of a grant's are (Gateway
// API, "entries MUST be combined using OR").
func newGrants(list []*gatewayv1.ReferenceGrant) grants {
	g := grants{}
	for _, rg := range list {
		for _, from := range rg.Spec.From {
			if from.Group == gatewayv1.Group(v1alpha1.GroupVersion.Group) && from.Kind == v1alpha1.Kind {
				g.enter(string(from.Namespace), rg)
			}
		}
	}
	return g
}

func (g grants) enter(from string, rg *gatewayv1.ReferenceGrant) {
	for _, to := range rg.Spec.To {
		key := objectKey{kind: string(to.Kind), namespace: rg.Namespace}
		if to.Name != nil {
			if key.name = string(*to.Name); key.name == "" {
				continue // without a name it is all of them; an empty one is no object's
			}
		}
		if to.Group == "" {
			g[grant{from, key}] = true
		}
	}
}

// permit says whether policies of a namespace may refer to an object. Whether
// it exists plays no part.
func (g grants) permit(from string, key objectKey) bool {
	return from == key.namespace || g[grant{from, key}] || g[grant{from, objectKey{key.kind, key.namespace, ""}}]
}

// sight is what policies of a namespace see of an object: nothing unless they
// may refer to it. Equal sights resolve to equal contents.
type sight struct {
	permitted bool
	print     fingerprint
}

func (o *objects) sightOf(from string, key objectKey) sight {
	if !o.grants.permit(from, key) {
		return sight{}
	}
	return sight{true, o.prints[key]}
}
