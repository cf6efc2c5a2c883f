package authz

// Stage is the part of a decision that a step belongs to.
type Stage string

// Stages in the order in which a request passes them.
const (
	StageRequest      Stage = "request"
	StageMatch        Stage = "match"
	StageAuthenticate Stage = "authenticate"
	StageAuthorize    Stage = "authorize"
	StageRespond      Stage = "respond"
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
type Trace struct{ Steps []Step }

// Add adds a step.
func (t *Trace) Add(s Step) {
	if t != nil {
		t.Steps = append(t.Steps, s)
	}
}
