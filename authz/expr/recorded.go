package expr

import "github.com/agentauth-dev/agentauth/authz"

// A request that is decided anew from a record lacks what the record lacks. Reading that
// is an error: an expression has a value only where it is the same whatever was there,
// as true || error is true. Asking whether it is set ends the evaluation.

// unrecorded is the error of reading what a record lacks.
func unrecorded(path string) error { return failure(path + " is not in the record") }

// recordedOf is what a record says of the request of an object; nil: it came itself.
func recordedOf(target any) *authz.Recorded {
	var in *Input
	switch t := target.(type) {
	case *request:
		in = (*Input)(t)
	case *source:
		in = (*Input)(t)
	case *identity:
		in = (*Input)(t)
	case *actor:
		in = (*Input)(t)
	case *call:
		in = (*Input)(t)
	}
	if in == nil || in.Request == nil {
		return nil
	}
	return in.Request.Recorded
}

// lacks says whether the record of an object's request lacks a field.
func lacks(target any, path string) bool {
	r := recordedOf(target)
	return r != nil && r.Ask(path)
}

// isWhole says whether a variable is recorded as a whole or not at all.
func isWhole(name string) bool {
	return name == "identities" || name == "context" || name == "metadata"
}
