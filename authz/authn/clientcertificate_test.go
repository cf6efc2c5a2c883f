package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// signer is an authority or a client with its key.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func ecKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (s signer) issue(t testing.TB, template *x509.Certificate, key crypto.Signer) signer {
	t.Helper()
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(7)
	}
	parent, by := s.cert, s.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{cert, key}
}

// authority is a template that is valid from and until so many minutes from now.
func authority(name string, from, until int) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: clock.Add(time.Duration(from) * time.Minute), NotAfter: clock.Add(time.Duration(until) * time.Minute)}
}

func client(from, until int) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: "robot"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: clock.Add(time.Duration(from) * time.Minute), NotAfter: clock.Add(time.Duration(until) * time.Minute)}
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func trusting(list ...signer) *ClientCertificate {
	c := &ClientCertificate{Method: "workloads", From: ConnectionCertificate, Scheduler: work.New(work.Options{})}
	for _, s := range list {
		c.Authorities = append(c.Authorities, s.cert)
	}
	return c
}

// reasonOf is why a certificate is refused at a time; Allowed if it is not.
func reasonOf(t testing.TB, c *ClientCertificate, text string, at time.Time) authz.Reason {
	t.Helper()
	v, err := c.Verify(t.Context(), &Presented{Place: c.From, Value: text, Time: at})
	if err == nil {
		err = c.Check(&authz.Request{Time: at}, v)
	}
	rejected, unavailable := (*Rejected)(nil), (*Unavailable)(nil)
	switch {
	case err == nil:
		return authz.Allowed
	case errors.As(err, &rejected):
		return rejected.Reason
	case errors.As(err, &unavailable):
		return unavailable.Reason
	}
	t.Fatal(err)
	return ""
}

func TestPercentEncodingOfACertificateHasManyFormsAndOneMeaning(t *testing.T) {
	ca := signer{}.issue(t, authority("mesh", -5, 5), ecKey(t, elliptic.P256()))
	text := pemOf(ca.issue(t, client(-1, 1), ecKey(t, elliptic.P256())).cert)
	full := ""
	for _, b := range []byte(text) {
		full += fmt.Sprintf("%%%02x", b)
	}
	for name, one := range map[string]string{
		"none": text, "as a path": url.PathEscape(text), "every byte, lower case": full, "every byte, upper case": strings.ToUpper(full),
		"line breaks of Windows": url.PathEscape(strings.ReplaceAll(text, "\n", "\r\n")), "without a final line break": url.PathEscape(strings.TrimSpace(text)),
	} {
		if got := reasonOf(t, trusting(ca), one, clock); got != authz.Allowed {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, one := range map[string]string{
		"as a form, with + for a space": url.QueryEscape(text), "twice": url.PathEscape(url.PathEscape(text)),
		"two blocks": text + text, "a key behind it": text + "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n",
		"another type":    strings.ReplaceAll(text, "CERTIFICATE", "X509 CRL"),
		"a header of PEM": strings.Replace(text, "-----\n", "-----\nA: b\n\n", 1), "DER in base64": strings.Join(strings.Split(text, "\n")[1:5], ""),
		"a byte behind the DER": pemOf(&x509.Certificate{Raw: append(ca.cert.Raw[:len(ca.cert.Raw):len(ca.cert.Raw)], 0)}),
		"nothing in it":         "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "huge": strings.Repeat("%41", 20<<10),
		"a broken byte": strings.Replace(url.PathEscape(text), "%0A", "%0", 1), "a space before it": " " + text,
	} {
		if got := reasonOf(t, trusting(ca), one, clock); got != authz.CertificateInvalid {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestACertificateHoldsWhileItAndItsAuthorityDo(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	old := signer{}.issue(t, authority("mesh", -10, 2), key)
	renewed := signer{}.issue(t, authority("mesh", 1, 10), key)
	later := signer{}.issue(t, authority("mesh", 4, 10), key)
	unmet := signer{}.issue(t, authority("mesh", 7, 10), key)
	cert := pemOf(old.issue(t, client(-1, 6), ecKey(t, elliptic.P256())).cert)
	at := func(minutes float64) time.Time { return clock.Add(time.Duration(minutes * float64(time.Minute))) }
	for name, c := range map[string]struct {
		with    []signer
		minutes float64
		want    authz.Reason
	}{
		"before the certificate":              {[]signer{old}, -1.1, authz.CertificateExpired},
		"at its first second":                 {[]signer{old}, -1, authz.Allowed},
		"while both hold":                     {[]signer{old}, 1, authz.Allowed},
		"after the authority":                 {[]signer{old}, 2.1, authz.CertificateExpired},
		"after it, with the renewed one":      {[]signer{old, renewed}, 2.1, authz.Allowed},
		"in any order of them":                {[]signer{renewed, old}, -1, authz.Allowed},
		"after the certificate":               {[]signer{old, renewed}, 6.1, authz.CertificateExpired},
		"before the gap":                      {[]signer{old, later}, 1, authz.Allowed},
		"in a gap between the authorities":    {[]signer{old, later}, 3, authz.CertificateExpired},
		"behind the gap":                      {[]signer{old, later}, 5, authz.Allowed},
		"with one that does not hold with it": {[]signer{unmet}, 8, authz.CertificateExpired},
	} {
		if got := reasonOf(t, trusting(c.with...), cert, at(c.minutes)); got != c.want {
			t.Errorf("%s: %s, wanted %s", name, got, c.want)
		}
	}
}

func TestWhatIsKeptOfACertificateEndsWithItsAuthority(t *testing.T) {
	ca := signer{}.issue(t, authority("mesh", -5, 2), ecKey(t, elliptic.P256()))
	c := trusting(ca)
	v, err := c.Verify(t.Context(), &Presented{Place: c.From, Value: pemOf(ca.issue(t, client(-1, 60), ecKey(t, elliptic.P256())).cert)})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Ends(v).Equal(ca.cert.NotAfter) || !v.Identity.ExpiresAt.Equal(ca.cert.NotAfter) {
		t.Errorf("it ends at %s, for expressions at %s, and the authority at %s", c.Ends(v), v.Identity.ExpiresAt, ca.cert.NotAfter)
	}
	inputs, ok := c.Inputs()
	for name, other := range map[string]*ClientCertificate{
		"another trust domain":  {Method: "workloads", From: c.From, TrustDomains: []string{"a"}},
		"another place":         {Method: "workloads", From: ForwardedCertificate},
		"another method":        {Method: "other", From: c.From},
		"other authorities":     {Method: "workloads", From: c.From, Digest: sha256.Sum256(nil)},
		"authorities that fail": {Method: "workloads", From: c.From, Missing: "x"},
		"a principal":           {Method: "workloads", From: ConnectionPrincipal},
	} {
		if theirs, keeps := other.Inputs(); !ok || keeps && theirs == inputs || keeps != (other.Missing == "" && other.From != ConnectionPrincipal) {
			t.Errorf("%s: %v", name, keeps)
		}
	}
}

func TestAuthoritiesAreAuthoritiesAndNoOthers(t *testing.T) {
	p256 := ecKey(t, elliptic.P256())
	ca := signer{}.issue(t, authority("mesh", -5, 5), p256)
	leaf := ca.issue(t, client(-1, 1), ecKey(t, elliptic.P256()))
	small, err := rsa.GenerateKey(rand.Reader, 1024) // #nosec G403 -- so that it is refused
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		list []*x509.Certificate
		want string
	}{
		"none":                 {nil, ""},
		"an authority":         {[]*x509.Certificate{ca.cert}, ""},
		"a client beside one":  {[]*x509.Certificate{ca.cert, leaf.cert}, "certificate 2 is no authority"},
		"RSA of 1024 bits":     {[]*x509.Certificate{(signer{}).issue(t, authority("small", -5, 5), small).cert}, "none of RSA"},
		"P-224":                {[]*x509.Certificate{(signer{}).issue(t, authority("odd", -5, 5), ecKey(t, elliptic.P224())).cert}, "none of RSA"},
		"eight of one name":    {[]*x509.Certificate{ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert}, ""},
		"a ninth of that name": {[]*x509.Certificate{ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert}, "at most 8"},
	} {
		if err := CheckAuthorities(c.list); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAuthoritiesThatEnvoyTrustsMoreAreNotAskedHere(t *testing.T) {
	root := signer{}.issue(t, authority("root", -5, 5), ecKey(t, elliptic.P256()))
	inner := root.issue(t, authority("inner", -5, 5), ecKey(t, elliptic.P256()))
	constrained := authority("names", -5, 5)
	constrained.PermittedDNSDomains = []string{"example.com"}
	names := signer{}.issue(t, constrained, ecKey(t, elliptic.P256()))
	dns := func(name string) *x509.Certificate {
		c := client(-1, 1)
		c.DNSNames = []string{name}
		return c
	}
	forServers := authority("servers", -5, 5)
	forServers.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	servers := signer{}.issue(t, forServers, ecKey(t, elliptic.P256()))
	many := client(-1, 1)
	for i := range 101 {
		many.IPAddresses = append(many.IPAddresses, net.IPv4(10, 0, 0, byte(i)))
	}
	long := client(-1, 1)
	long.Subject.CommonName = strings.Repeat("ab", 4000)
	long.DNSNames = []string{strings.Repeat("a", 9000)}
	critical := client(-1, 1)
	critical.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	key := func() crypto.Signer { return ecKey(t, elliptic.P256()) }
	for name, c := range map[string]struct {
		with signer
		cert signer
		want authz.Reason
	}{
		"an authority below the one that signed": {inner, inner.issue(t, client(-1, 1), key()), authz.Allowed},
		"the root of that one alone":             {root, inner.issue(t, client(-1, 1), key()), authz.CertificateUntrusted},
		"a name that the authority may sign":     {names, names.issue(t, dns("a.example.com"), key()), authz.Allowed},
		"a name that it may not":                 {names, names.issue(t, dns("a.example.net"), key()), authz.CertificateUntrusted},
		"an authority for servers":               {servers, servers.issue(t, client(-1, 1), key()), authz.CertificateUntrusted},
		"more than 100 names":                    {root, root.issue(t, many, key()), authz.CertificateInvalid},
		"names that are too long":                {root, root.issue(t, long, key()), authz.CertificateInvalid},
		"a certificate that signs itself":        {root, (signer{}).issue(t, client(-1, 1), key()), authz.CertificateUntrusted},
		"the authority itself":                   {root, root, authz.CertificateInvalid},
		"a critical extension of others":         {root, root.issue(t, critical, key()), authz.CertificateInvalid},
		"P-224":                                  {root, root.issue(t, client(-1, 1), ecKey(t, elliptic.P224())), authz.CertificateInvalid},
	} {
		if got := reasonOf(t, trusting(c.with), pemOf(c.cert.cert), clock); got != c.want {
			t.Errorf("%s: %s, wanted %s", name, got, c.want)
		}
	}
}

func TestSlowSignaturesOfAuthoritiesTakeTurns(t *testing.T) {
	fast := signer{}.issue(t, authority("fast", -5, 5), ecKey(t, elliptic.P256()))
	slow := signer{}.issue(t, authority("slow", -5, 5), ecKey(t, elliptic.P384()))
	var same []signer
	for range 3 {
		same = append(same, signer{}.issue(t, authority("same", -5, 5), ecKey(t, elliptic.P256())))
	}
	for name, c := range map[string]struct {
		with []signer
		by   signer
		want authz.Reason
	}{
		"P-256":                  {[]signer{fast}, fast, authz.Allowed},
		"P-384":                  {[]signer{slow}, slow, authz.Overloaded},
		"the second of a name":   {same[:2], same[1], authz.Allowed},
		"the third of that name": {same, same[2], authz.Overloaded},
	} {
		text := pemOf(c.by.issue(t, client(-1, 1), ecKey(t, elliptic.P256())).cert)
		refusing := trusting(c.with...)
		refusing.Scheduler = nil
		if got := reasonOf(t, refusing, text, clock); got != c.want {
			t.Errorf("%s, while nothing is scheduled: %s, wanted %s", name, got, c.want)
		}
		if got := reasonOf(t, trusting(c.with...), text, clock); got != authz.Allowed {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestTheIdentityOfACertificate(t *testing.T) {
	ca := signer{}.issue(t, authority("mesh", -5, 5), ecKey(t, elliptic.P256()))
	template := client(-1, 1)
	template.URIs = []*url.URL{{Scheme: "spiffe", Host: "prod", Path: "/a"}}
	template.DNSNames, template.EmailAddresses, template.IPAddresses = []string{"a.example.com"}, []string{"a@example.com"}, []net.IP{net.ParseIP("192.0.2.1")}
	cert := ca.issue(t, template, ecKey(t, elliptic.P256())).cert
	c := trusting(ca)
	v, err := c.Verify(t.Context(), &Presented{Place: c.From, Value: pemOf(cert)})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.Raw)
	id := &v.Identity
	if id.Subject != hex.EncodeToString(sum[:]) || id.CredentialID != id.Subject || id.Issuer != "CN=mesh" {
		t.Errorf("got %+v", id)
	}
	if got := fmt.Sprint(id.Claims["dns"], id.Claims["uri"], id.Claims["email"], id.Claims["ip"], id.Claims["subject"], id.Claims["not_after"]); got !=
		fmt.Sprintf("[a.example.com] [spiffe://prod/a] [a@example.com] [192.0.2.1]CN=robot%d", clock.Add(time.Minute).Unix()) {
		t.Error(got)
	}
	c.TrustDomains = []string{"prod"}
	if v, err = c.Verify(t.Context(), &Presented{Place: c.From, Value: pemOf(cert)}); err != nil || v.Identity.Subject != "spiffe://prod/a" || v.Identity.Issuer != "spiffe://prod" {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestSPIFFEIDsAreReadByteForByte(t *testing.T) {
	for id, want := range map[string]string{
		"spiffe://prod/a": "prod", "spiffe://prod.example.com/ns/a/sa/B_c.d-e": "prod.example.com", "spiffe://a/...": "a",
		"spiffe://" + strings.Repeat("a", 255) + "/b": strings.Repeat("a", 255),
		"spiffe://" + strings.Repeat("a", 256) + "/b": "", "spiffe://a/" + strings.Repeat("b", 2048-11): "a", "spiffe://a/" + strings.Repeat("b", 2048-10): "",
		"": "", "spiffe:": "", "spiffe://": "", "spiffe:///a": "", "spiffe://a": "", "spiffe://a/": "", "spiffe://a//b": "", "spiffe://a/b/": "",
		"spiffe://a/.": "", "spiffe://a/..": "", "spiffe://a/b/../c": "", "spiffe://A/b": "", "Spiffe://a/b": "", "https://a/b": "", "spiffe:/a/b": "",
		"spiffe://a:1/b": "", "spiffe://u@a/b": "", "spiffe://a/b?c": "", "spiffe://a/b#c": "", "spiffe://a/%62": "", "spiffe://a/b c": "",
		"spiffe://a/é": "", "spiffe://é/a": "", " spiffe://a/b": "", "spiffe://a/b\n": "", "spiffe://a\x00/b": "", "spiffe://[::1]/a": "",
	} {
		if got, err := trustDomain(id); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
}

// What stands before the element of the proxy changes from call to call; the certificate
// does not.
func TestTheForwardedCertificateIsTheCredentialWhateverStandsBeforeIt(t *testing.T) {
	ca := signer{}.issue(t, authority("mesh", -5, 5), ecKey(t, elliptic.P256()))
	cert := ca.issue(t, client(-1, 1), ecKey(t, elliptic.P256())).cert
	sum := Thumbprint(cert)
	own := `By=spiffe://a/b;Hash=` + strings.ToUpper(hex.EncodeToString(sum[:])) + `;Cert="` + url.PathEscape(pemOf(cert)) + `"`
	var digests [][sha256.Size]byte
	for _, value := range []string{own, `Cert="x",` + own, `By=c;URI=d,` + own} {
		r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/", TLS: true, Time: clock,
			Headers: []authz.Header{{Name: "X-Forwarded-Client-Cert", Value: value}}})
		if err != nil {
			t.Fatal(err)
		}
		p, occupied, err := Read(r, ForwardedCertificate)
		if err != nil || !occupied || p.Malformed != "" {
			t.Fatalf("%+v, %v", p, err)
		}
		digests = append(digests, p.Digest())
		c := trusting(ca)
		c.From = ForwardedCertificate
		if got := reasonOf(t, c, p.Value, clock); got != authz.Allowed {
			t.Error(got)
		}
	}
	if digests[0] != digests[1] || digests[0] != digests[2] {
		t.Error("one certificate is several credentials")
	}
}
