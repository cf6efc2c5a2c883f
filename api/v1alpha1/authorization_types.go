package v1alpha1

// Authorization is what an authenticated caller may do.
type Authorization struct {
	// Rules must all agree. At most 32.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Rules []Rule `json:"rules,omitempty"`
}

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
