package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// otherForm is the certificate with the other signature that anybody can make of its own.
func otherForm(t *testing.T, cert *x509.Certificate, order *big.Int) *x509.Certificate {
	t.Helper()
	var form struct {
		Signed, Algorithm asn1.RawValue
		Signature         asn1.BitString
	}
	var signature struct{ R, S *big.Int }
	_, err := asn1.Unmarshal(cert.Raw, &form)
	if err == nil {
		_, err = asn1.Unmarshal(form.Signature.Bytes, &signature)
	}
	if err != nil {
		t.Fatal(err)
	}
	signature.S = new(big.Int).Sub(order, signature.S)
	if form.Signature.Bytes, err = asn1.Marshal(signature); err != nil {
		t.Fatal(err)
	}
	form.Signature.BitLength = 8 * len(form.Signature.Bytes)
	der, err := asn1.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestARevokedCertificateIsRevokedInItsOtherFormToo(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key := ecKey(t, curve)
		ca := signer{}.issue(t, authority("mesh", -5, 5), key)
		c := trusting(ca)
		c.Authorities = append(c.Authorities, signer{}.issue(t, authority("mesh", -5, 5), ecKey(t, elliptic.P256())).cert) // a namesake
		for range 8 {                                                                                                      // the lengths of the numbers vary
			one := ca.issue(t, client(-1, 1), ecKey(t, elliptic.P256())).cert
			other := otherForm(t, one, key.(*ecdsa.PrivateKey).Params().N)
			for _, named := range []*x509.Certificate{one, other} {
				sum := Thumbprint(named)
				revoked := inForce("{thumbprint: " + hex.EncodeToString(sum[:]) + ", until: 9000-01-01T00:00:00Z}")
				for _, shown := range []*x509.Certificate{one, other} {
					v, err := c.Verify(t.Context(), &Presented{Place: c.From, Value: pemOf(shown), Time: clock})
					if err != nil {
						t.Fatalf("both forms hold: %v", err)
					}
					of := v.Revocable()
					if revoked.Hit("shop", &of, clock) == nil {
						t.Errorf("%s: a form of the certificate is let in", curve.Params().Name)
					}
				}
			}
		}
	}
}

func TestOtherCertificatesAreNotRevokedWithOne(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, ca := range map[string]signer{"ECDSA": signer{}.issue(t, authority("mesh", -5, 5), ecKey(t, elliptic.P256())), "Ed25519": signer{}.issue(t, authority("mesh", -5, 5), ed)} {
		sum := Thumbprint(ca.issue(t, client(-1, 1), ecKey(t, elliptic.P256())).cert)
		revoked := inForce("{thumbprint: " + hex.EncodeToString(sum[:]) + ", until: 9000-01-01T00:00:00Z}")
		c := trusting(ca)
		v, err := c.Verify(t.Context(), &Presented{Place: c.From, Value: pemOf(ca.issue(t, client(-1, 1), ecKey(t, elliptic.P256())).cert), Time: clock})
		if err != nil {
			t.Fatal(err)
		}
		of := v.Revocable()
		if revoked.Hit("shop", &of, clock) != nil || (v.twin != nil) != (name == "ECDSA") {
			t.Errorf("%s: got %v, another form %v", name, of.Identity, v.twin != nil)
		}
	}
}

// inForce are revocations with one entry.
func inForce(entry string) *revoke.InForce {
	list, _ := revoke.Read([]revoke.ConfigMap{{Namespace: "shop", Name: "revoked", Data: map[string][]byte{"a": []byte(entry)}}}, nil, clock)
	f := &revoke.InForce{}
	f.Put(list)
	return f
}
