package v1alpha1

// ClientCertificate takes the certificate that the client showed to the proxy in the
// handshake of TLS, or the proxy's word for who that client is. The proxy proved that
// the client holds the private key; agentauth sees the certificate alone.
//
// The authorities verify the certificate directly: no chain that comes with it is
// looked at, so the certificate that signs those of clients is one of them. The
// certificate must be valid now, and for clients: its extended key usage, if it has
// one, must have clientAuth.
//
// +kubebuilder:validation:XValidation:rule="has(self.certificateAuthorities) == (!has(self.source) || self.source != 'Principal')",message="certificateAuthorities are needed to verify a certificate (source Connection or XFCC), and verify no principal: the proxy verified that"
type ClientCertificate struct {
	// Source says what is read. Connection: the certificate as the proxy passes it
	// on (Envoy: include_peer_certificate). Principal: the name that the proxy
	// verified, `source.principal` of the check (the first URI of the certificate,
	// else its first DNS name, else its subject); the operator must say
	// --trust-principal. XFCC: the `Cert` of the last element of the header
	// x-forwarded-client-cert; the operator must say --trust-xfcc. Without the flag
	// the method is unavailable. Default: Connection.
	// +optional
	// +kubebuilder:default=Connection
	Source CertificateSource `json:"source,omitempty"`

	// TrustDomains are SPIFFE trust domains. With them the certificate must have
	// exactly one URI, and that, or the principal, must be a SPIFFE id of one of
	// these: it is the subject, and the trust domain is the issuer. Without them the
	// subject is the SHA-256 thumbprint of the certificate in hexadecimal digits of
	// lower case, or the principal as it is. At most 16, each of at most 255 letters
	// of lower case, digits, '-', '.' or '_'.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:Pattern=`^[-._a-z0-9]+$`
	// +listType=set
	TrustDomains []string `json:"trustDomains,omitempty"`

	// CertificateAuthorities verify the certificate: each is an authority (basic
	// constraints) by itself, at most 1000, and at most 8 of one name. Needed for
	// Connection and XFCC.
	// +optional
	CertificateAuthorities *CACertificates `json:"certificateAuthorities,omitempty"`
}

// CertificateSource says where a certificate, or the name in it, is read.
//
// +kubebuilder:validation:Enum=Connection;Principal;XFCC
type CertificateSource string

const (
	// CertificateOfConnection is the certificate as the proxy passes it on.
	CertificateOfConnection CertificateSource = "Connection"
	// PrincipalOfConnection is the name that the proxy verified.
	PrincipalOfConnection CertificateSource = "Principal"
	// ForwardedCertificate is that of x-forwarded-client-cert.
	ForwardedCertificate CertificateSource = "XFCC"
)
