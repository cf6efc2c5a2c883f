package authz

// Reason says in one stable word why a request was decided as it was. Logs,
// metrics, explanations and the command line use the same words; the list is
// closed and described in docs/reasons.md.
type Reason string

const (
	// Allowed: every requirement of the policy holds.
	Allowed Reason = "Allowed"
	// Unmatched: nothing claims the request and the operator said
	// --unmatched=allow-unauthenticated.
	Unmatched Reason = "Unmatched"
	// Shadowed: only policies with mode Shadow claim the request, so it is let through.
	Shadowed Reason = "Shadowed"
	// NoPolicy: no policy claims the request.
	NoPolicy Reason = "NoPolicy"
	// BadRequest: two parties could read the request differently (400).
	BadRequest Reason = "BadRequest"
	// MetadataServed: agentauth answered with the metadata of a protected resource.
	MetadataServed Reason = "MetadataServed"
	// OriginRefused: a page of an origin that is not allowed calls (403).
	OriginRefused Reason = "OriginRefused"

	// NoCredential: a credential is required and none came.
	NoCredential Reason = "NoCredential"
	// CredentialMalformed: a credential came that cannot be read as one.
	CredentialMalformed Reason = "CredentialMalformed"
	// UnknownCredential: a well-formed credential that no method knows.
	UnknownCredential Reason = "UnknownCredential"
	// CredentialExpired: an API key after its end.
	CredentialExpired Reason = "CredentialExpired"
	// CredentialRevoked: a revocation names the credential, or whose it is.
	CredentialRevoked Reason = "CredentialRevoked"
	// PasswordMismatch: the user name or the password is wrong.
	PasswordMismatch Reason = "PasswordMismatch"
	// PlaintextRefused: a Basic credential over plaintext (403).
	PlaintextRefused Reason = "PlaintextRefused"
	// TokenExpired: a token after its exp, clock skew included.
	TokenExpired Reason = "TokenExpired"
	// TokenNotYetValid: a token before its nbf, clock skew included.
	TokenNotYetValid Reason = "TokenNotYetValid"
	// SignatureInvalid: the signature or its algorithm does not hold.
	SignatureInvalid Reason = "SignatureInvalid"
	// KeyUnknown: no key of the issuer fits the token.
	KeyUnknown Reason = "KeyUnknown"
	// IssuerMismatch: no method accepts tokens of this issuer.
	IssuerMismatch Reason = "IssuerMismatch"
	// AudienceMismatch: the token is meant for somebody else.
	AudienceMismatch Reason = "AudienceMismatch"
	// TokenTypeRefused: a token of another kind (RFC 8725 3.11).
	TokenTypeRefused Reason = "TokenTypeRefused"
	// ClaimsRefused: a claim the policy reads has a type it may not have.
	ClaimsRefused Reason = "ClaimsRefused"
	// TokenReviewRefused: the cluster says that its token does not hold.
	TokenReviewRefused Reason = "TokenReviewRefused"
	// ProofRequired: the token is bound to a key or a certificate and came without
	// proof, or it is bound to nothing where the policy wants that.
	ProofRequired Reason = "ProofRequired"
	// ProofInvalid: a proof of possession came that does not hold.
	ProofInvalid Reason = "ProofInvalid"
	// ProofReplayed: a proof of possession came that was used before.
	ProofReplayed Reason = "ProofReplayed"

	// CertificateInvalid: what came cannot be read as the certificate of a client.
	CertificateInvalid Reason = "CertificateInvalid"
	// CertificateUntrusted: no authority of the policy verifies the certificate for
	// a client, or it is of another trust domain.
	CertificateUntrusted Reason = "CertificateUntrusted"
	// CertificateExpired: a certificate before or after its time, or its authority's.
	CertificateExpired Reason = "CertificateExpired"
	// MCPRequestInvalid: the request is none that MCP has, or its message can be read
	// in more than one way (400).
	MCPRequestInvalid Reason = "MCPRequestInvalid"
	// MCPHeaderMismatch: a header, or the proxy's metadata, says of the message
	// otherwise than its body (400).
	MCPHeaderMismatch Reason = "MCPHeaderMismatch"
	// MCPBodyMissing: the body of a message is not known, or not whole (403).
	MCPBodyMissing Reason = "MCPBodyMissing"
	// MCPNotAllowed: no entry of the policy names the tool, resource or prompt (403).
	MCPNotAllowed Reason = "MCPNotAllowed"

	// InsufficientScope: the credential is good but lacks a scope (403).
	InsufficientScope Reason = "InsufficientScope"
	// RuleDenied: an authorization rule does not hold (403).
	RuleDenied Reason = "RuleDenied"
	// NoRuleApplies: no rule is for the request, and the policy denies such (403).
	NoRuleApplies Reason = "NoRuleApplies"
	// AccessDenied: the cluster does not allow it (403).
	AccessDenied Reason = "AccessDenied"
	// UpstreamTokenRefused: the upstream needs a token that the authorization server
	// does not give for this caller (403).
	UpstreamTokenRefused Reason = "UpstreamTokenRefused"
	// ExpressionFailed: an expression could not be evaluated.
	ExpressionFailed Reason = "ExpressionFailed"

	// Unavailable: what a decision needs cannot be had now (503).
	Unavailable Reason = "Unavailable"
	// UpstreamTokenUnavailable: the upstream needs a token that cannot be had now (503).
	UpstreamTokenUnavailable Reason = "UpstreamTokenUnavailable"
	// Overloaded: too many expensive checks are waiting (503).
	Overloaded Reason = "Overloaded"
	// PolicyInvalid: the policy of the request is not valid (503).
	PolicyInvalid Reason = "PolicyInvalid"
	// HostDisputed: two namespaces claim the host (503).
	HostDisputed Reason = "HostDisputed"
	// RouteUnknown: the proxy names a route that is not known here (503).
	RouteUnknown Reason = "RouteUnknown"
	// AmbiguousMatch: more than one policy could be meant (503).
	AmbiguousMatch Reason = "AmbiguousMatch"
	// SelectorRefused: a policy was named by who may not name one (503).
	SelectorRefused Reason = "SelectorRefused"
	// AuditUnavailable: the record of the decision could not be written, and the
	// operator wants no decision without one (503).
	AuditUnavailable Reason = "AuditUnavailable"
	// Internal: a defect of agentauth; the request is refused (503).
	Internal Reason = "Internal"
)

// Unauthenticated lists the reasons for which nobody is authenticated by a request
// whose credentials were looked at: the caller needs one, or another one.
func Unauthenticated() []Reason {
	return []Reason{
		NoCredential, CredentialMalformed, UnknownCredential, CredentialExpired,
		PasswordMismatch, PlaintextRefused, TokenExpired, TokenNotYetValid,
		SignatureInvalid, KeyUnknown, IssuerMismatch, AudienceMismatch,
		TokenTypeRefused, ClaimsRefused, TokenReviewRefused, ProofRequired, ProofInvalid, ProofReplayed,
		CertificateInvalid, CertificateUntrusted, CertificateExpired,
	}
}

// OfMCP says whether a request was refused for what its message, or a header, says of a
// call of MCP.
func (r Reason) OfMCP() bool {
	return r == MCPRequestInvalid || r == MCPHeaderMismatch || r == MCPBodyMissing
}

// Reasons lists every Reason in the order of the documentation.
func Reasons() []Reason {
	return []Reason{
		Allowed, Unmatched, Shadowed, NoPolicy, BadRequest, MetadataServed, OriginRefused,
		NoCredential, CredentialMalformed, UnknownCredential, CredentialExpired, CredentialRevoked,
		PasswordMismatch, PlaintextRefused, TokenExpired, TokenNotYetValid,
		SignatureInvalid, KeyUnknown, IssuerMismatch, AudienceMismatch,
		TokenTypeRefused, ClaimsRefused, TokenReviewRefused, ProofRequired, ProofInvalid, ProofReplayed,
		CertificateInvalid, CertificateUntrusted, CertificateExpired,
		MCPRequestInvalid, MCPHeaderMismatch, MCPBodyMissing, MCPNotAllowed,
		InsufficientScope, RuleDenied, NoRuleApplies, AccessDenied, UpstreamTokenRefused, ExpressionFailed,
		Unavailable, UpstreamTokenUnavailable, Overloaded, PolicyInvalid, HostDisputed, RouteUnknown, AmbiguousMatch,
		SelectorRefused, AuditUnavailable, Internal,
	}
}
