package validate

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// proof is what must hold of the proofs that a method requires, and of where its
// tokens come from.
func (f *findings) proof(at *field.Path, p *v1alpha1.ProofOfPossession, from []v1alpha1.Place) {
	if p == nil {
		return
	}
	require := at.Child("proofOfPossession", "require")
	if len(p.Require) == 0 {
		f.add(field.ErrorTypeRequired, require, "expected DPoP, ClientCertificate or both, got nothing")
	}
	set(f, require, p.Require, 2, text{max: 32})
	for i, one := range p.Require {
		oneOf(f, require.Index(i), one, v1alpha1.ProofByDPoP, v1alpha1.ProofByCertificate)
	}
	if len(from) > 0 && len(p.Require) == 1 && p.Require[0] == v1alpha1.ProofByDPoP && !slices.ContainsFunc(from, dpopPlace) {
		f.invalid(at, "tokens with a proof of DPoP come under the scheme DPoP of a header (RFC 9449 7.1), so no token of these places could be accepted: add {header: {name: authorization, scheme: DPoP}} to from")
	}
}

// dpopPlace says whether a token can come under the scheme DPoP: a header that has
// tokens under Bearer has them under DPoP too.
func dpopPlace(p v1alpha1.Place) bool {
	return p.Header != nil && (strings.EqualFold(p.Header.Scheme, "DPoP") || strings.EqualFold(p.Header.Scheme, "Bearer") && !strings.EqualFold(p.Header.Name, "sec-websocket-protocol"))
}
