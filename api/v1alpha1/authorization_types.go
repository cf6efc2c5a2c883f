package v1alpha1

// Authorization is what an authenticated caller may do.
// +kubebuilder:validation:XValidation:rule="!has(self.otherwise) || self.otherwise != 'Deny' || (has(self.rules) && size(self.rules) > 0)",message="otherwise: Deny is for requests for which no rule applies, and there are no rules: add a rule, or leave otherwise out"
type Authorization struct {
	// Rules must all agree. At most 32.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Rules []Rule `json:"rules,omitempty"`

	// Otherwise says what becomes of a request for which no rule applies: every
	// rule has a `when`, and none holds. Deny is 403. A rule without `when`
	// always applies. Default: Allow. Deny needs rules.
	// +optional
	// +kubebuilder:default=Allow
	// +kubebuilder:validation:Enum=Allow;Deny
	Otherwise Otherwise `json:"otherwise,omitempty"`

	// Kubernetes asks the cluster too (SubjectAccessReview), after the rules.
	// +optional
	Kubernetes *KubernetesAccess `json:"kubernetes,omitempty"`
}

// Otherwise is what becomes of a request for which no rule applies.
type Otherwise string

// What becomes of a request for which no rule applies.
const (
	OtherwiseAllow Otherwise = "Allow"
	OtherwiseDeny  Otherwise = "Deny"
)

// Rule is a requirement. `request`, `identity`, `identities`, `context` and
// `metadata` can be read. An expression that fails denies.
type Rule struct {
	// Name is what a refused caller and the logs are told. A DNS label, unique
	// in the policy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// When narrows the rule to requests for which it is true. Default: all. A
	// path that must be guarded has a policy of its own.
	// +optional
	When Expression `json:"when,omitempty"`

	// Require must be true.
	// +required
	Require Expression `json:"require"`
}
