package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of this API.
var GroupVersion = schema.GroupVersion{Group: "agentauth.dev", Version: "v1alpha1"}

// Kind is the kind of an AgentAuthPolicy.
const Kind = "AgentAuthPolicy"

// GatewayGroup is the group of Gateway API, whose objects policies target.
const GatewayGroup = "gateway.networking.k8s.io"

// ControllerName is who wrote an entry of status.ancestors.
const ControllerName = "agentauth.dev/controller"

// LabelUse is the label by which the owner of a Secret or ConfigMap says what
// it may be used for. Without it an object is never read.
const LabelUse = "agentauth.dev/use"

// Values of LabelUse.
const (
	UseBasic  = "basic"
	UseHMAC   = "hmac"
	UseJWKS   = "jwks"
	UseCA     = "ca"
	UseClient = "client"
	UseAPIKey = "api-key"
	// UseProvider is of Secrets that hold a key of an upstream.
	UseProvider = "provider"
	// UseSigning is of Secrets that hold keys that agentauth signs by.
	UseSigning = "signing"
	// UseHostnameGrants is of ConfigMaps of the operator: package hostgrant reads them.
	UseHostnameGrants = "hostname-grants"
	// UseRevocations is of ConfigMaps of revocations: package revoke reads them.
	UseRevocations = "revocations"
)

// Annotations of the Secrets that hold API keys.
const (
	// AnnotationClaimPrefix + name is a claim of every key in the Secret;
	// "sub" is the subject.
	AnnotationClaimPrefix = "claims.agentauth.dev/"
	// AnnotationScopes are scopes, separated by spaces.
	AnnotationScopes = "agentauth.dev/scopes"
	// AnnotationExpiresAt is the end of every key in the Secret (RFC 3339).
	AnnotationExpiresAt = "agentauth.dev/expires-at"
	// AnnotationExpiresAtPrefix + the name of an entry is the end of that key (RFC
	// 3339). The earlier end counts.
	AnnotationExpiresAtPrefix = "expires-at.agentauth.dev/"
	// AnnotationPlainKeys are the entries that hold a key itself and no digest of
	// it, separated by spaces; "*" is all.
	AnnotationPlainKeys = "agentauth.dev/plain-keys"
)

// AddToScheme registers the types of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &AgentAuthPolicy{}, &AgentAuthPolicyList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
