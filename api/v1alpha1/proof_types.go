package v1alpha1

// ProofOfPossession says which tokens a method accepts besides that a token which is
// bound (`cnf`, RFC 7800) is always held to what it is bound to.
type ProofOfPossession struct {
	// Require lists what a token must be bound to, any one of them: DPoP is a key, of
	// which each request brings a proof (RFC 9449); ClientCertificate is the client
	// certificate of the connection (RFC 8705), which the proxy passes on
	// (include_peer_certificate, or x-forwarded-client-cert with Cert where the operator
	// says --trust-xfcc). A token that is bound to none of them is 401. 1 or 2.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	Require []Proof `json:"require"`
}

// Proof is what a token can be bound to.
//
// +kubebuilder:validation:Enum=DPoP;ClientCertificate
type Proof string

const (
	// ProofByDPoP is a key, proven by a signed JWT in the header dpop.
	ProofByDPoP Proof = "DPoP"
	// ProofByCertificate is the certificate of the client, proven by TLS.
	ProofByCertificate Proof = "ClientCertificate"
)
