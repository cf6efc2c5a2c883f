package policy

import (
	"crypto/sha256"
	"encoding/hex"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// VersionOf is the version of a policy as it was written: a default that is written out
// makes another digest, as the API server writes them.
func VersionOf(p *v1alpha1.AgentAuthPolicy) *authz.PolicyVersion {
	out := &authz.PolicyVersion{Generation: p.Generation}
	if data, err := json.Marshal(p.Spec); err == nil {
		sum := sha256.Sum256(data)
		out.Digest = "sha256:" + hex.EncodeToString(sum[:6])
	}
	return out
}
