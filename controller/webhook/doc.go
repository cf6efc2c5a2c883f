// Package webhook refuses, when a policy is applied, what the schema of the CRD
// cannot see: it is the same Compile, of that one policy.
//
//	AdmissionReview -> review -> Judge -> Compile([the policy]) -> refused with the field's path | allowed, with warnings
//
// Only what is wrong with a policy by itself is refused, so that manifests may be
// applied in any order: what depends on other objects (a Secret that is missing,
// a target that is not there yet) is for its conditions. An update that leaves
// the spec as it is, and a policy that is being deleted, are always allowed.
//
// Whoever reaches the address is answered: API servers seldom show a client
// certificate. So no other object is looked up, and reviews are bounded in size,
// number and time. One is compiled at a time, in turns of the addresses that ask
// and of the namespaces that each asks about; one that does not end is given up.
package webhook
