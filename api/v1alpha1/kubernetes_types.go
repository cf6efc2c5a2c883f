package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// KubernetesToken takes a token of a ServiceAccount of the cluster that agentauth
// runs in, made for this API (TokenRequest, or a projected volume with an
// audience), and asks the API server whether it holds (TokenReview). So a token
// ends with its ServiceAccount, and with the pod that it is bound to. A JWT of
// another issuer belongs to another method. An API server that cannot be asked is
// 503. It needs the chart's kubernetesReviews.
type KubernetesToken struct {
	// Audiences are the names of this API, at least one, at most 16: a token must
	// have one of them. Not those of the API server: such a token may act as the
	// workload there.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	// +listType=set
	Audiences []string `json:"audiences"`

	// CacheTTL is how long an answer is used without asking again, never beyond
	// `exp`: so long a token lives after its ServiceAccount or pod at most. That a
	// token does not hold is remembered for as long, at most 5s. Default: 30s; at
	// least 0s (every request asks), at most 5m.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('5m')",message="cacheTTL must be at most 5m"
	CacheTTL *gatewayv1.Duration `json:"cacheTTL,omitempty"`

	// From are the places where the token is looked for. Default: the header
	// authorization with scheme Bearer. At most 8.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.filter(b, (has(a.cookie) && has(b.cookie) && a.cookie.name == b.cookie.name) || (has(a.query) && has(b.query) && a.query.name == b.query.name) || (has(a.header) && has(b.header) && a.header.name.lowerAscii() == b.header.name.lowerAscii() && (!has(a.header.scheme) || !has(b.header.scheme) || a.header.scheme.lowerAscii() == b.header.scheme.lowerAscii()))).size() <= 1)",message="two places would read the same credential, and then every request that has one is refused: name each cookie and query parameter once, and a header twice only with two schemes"
	// +listType=atomic
	From []Place `json:"from,omitempty"`
}

// KubernetesAccess asks the API server whether `identity` may do something with a
// resource in the policy's namespace (SubjectAccessReview), so that Roles and
// RoleBindings decide. The answer must be yes, beside every rule; no is 403, and an
// API server that cannot be asked is 503. That the cluster allows is remembered for
// 5 seconds, that it does not for one.
//
// An identity of kubernetesToken is asked about as it is. Any other has the
// username usernamePrefix + `identity.subject` and the groups groupsPrefix + each of
// `identity.groups`, which need not exist for the cluster but in bindings; one
// without subject is refused.
type KubernetesAccess struct {
	// Resource is what is asked about.
	// +required
	Resource KubernetesResource `json:"resource"`

	// UsernamePrefix stands before the subject of an identity that is not of
	// kubernetesToken; needed if the policy has such methods. It can never make a
	// name of the cluster's own (system:…). At most 64 characters of visible ASCII.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[!-~]+$`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:') && !'system:'.startsWith(self)",message="a prefix must not begin a name of the cluster's own: write another one than system:, or a part of it"
	UsernamePrefix string `json:"usernamePrefix,omitempty"`

	// GroupsPrefix stands before each group of such an identity; the rules are
	// those of usernamePrefix.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[!-~]+$`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:') && !'system:'.startsWith(self)",message="a prefix must not begin a name of the cluster's own: write another one than system:, or a part of it"
	GroupsPrefix string `json:"groupsPrefix,omitempty"`
}

// KubernetesResource is a resource as rules of Roles name it. It need not exist: a
// Role may give a right to `orders` of group `shop.example.com` that nobody serves.
// It is always one of the policy's namespace.
//
// +kubebuilder:validation:XValidation:rule="!has(self.name) || !has(self.nameFrom)",message="name and nameFrom exclude each other"
type KubernetesResource struct {
	// Verb is the verb. Default: that of the request's method, as the API server
	// has it: get for GET and HEAD, create for POST, update for PUT, patch for PATCH,
	// delete for DELETE; a request with another method is refused (403).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z][-a-z0-9]*$`
	Verb string `json:"verb,omitempty"`

	// Group is the API group. Default: "", the core group.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Group string `json:"group,omitempty"`

	// Resource is the resource in the plural, as in orders.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Resource string `json:"resource"`

	// Subresource is the part of the resource, as in status. Default: none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Subresource string `json:"subresource,omitempty"`

	// Name is the object's name. Default: none, which asks for the right to all
	// objects.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._:~0-9A-Za-z]+$`
	Name string `json:"name,omitempty"`

	// NameFrom is an expression of the name, a string, as in
	// request.path.split("/")[2]. A request for which it fails, or yields "" or more
	// than 253 bytes, is refused (403).
	// +optional
	NameFrom Expression `json:"nameFrom,omitempty"`
}
