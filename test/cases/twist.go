package cases

import (
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// twist changes the signature of a token:
//
//	flip     one bit of it
//	short    its last byte is missing
//	long     a byte follows
//	bits     the bits that its last character has to spare are not 0
//	der      r and s of ECDSA in ASN.1, as other protocols have them
//	r=0 s=0  r, or s, of ECDSA is 0
//	r+n      r of ECDSA with the order of P-521 added, which it has room for
func twist(how, token string) (string, error) {
	i := strings.LastIndexByte(token, '.')
	text := token[i+1:]
	sig, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if i < 0 || err != nil || len(sig) == 0 {
		return "", fmt.Errorf("expected a signed token, got %q", token)
	}
	half := len(sig) / 2
	switch how {
	case "flip":
		sig[0] ^= 1
	case "short":
		sig = sig[:len(sig)-1]
	case "long":
		sig = append(sig, 0)
	case "bits":
		last := strings.IndexByte(alphabet, text[len(text)-1])
		return token[:len(token)-1] + string(alphabet[last^1]), nil
	case "der":
		sig, err = asn1.Marshal([]*big.Int{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])})
	case "r=0":
		clear(sig[:half])
	case "s=0":
		clear(sig[half:])
	case "r+n":
		r := new(big.Int).SetBytes(sig[:half])
		r.Add(r, elliptic.P521().Params().N).FillBytes(sig[:half])
	default:
		return "", fmt.Errorf("unknown twist %q", how)
	}
	return token[:i+1] + base64.RawURLEncoding.EncodeToString(sig), err
}
