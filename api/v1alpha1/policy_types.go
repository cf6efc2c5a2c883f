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
// +kubebuilder:metadata:labels="gateway.networking.k8s.io/policy=Inherited"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Accepted",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Resolved",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="ResolvedRefs")].status`
// +kubebuilder:printcolumn:name="Programmed",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Programmed")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Hosts",type=string,JSONPath=`.spec.routes[0].hostnames`
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.spec.targetRefs[0].name`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
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

// PolicySpec is the wanted behaviour of a policy.
//
// +kubebuilder:validation:ExactlyOneOf=targetRefs;routes
// +kubebuilder:validation:XValidation:rule="!has(self.response) || !has(self.response.upstream) || !has(self.response.upstream.token) || !has(self.response.upstream.token.exchanged) || self.authentication.methods.exists(m, has(m.jwt) || has(m.oauth2Introspection))",message="there is no token to exchange: no method of the policy is jwt or oauth2Introspection, and only their tokens are exchanged"
// +kubebuilder:validation:XValidation:rule="!has(self.precedence) || (has(self.targetRefs) && self.targetRefs.all(t, t.kind == 'Gateway'))",message="precedence is for targetRefs to Gateways only: leave it out, or make two policies"
// +kubebuilder:validation:XValidation:rule="has(self.mcp) || self.authentication.methods.all(m, (!has(m.jwt) || (has(m.jwt.audiences) && size(m.jwt.audiences) > 0) || (has(m.jwt.anyAudience) && m.jwt.anyAudience)) && (!has(m.oauth2Introspection) || (has(m.oauth2Introspection.audiences) && size(m.oauth2Introspection.audiences) > 0) || (has(m.oauth2Introspection.anyAudience) && m.oauth2Introspection.anyAudience)))",message="exactly one of audiences and anyAudience: true is needed: name this API as its tokens do, or accept tokens that are meant for others",fieldPath=".authentication.methods"
// +kubebuilder:validation:XValidation:rule="!has(self.mcp) || self.authentication.methods.all(m, (!has(m.jwt) || (!(has(m.jwt.anyAudience) && m.jwt.anyAudience) && (!has(m.jwt.audiences) || size(m.jwt.audiences) == 0 || self.mcp.resource in m.jwt.audiences))) && (!has(m.oauth2Introspection) || (!(has(m.oauth2Introspection.anyAudience) && m.oauth2Introspection.anyAudience) && (!has(m.oauth2Introspection.audiences) || size(m.oauth2Introspection.audiences) == 0 || self.mcp.resource in m.oauth2Introspection.audiences))))",message="tokens of an MCP server are for its resource (RFC 8707): leave audiences out, or let them contain mcp.resource byte for byte, and leave anyAudience out",fieldPath=".authentication.methods"
// +kubebuilder:validation:XValidation:rule="!has(self.mcp) || self.authentication.methods.all(m, (!has(m.jwt) || !has(m.jwt.from) || m.jwt.from.all(p, !has(p.query))) && (!has(m.oauth2Introspection) || !has(m.oauth2Introspection.from) || m.oauth2Introspection.from.all(p, !has(p.query))) && (!has(m.apiKey) || !has(m.apiKey.from) || m.apiKey.from.all(p, !has(p.query))))",message="an MCP server takes no credential from the query: remove query from the places of from",fieldPath=".authentication.methods"
// +kubebuilder:validation:XValidation:rule="!has(self.authorization) || !has(self.authorization.kubernetes) || self.authentication.methods.all(m, has(m.kubernetesToken)) || (has(self.authorization.kubernetes.usernamePrefix) && has(self.authorization.kubernetes.groupsPrefix))",message="authorization.kubernetes needs usernamePrefix and groupsPrefix beside methods other than kubernetesToken: their names are no names of the cluster"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Shadow' || !has(self.response) || !has(self.response.upstream) || !has(self.response.upstream.token)",message="a policy with mode Shadow gives the upstream no token, since the caller's credentials go through: leave response.upstream.token out until its mode is Enforce"
type PolicySpec struct {
	// Mode is Enforce (the default), or Shadow: the policy decides, and what it
	// decides is recorded (metrics, log, dynamic metadata shadow_decision) and never
	// enforced. Where another policy would decide without it, that one decides. Where
	// none would, the request is let through, whatever this policy would have
	// answered: a policy with mode Shadow opens routes that were 403 (NoPolicy). Headers
	// and metadata of the response are set only where it would have allowed, headers of
	// these names are always removed from requests, and the caller's credentials go
	// through.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// Precedence, for targetRefs to Gateways only, says whether policies of the
	// routes there replace this one. Default (the default): they do. Override:
	// they do not, and say Overridden.
	// +optional
	Precedence Precedence `json:"precedence,omitempty"`

	// TargetRefs are the objects of Gateway API, in this namespace, whose
	// requests the policy decides: HTTPRoutes and GRPCRoutes, or rules of them by
	// name, and Gateways, or listeners of them by name. At least one, at most 16;
	// exactly one of targetRefs and routes is given.
	//
	// Of the policies for a request decides the first of: one with precedence
	// Override on the Gateway; one on the rule; one on the route; a match of some
	// policy's routes in the namespace of the route; one on the listener; one on
	// the Gateway. Of two policies on one target the older decides.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	TargetRefs []TargetReference `json:"targetRefs,omitempty"`

	// Routes are the requests the policy decides, for any proxy. At least one,
	// at most 16; exactly one of targetRefs and routes is given.
	//
	// Of all policies the one with the most specific match decides: an exact
	// host before the longest wildcard before "*"; then an Exact path, a
	// RegularExpression, the longest PathPrefix; then a match with a method, with
	// more headers, with more query parameters. Between regular expressions,
	// and in every tie, the older policy wins, then the one first by
	// namespace/name. Once the most specific host is chosen no wider one is
	// looked at. A match with method GET serves HEAD too (RFC 9110 section 9.3.2),
	// unless an otherwise equal match names HEAD.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	Routes []Route `json:"routes,omitempty"`

	// Paths says which forms of a path are admitted that are refused (400) by
	// default, because servers read them in two ways.
	// +optional
	Paths *Paths `json:"paths,omitempty"`

	// Authentication says who may call.
	// +required
	Authentication Authentication `json:"authentication"`

	// Authorization says what an authenticated caller may do. Without it:
	// everything.
	// +optional
	Authorization *Authorization `json:"authorization,omitempty"`

	// MCP says that the routes are a server of the Model Context Protocol.
	// +optional
	MCP *MCP `json:"mcp,omitempty"`

	// Response says what the upstream and a refused caller receive.
	// +optional
	Response *Response `json:"response,omitempty"`

	// Unread is no field of the API: it has the paths of fields that came with
	// the policy and that this version does not know. Each may be a restriction,
	// so a policy with one is not valid.
	Unread []string `json:"-"`
}

// Paths are the forms of a path that a policy admits.
type Paths struct {
	// Allow lists the forms; at most 3. A request is let through only if its path
	// leads to this policy in both readings. Dot segments, backslashes and
	// controls are refused in every reading. In expressions request.path keeps %2F,
	// and %25 before two hexadecimal digits, encoded.
	// +optional
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	Allow []PathForm `json:"allow,omitempty"`
}

// PathForm is a form of a path that servers read in two ways. EncodedSlash: %2F is
// a part of a segment, or a slash. EmptySegment: // is an empty segment, or one
// slash. EncodedPercent: %25 before two hexadecimal digits is a percent sign, or
// they are decoded once more. A path may need more than one: %2F%2F needs
// EncodedSlash and EmptySegment.
//
// +kubebuilder:validation:Enum=EncodedSlash;EmptySegment;EncodedPercent
type PathForm string

// Values of PathForm.
const (
	PathFormEncodedSlash   PathForm = "EncodedSlash"
	PathFormEmptySegment   PathForm = "EmptySegment"
	PathFormEncodedPercent PathForm = "EncodedPercent"
)

// Mode says whether what a policy decides is enforced.
//
// +kubebuilder:validation:Enum=Enforce;Shadow
type Mode string

// Values of Mode.
const (
	ModeEnforce Mode = "Enforce"
	ModeShadow  Mode = "Shadow"
)

// Precedence says whether policies of routes replace a Gateway's.
//
// +kubebuilder:validation:Enum=Default;Override
type Precedence string

// Values of Precedence.
const (
	PrecedenceDefault  Precedence = "Default"
	PrecedenceOverride Precedence = "Override"
)

// TargetKind is a kind of Gateway API that a policy can target.
//
// +kubebuilder:validation:Enum=HTTPRoute;GRPCRoute;Gateway
type TargetKind string

// Values of TargetKind.
const (
	TargetHTTPRoute TargetKind = "HTTPRoute"
	TargetGRPCRoute TargetKind = "GRPCRoute"
	TargetGateway   TargetKind = "Gateway"
)

// TargetReference names an object of Gateway API in the policy's namespace, or
// a part of one.
type TargetReference struct {
	// Group is gateway.networking.k8s.io.
	// +required
	// +kubebuilder:validation:Enum=gateway.networking.k8s.io
	Group string `json:"group"`

	// Kind is HTTPRoute, GRPCRoute or Gateway.
	// +required
	Kind TargetKind `json:"kind"`

	// Name is the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`

	// SectionName is the name of a rule of a route, or of a listener of a
	// Gateway; default: all of the object.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SectionName string `json:"sectionName,omitempty"`
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
	// ObservedGeneration is the generation of the policy that the conditions are
	// about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions are Ready, Accepted, ResolvedRefs and Programmed. Ready is True
	// if the others are; else it has the reason and the message of the worst one.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Ancestors are, for a policy with targetRefs, the Gateways of its targets,
	// and what is in force there (GEP-713). At most 16; entries of other
	// controllers are left as they are.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Ancestors []gatewayv1.PolicyAncestorStatus `json:"ancestors,omitempty"`
}
