package authz

import "strings"

// Severity says what a problem means for what is in force.
type Severity string

const (
	// Invalid: what has the problem is not used. A policy is not in force and
	// its routes answer 503; a directory of manifests is refused whole. The
	// zero Severity counts as Invalid.
	Invalid Severity = "invalid"
	// Unresolved: a method answers 503 until the reference resolves.
	Unresolved Severity = "unresolved"
	// Conflicting: an older policy has an equal match or the same target.
	Conflicting Severity = "conflicting"
	// Unattached: a target of the policy does not exist.
	Unattached Severity = "unattached"
	// Overridden: a policy with precedence Override decides instead.
	Overridden Severity = "overridden"
	// Ambiguous: some requests could be another policy's too and are 503.
	Ambiguous Severity = "ambiguous"
	// Warning: a part of what was written is not in force; the rest is.
	Warning Severity = "warning"
)

// Fatal says whether what has the problem is not used at all.
func (s Severity) Fatal() bool { return s == Invalid || s == "" }

// Level is "error" or "warning": whether somebody has to act.
func (s Severity) Level() string {
	switch s {
	case Warning, Ambiguous, Overridden:
		return "warning"
	default:
		return "error"
	}
}

// Position is a place in a file. Line and Column count from 1; 0 is unknown.
type Position struct {
	File         string
	Line, Column int
}

// Problem is one thing that is wrong with what somebody wrote: a manifest, a
// policy, a Secret, a key set. Every package reports problems in this shape. A
// package leaves empty what it does not know; its caller fills that in.
type Problem struct {
	Severity Severity
	Position
	// Object has the problem: "AgentAuthPolicy shop/orders".
	Object string
	// Field is the path of the field in Object, as in
	// "spec.routes[0].hostnames[1]"; "" where no field is to blame.
	Field string
	// Ref is the object that Field refers to, "Secret shop/keys", where the
	// problem is in that object. Key is the entry of its data.
	Ref, Key string
	// Reason is the reason of the condition that tells the problem; "" is the
	// usual one of its Severity.
	Reason string
	// Lint is the word of a Warning that has one.
	Lint Lint
	// Message says what was expected, what came and what to do. It never holds
	// a credential or the content of a Secret.
	Message string
}

// String is the problem in one line, without Object and Position: a condition
// of the object tells it.
func (p Problem) String() string {
	where := p.Field
	if p.Ref != "" {
		where += " (" + p.Ref
		if p.Key != "" {
			where += ", entry " + p.Key
		}
		where += ")"
	}
	return strings.TrimPrefix(where+": "+p.Text(), ": ")
}

// Text is the message after the word of the warning, if it has one.
func (p Problem) Text() string {
	if p.Lint == "" {
		return p.Message
	}
	return string(p.Lint) + ": " + p.Message
}

// OfReferences says whether the problem is one of Secrets, ConfigMaps or keys that
// the policy refers to, and not of the policy itself.
func (p Problem) OfReferences() bool {
	switch p.Lint {
	case SelectsNothing, NotAKey, OddAnnotation, KeyEnded, KeysUnreachable, EgressRefused:
		return true
	default:
		return p.Ref != "" || p.Severity == Unresolved
	}
}
