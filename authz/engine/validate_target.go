package engine

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

var sectionName = text{1, 253, objectName.pattern, "the name of a rule or listener: a DNS name in lower case"}

// attachment is where a policy says which requests it is for.
func (f *findings) attachment(at *field.Path, spec *v1alpha1.PolicySpec) {
	f.union(at, member{"targetRefs", spec.TargetRefs != nil}, member{"routes", spec.Routes != nil})
	if spec.Routes != nil {
		f.routes(at.Child("routes"), spec.Routes)
	}
	gateways := spec.TargetRefs != nil
	if spec.TargetRefs != nil {
		f.count(at.Child("targetRefs"), len(spec.TargetRefs), 1, 16)
	}
	for i, ref := range upTo(spec.TargetRefs, 16) {
		at := at.Child("targetRefs").Index(i)
		oneOf(f, at.Child("group"), ref.Group, v1alpha1.GatewayGroup)
		oneOf(f, at.Child("kind"), ref.Kind, v1alpha1.TargetHTTPRoute, v1alpha1.TargetGRPCRoute, v1alpha1.TargetGateway)
		objectName.check(f, at.Child("name"), ref.Name)
		sectionName.optional(f, at.Child("sectionName"), ref.SectionName)
		gateways = gateways && ref.Kind == v1alpha1.TargetGateway
	}
	if spec.Precedence == "" {
		return
	}
	oneOf(f, at.Child("precedence"), spec.Precedence, v1alpha1.PrecedenceDefault, v1alpha1.PrecedenceOverride)
	if !gateways {
		f.invalid(at, "precedence is for targetRefs to Gateways only: leave it out, or make two policies")
	}
}
