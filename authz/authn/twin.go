package authn

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// twin is the thumbprint of the other form of a certificate that an authority signed; nil
// if it has none. A signature of ECDSA is two numbers, r and s, and r and n-s are one
// too, where n is the order of the curve. So whoever has a certificate can make the other
// form of it without the key of the authority: it holds as the one does, and has another
// thumbprint.
func twin(cert, ca *x509.Certificate) *[sha256.Size]byte {
	key, ok := ca.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil
	}
	var form struct {
		Signed, Algorithm asn1.RawValue
		Signature         asn1.BitString
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(cert.Raw, &form); err != nil {
		return nil
	}
	if _, err := asn1.Unmarshal(form.Signature.Bytes, &signature); err != nil {
		return nil
	}
	signature.S.Sub(key.Params().N, signature.S)
	other, err := asn1.Marshal(signature)
	if err != nil {
		return nil
	}
	form.Signature = asn1.BitString{Bytes: other, BitLength: 8 * len(other)}
	der, err := asn1.Marshal(form)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(der)
	return &sum
}
