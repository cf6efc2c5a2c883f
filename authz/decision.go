package authz

import (
	"time"
)

// Outcome is the kind of a decision. The zero value refuses.
type Outcome uint8

const (
	// Deny: the caller may not (400, 401 or 403).
	Deny Outcome = iota
	// Allow: the request goes to the upstream.
	Allow
	// Error: it cannot be decided (503); never an allowance.
	Error
	// Respond: agentauth itself answers the request.
	Respond
)

// String is the word the command line and the logs use.
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "allow"
	case Error:
		return "error"
	case Respond:
		return "respond"
	default:
		return "deny"
	}
}

// Header is one field of a request or an answer.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Decision is the answer to one request. The zero value denies.
type Decision struct {
	Outcome Outcome
	Reason  Reason
	// Policy is "namespace/name"; "" if none was found. Version is the version of it
	// that decided; nil if none did.
	Policy  string
	Version *PolicyVersion
	// Method is the authentication method that decided, Rule the
	// authorization rule that denied; "" if none did.
	Method, Rule string
	// Detail tells the operator more than Reason. It never holds a
	// credential and is never sent to the caller.
	Detail string
	// Identity is set once a method succeeded, whatever was decided then.
	Identity *Identity
	// Refused is the identity of a credential that was verified and refused all the
	// same: it has ended, is for another audience, was revoked, or does not suffice by
	// itself. It has neither scopes nor groups. Claimed is what a credential said of its
	// holder that nobody verified. One of them is nil; both where there is none. Where
	// Identity is set, Refused is one that was revoked and came beside it.
	Refused *Identity
	Claimed *Claim
	// Shadow is what a policy in mode Shadow would have decided in place of this; nil
	// if none would have. It has no Shadow itself.
	Shadow *Decision

	// Set, Remove and RemoveQuery change the request that goes upstream. A
	// name is never in both Set and Remove: Envoy removes after it sets. Remove, and
	// Headers below, may be shared by many decisions: nobody changes them in place.
	Set         []Header
	Remove      []string
	RemoveQuery []string
	// Token is the name in Set whose value is a token for the upstream; "" if there is
	// none.
	Token string
	// Metadata is handed to the proxy (rate limits, access logs), whatever was
	// decided: values of JSON, each nil, bool, float64, string, []any or
	// map[string]any.
	Metadata map[string]any

	// Status, Headers and Body answer the caller unless Outcome is Allow.
	// Status is an HTTP status of 400 to 599, for Respond 200 to 599.
	Status  int
	Headers []Header
	Body    string
	// Problem says that Body is a problem document of agentauth's own (RFC 9457), which
	// may get further members.
	Problem bool
}

// PolicyVersion is a version of a policy.
type PolicyVersion struct {
	// Generation is that of the object in a cluster; 0 from files.
	Generation int64
	// Digest is a digest of its spec, "sha256:" and 12 digits.
	Digest string
}

// Claim is what a credential says of its holder. Nobody verified it: whoever sent it
// may have written what they like. Its texts are cut to 256 bytes.
type Claim struct {
	// Method is the method whose credential it is.
	Method string
	// Issuer, Subject and CredentialID are those of [Identity].
	Issuer, Subject, CredentialID string
}

// Shown is what people may see of Set.
func (d *Decision) Shown() []Header {
	out := make([]Header, len(d.Set))
	for i, h := range d.Set {
		if out[i] = h; h.Name == d.Token {
			out[i].Value = "(a token)"
		}
	}
	return out
}

// Identity is who a request comes from, as one authentication method
// established it. Expressions read it as `identity` and `identities["name"]`.
type Identity struct {
	// Method is the name of the method in the policy.
	Method string
	// Issuer is who vouches for the identity: `iss` of a token, else "".
	Issuer string
	// Subject is the principal: a user name, `sub`, or the name of a key's
	// Secret; "" for anonymous and for a token without `sub`.
	Subject string
	// Audiences, Scopes and Groups are never nil-sensitive: empty is none.
	Audiences, Scopes, Groups []string
	// Actor is who acts for the subject: the outermost `act` of a token (RFC 8693
	// 4.1), or what the policy makes of its claims; nil if nobody does.
	Actor *Actor
	// Claims is the token's payload, or the claims of an API key.
	Claims map[string]any
	// CredentialID is a token's jti or an API key's id: what may be logged.
	CredentialID string
	// ExpiresAt is the end of the credential; the zero time is none.
	ExpiresAt time.Time
}

// Actor is who acts on behalf of the subject.
type Actor struct {
	Issuer, Subject string
	// Unreadable says that the token names an actor in a form that nobody can read. It
	// is an actor all the same: without issuer and subject, and reading these is an error.
	Unreadable bool
}

// Stage is the part of a decision that a step belongs to.
type Stage string

// Stages in the order in which a request passes them.
const (
	StageRequest      Stage = "request"
	StageMatch        Stage = "match"
	StageAuthenticate Stage = "authenticate"
	StageMCP          Stage = "mcp"
	StageAuthorize    Stage = "authorize"
	StageRespond      Stage = "respond"
	// StageShadow begins the steps of a policy with mode Shadow, which decides nothing.
	StageShadow Stage = "shadow"
)

// Step is one step of a decision. Steps are values: whoever prints them makes
// the sentences (agentauth check --explain), or counts them (coverage).
type Step struct {
	Stage Stage `json:"stage"`
	// Name is the policy, method, rule, header or metadata key of the step; ""
	// if the step is about none of them.
	Name string `json:"name,omitempty"`
	// Outcome is one word of a closed list.
	Outcome StepOutcome `json:"outcome"`
	// Read is what the step looked at: a place of the request, its method, path
	// and host, or scopes. It never holds a credential.
	Read string `json:"read,omitempty"`
	// Detail tells why. It never holds a credential.
	Detail string `json:"detail,omitempty"`
	// Came is what came beside what was wanted, also where nobody verified it:
	// `iss is "a", wanted "b"`. Only a trace has it, since only who asks for one
	// has the request in hand. It never holds a credential.
	Came string `json:"came,omitempty"`
}

// StepOutcome says in one word how a step ended.
type StepOutcome string

// Outcomes of steps.
const (
	// Refused: the request is answered without going on; Detail says why.
	StepRefused StepOutcome = "refused"

	// Served: Gateway API routes that may serve the request were found.
	StepServed StepOutcome = "served"
	// Found: the policy Name decides. Read is the request that its match fits.
	StepFound StepOutcome = "found"
	// Named: the proxy's configuration names the policy.
	StepNamed StepOutcome = "named"
	// None: no policy was found for what was read.
	StepNone StepOutcome = "none"

	// Succeeded: the method established an identity; Detail is the subject.
	StepSucceeded StepOutcome = "succeeded"
	// Rejected: the credential is the method's and does not hold.
	StepRejected StepOutcome = "rejected"
	// Unavailable: whether the credential holds cannot be known now.
	StepUnavailable StepOutcome = "unavailable"
	// NotMine: the method does not know the credential.
	StepNotMine StepOutcome = "not-mine"
	// Absent: no credential of the method came.
	StepAbsent StepOutcome = "absent"

	// NotApplicable: the method or rule is not for this request.
	StepNotApplicable StepOutcome = "not-applicable"
	// Holds and Fails: the requirement of a rule is true, or false.
	StepHolds StepOutcome = "holds"
	StepFails StepOutcome = "fails"
	// Missing: the identity lacks the scopes that were read.
	StepMissing StepOutcome = "missing"
	// Error: an expression could not be evaluated.
	StepError StepOutcome = "error"

	// Done: the stage is complete.
	StepDone StepOutcome = "done"
)

// Trace collects the steps of a decision. A nil Trace collects nothing and
// costs nothing.
type Trace struct {
	Steps []Step
	// Rehearsal: the decision leaves nothing behind. No proof of possession is used up
	// by it, and nobody is asked for a token for the upstream.
	Rehearsal bool
	// Recorded is what a record says of the request; nil: the request itself came.
	Recorded *Recorded
}

// Add adds a step.
func (t *Trace) Add(s Step) {
	if t != nil {
		t.Steps = append(t.Steps, s)
	}
}

// Apart is an empty Trace, nil for a nil one.
func (t *Trace) Apart() *Trace {
	if t == nil {
		return nil
	}
	return &Trace{}
}

// AddShadow adds the steps of a policy with mode Shadow, and what it would have decided
// before them.
func (t *Trace) AddShadow(d *Decision, steps *Trace) {
	if t == nil {
		return
	}
	t.Add(Step{Stage: StageShadow, Name: d.Policy, Outcome: StepDone, Detail: "policy " + d.Policy + " has mode Shadow; it would decide: " + d.Outcome.String() + " (" + string(d.Reason) + "), by these steps"})
	t.Steps = append(t.Steps, steps.Steps...)
}
