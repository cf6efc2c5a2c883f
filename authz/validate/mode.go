package validate

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func (f *findings) mode(at *field.Path, spec *v1alpha1.PolicySpec) {
	if spec.Mode == "" {
		return
	}
	oneOf(f, at.Child("mode"), spec.Mode, v1alpha1.ModeEnforce, v1alpha1.ModeShadow)
	if r := spec.Response; spec.Mode == v1alpha1.ModeShadow && r != nil && r.Upstream != nil && r.Upstream.Token != nil {
		f.invalid(at, "a policy with mode Shadow gives the upstream no token, since the caller's credentials go through: leave response.upstream.token out until its mode is Enforce")
	}
}
