package authz

// Lint is the stable word of a warning about what is valid and probably not meant.
// docs/reasons.md has the same list. `agentauth validate`, the webhook, the log and
// conditions use the same words.
type Lint string

// What is warned of. A policy with a warning is in force.
const (
	// RulesLeaveMethodsOpen: every rule has a `when`, and requests with some
	// method meet none of them.
	RulesLeaveMethodsOpen Lint = "RulesLeaveMethodsOpen"
	// PrefixWithoutSlash: startsWith on a path whose text does not end in a
	// slash: "/a" is a prefix of "/ab" too.
	PrefixWithoutSlash Lint = "PrefixWithoutSlash"
	// NeverDecides: a match or a policy that no request can reach.
	NeverDecides Lint = "NeverDecides"
	// NeverTrue: a comparison that is false for every request.
	NeverTrue Lint = "NeverTrue"
	// SubstringOfClaim: contains() on a claim that holds words: "not-admin"
	// contains "admin".
	SubstringOfClaim Lint = "SubstringOfClaim"
	// UnknownMethodName: identities["name"] of a method that the policy has not.
	UnknownMethodName Lint = "UnknownMethodName"
	// ImpliesNoFurther: an implied scope has implied scopes of its own, which count
	// for nobody who has only the first one.
	ImpliesNoFurther Lint = "ImpliesNoFurther"
	// LiteralWildcard: a path with a `*` that stands for itself.
	LiteralWildcard Lint = "LiteralWildcard"
	// MetadataUnreachable: nobody is answered with the metadata of mcp.resource.
	MetadataUnreachable Lint = "MetadataUnreachable"
	// UnknownAuthorizationServer: the metadata names a server whose tokens no method
	// takes.
	UnknownAuthorizationServer Lint = "UnknownAuthorizationServer"
	// HidesWildcard: the policy takes a host from the policy of a wildcard.
	HidesWildcard Lint = "HidesWildcard"
	// ShadowedAlone: only a policy with mode Shadow claims some requests, so they are let
	// through.
	ShadowedAlone Lint = "ShadowedAlone"
	// SelectsNothing: the selector of an apiKey method finds no key.
	SelectsNothing Lint = "SelectsNothing"
	// NotAKey: an entry of a selected Secret is no API key.
	NotAKey Lint = "NotAKey"
	// OddAnnotation: a label or annotation of a Secret or ConfigMap has no effect.
	OddAnnotation Lint = "OddAnnotation"
	// KeyEnded: an API key after its end.
	KeyEnded Lint = "KeyEnded"
	// KeysUnreachable: a key set of a provider cannot be fetched.
	KeysUnreachable Lint = "KeysUnreachable"
	// EgressRefused: a URL of the policy that the operator's flags do not admit.
	EgressRefused Lint = "EgressRefused"
	// RevokesNothing: a revocation under which no credential of the policies can fall.
	RevokesNothing Lint = "RevokesNothing"
	// NoCluster: no API server is asked here, and the policy needs one.
	NoCluster Lint = "NoCluster"
)

// Lints lists every Lint in the order of the documentation.
func Lints() []Lint {
	return []Lint{
		RulesLeaveMethodsOpen, PrefixWithoutSlash, NeverDecides, NeverTrue, SubstringOfClaim, UnknownMethodName, ImpliesNoFurther, LiteralWildcard,
		MetadataUnreachable, UnknownAuthorizationServer, HidesWildcard, ShadowedAlone, SelectsNothing, NotAKey, OddAnnotation, KeyEnded, KeysUnreachable, EgressRefused, RevokesNothing, NoCluster,
	}
}
