package authz

// PolicyChange is what a load changed of one policy.
type PolicyChange struct {
	// Policy is "namespace/name".
	Policy string
	Kind   ChangeKind
	// From and To are the generations before and now; 0 where there is none, as in
	// files.
	From, To int64
	// Digest is a digest of the spec in force, "sha256:" and 12 digits.
	Digest string
	// Ready is the reason of the condition Ready: "Ready", or why the policy is not.
	Ready string
}

// ChangeKind is what became of a policy.
type ChangeKind string

// What becomes of policies. Changed: its spec, or whether it is ready.
const (
	PolicyAdded   ChangeKind = "added"
	PolicyChanged ChangeKind = "changed"
	PolicyRemoved ChangeKind = "removed"
)
