package v1alpha1

// Conditions of a policy.
const (
	// ConditionReady: Accepted, ResolvedRefs and Programmed are all True. If one is
	// not, Ready has the reason and the message of the worst one.
	ConditionReady = "Ready"
	// ConditionAccepted: the policy is valid and claims its routes.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs: every Secret and ConfigMap it names was found and
	// is usable.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed: this generation is compiled and some request is decided
	// by it. It does not say that a proxy asks.
	ConditionProgrammed = "Programmed"
)

// ReasonReady is that of Ready where it is True. Where it is False its reason is
// that of the worst condition.
const ReasonReady = "Ready"

// Reasons of Accepted.
const (
	// ReasonAccepted: valid, and every match of it is in force.
	ReasonAccepted = "Accepted"
	// ReasonInvalid (False): a field or an expression is wrong; its routes
	// answer 503.
	ReasonInvalid = "Invalid"
	// ReasonConflicted (False): no match of it is in force, because older
	// policies or another namespace claim them; targets likewise.
	ReasonConflicted = "Conflicted"
	// ReasonNotPermitted (False): the operator lets its namespace use none of
	// its hostnames.
	ReasonNotPermitted = "NotPermitted"
	// ReasonTargetNotFound (False): none of its targetRefs names what exists.
	ReasonTargetNotFound = "TargetNotFound"
	// ReasonOverridden (False): a policy with precedence Override, or one of the
	// route itself, decides wherever it would.
	ReasonOverridden = "Overridden"
	// ReasonPartiallyConflicted (True): some matches or targets of it are not in force.
	ReasonPartiallyConflicted = "PartiallyConflicted"
)

// Reasons of ResolvedRefs.
const (
	// ReasonResolvedRefs: all references resolve.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonRefNotFound: an object is missing or not labelled agentauth.dev/use.
	ReasonRefNotFound = "RefNotFound"
	// ReasonRefNotPermitted: an object is labelled for another use, or no
	// ReferenceGrant of its namespace lets the policy's refer to it; or a method
	// reads what only a flag of the operator lets it believe.
	ReasonRefNotPermitted = "RefNotPermitted"
	// ReasonRefInvalid: an object lacks the key or its value breaks a rule.
	ReasonRefInvalid = "RefInvalid"
)

// Reasons of Programmed. Of a policy that is Accepted it is False also with
// Conflicted (other routes serve all requests for its targets), Overridden (each
// route or rule of its targets has a policy of its own) and TargetNotFound (no
// route is on its Gateways).
const (
	// ReasonProgrammed: this generation decides some request.
	ReasonProgrammed = "Programmed"
	// ReasonNotAccepted (False): see Accepted.
	ReasonNotAccepted = "NotAccepted"
)
