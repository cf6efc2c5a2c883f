package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// AgentAuthPolicy says for a set of routes who may call, what they may do and
// what the upstream learns of them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=aap,categories=agentauth
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Programmed",type=string,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Programmed")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AgentAuthPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is what the owner of the routes wants.
	// +required
	Spec PolicySpec `json:"spec"`
	// Status is what is in force.
	// +optional
	Status PolicyStatus `json:"status,omitempty"`
}

// AgentAuthPolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type AgentAuthPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AgentAuthPolicy `json:"items"`
}

// Mode says what a decision does.
//
// +kubebuilder:validation:Enum=Enforce
type Mode string

// ModeEnforce: what the policy denies does not reach the upstream.
const ModeEnforce Mode = "Enforce"

// PolicySpec is the wanted behaviour of a policy.
type PolicySpec struct {
	// Mode says what a decision does. Enforce, the default: what the policy
	// denies does not reach the upstream.
	// +optional
	// +kubebuilder:default=Enforce
	Mode Mode `json:"mode,omitempty"`

	// Routes are the requests the policy decides, for any proxy. At least one,
	// at most 16.
	//
	// Of all policies the one with the most specific match decides: an exact
	// host before the longest wildcard before "*"; then an Exact path, the
	// longest PathPrefix, a RegularExpression; then a match with a method, with
	// more headers, with more query parameters. Between regular expressions,
	// and in every tie, the older policy wins, then the one first by
	// namespace/name. Once the most specific host is chosen no wider one is
	// looked at.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Routes []Route `json:"routes"`

	// Authentication says who may call.
	// +required
	Authentication Authentication `json:"authentication"`

	// Authorization says what an authenticated caller may do. Without it:
	// everything.
	// +optional
	Authorization *Authorization `json:"authorization,omitempty"`

	// Response says what the upstream and a refused caller receive.
	// +optional
	Response *Response `json:"response,omitempty"`
}

// Hostname is "*", a DNS name, or a wildcard "*." and a DNS name, which
// matches one or more labels but not the name itself. Lower case, no port.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^(\*|(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$`
type Hostname string

// Route is a set of requests.
type Route struct {
	// Hostnames are the hosts of the requests: exact, "*." and a suffix, or
	// "*" for every host. At least one, at most 16. The host of a request is
	// compared in lower case and without its port.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	Hostnames []Hostname `json:"hostnames"`

	// Matches narrow the requests; a request that any of them matches belongs
	// to the route. At most 64; default: one match of PathPrefix "/". The path
	// is matched as it was sent, undecoded and without the query; a regular
	// expression (RE2) must match all of it.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:default={{path: {type: "PathPrefix", value: "/"}}}
	// +listType=atomic
	Matches []gatewayv1.HTTPRouteMatch `json:"matches,omitempty"`
}

// PolicyStatus is what is in force of a policy.
type PolicyStatus struct {
	// Conditions are Accepted, ResolvedRefs and Programmed.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
