package authz

// Recorded is what a record says of a request that is decided anew: in place of its
// credentials, and of whatever else the record lacks. It is for one decision. No door
// makes one: only a [Trace] hands it to a decision.
type Recorded struct {
	// Identity is whom the request came from; nil: nobody was authenticated.
	Identity *Identity
	// Reason is why it was decided so, of the request without an identity: it says
	// whether a credential came. "" is that no policy looked for one.
	Reason Reason
	// Parts are those that the record has, by the names that expressions read them by:
	// "request.source.address", "identity.scopes".
	Parts map[string]bool

	// Unknown is why the decision cannot be told; "" if it can.
	Unknown string
	// Values are headers and metadata for the upstream whose value cannot be told.
	Values int

	asked int
}

// Lacks says whether the record lacks a part. A nil Recorded lacks nothing.
func (r *Recorded) Lacks(part string) bool { return r != nil && !r.Parts[part] }

// Ask is Lacks where a decision asks for the part.
func (r *Recorded) Ask(part string) bool {
	if !r.Lacks(part) {
		return false
	}
	r.asked++
	return true
}

// Asked counts the parts that a decision asked for in vain.
func (r *Recorded) Asked() int {
	if r == nil {
		return 0
	}
	return r.asked
}

// Fail says why the decision cannot be told; the first cause counts.
func (r *Recorded) Fail(why string) {
	if r.Unknown == "" {
		r.Unknown = why
	}
}
