package validate

import (
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

var trustDomain = text{1, 255, regexp.MustCompile(`^[-._a-z0-9]+$`), "a SPIFFE trust domain: letters of lower case, digits, '-', '.' or '_', without spiffe://"}

func (f *findings) clientCertificate(at *field.Path, c *v1alpha1.ClientCertificate) {
	oneOf(f, at.Child("source"), c.Source, v1alpha1.CertificateOfConnection, v1alpha1.PrincipalOfConnection, v1alpha1.ForwardedCertificate)
	set(f, at.Child("trustDomains"), c.TrustDomains, 16, trustDomain)
	if (c.CertificateAuthorities != nil) == (c.Source == v1alpha1.PrincipalOfConnection) {
		f.invalid(at, "certificateAuthorities are needed to verify a certificate (source Connection or XFCC), and verify no principal: the proxy verified that")
	}
	f.caCertificates(at.Child("certificateAuthorities"), c.CertificateAuthorities)
}
