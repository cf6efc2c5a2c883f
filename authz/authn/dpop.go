package authn

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Bounds of a proof (RFC 9449 4.3, 11.1).
const (
	maxProof   = 8 << 10          // bytes
	maxProofID = 256              // bytes of its jti
	proofPast  = 60 * time.Second // how old it may be, beside the skew of clocks
	proofAhead = 5 * time.Second  // how far its time may be ahead
	// proofSkew is how much of the skew of a method is granted at most. Methods and
	// policies with different skews take the proofs of one URI: what one has
	// accepted is remembered for as long as any of them would accept it.
	proofSkew = 30 * time.Second
)

// proofAlgorithms are those of proofs, as [jwks.Algorithm] names them: asymmetric ones
// only (RFC 9449 4.3 item 5).
var proofAlgorithms = []string{"ES256", "ES384", "EdDSA", "PS256", "RS256"}

// ProofAlgorithms are those of proofs, as challenges and metadata offer them: Ed25519
// is the newer name of EdDSA (RFC 9864).
var ProofAlgorithms = []string{"ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"}

// proof is a DPoP proof whose form is sound (RFC 9449 4.2).
type proof struct {
	*Token
	key        jwks.Key
	thumbprint [sha256.Size]byte
	made       time.Time // iat
	id         string    // jti
}

// proveKey holds a request to the rules of RFC 9449 4.3, what is cheap first. A
// proof is remembered once everything else holds, so that only who holds a token and
// its key can fill the store.
func (h *Proofs) proveKey(ctx context.Context, r *authz.Request, p *Presented, key *[sha256.Size]byte, skew time.Duration) error {
	skew = min(skew, proofSkew)
	proof, err := readProof(r)
	if err != nil {
		return err
	}
	if err := proof.isFor(r, p); err != nil {
		return err
	}
	if err := proof.isFresh(r.Time, skew); err != nil {
		return err
	}
	if proof.thumbprint != *key {
		return &Rejected{Reason: authz.ProofInvalid, Keyed: true, Detail: "the proof is by another key than the one that the token is bound to (cnf.jkt)"}
	}
	if p.proven {
		return nil // for another method, in this request
	}
	if err := h.verify(ctx, proof); err != nil {
		return err
	}
	once := sha256.Sum256(slices.Concat([]byte("dpop\x00"), key[:], []byte(proof.id)))
	if err := h.seen(ctx, once, proof.made.Add(proofPast+proofSkew).Sub(r.Time)+time.Second); err != nil {
		return err
	}
	p.proven = true
	return nil
}

// badProof is a proof that does not hold.
func badProof(detail string) error {
	return &Rejected{Reason: authz.ProofInvalid, BadProof: true, Keyed: true, Detail: detail}
}

// readProof reads the proof of a request, which is in one header, once.
func readProof(r *authz.Request) (*proof, error) {
	raw, fields := r.Header("dpop")
	switch {
	case fields == 0:
		return nil, &Rejected{Reason: authz.ProofRequired, BadProof: true, Keyed: true, Detail: "the token is bound to a key, and no proof came in the header dpop (RFC 9449 4.1)"}
	case fields > 1 || strings.Contains(raw, ","):
		return nil, badProof("more than one proof came in the header dpop (RFC 9449 4.3)")
	case len(raw) > maxProof:
		return nil, badProof("a proof has at most 8 KiB")
	}
	t, err := ParseToken(raw)
	if rejected := (*Rejected)(nil); errors.As(err, &rejected) {
		return nil, badProof("the proof is malformed: " + rejected.Detail)
	} else if err != nil {
		return nil, badProof("the proof is no JWT")
	}
	p := &proof{Token: t}
	if err := p.readKey(); err != nil {
		return nil, err
	}
	return p, p.readClaims()
}

// readKey reads the header: its type, its algorithm, and the key that the proof itself
// names (RFC 9449 4.2).
func (p *proof) readKey() error {
	if strings.TrimPrefix(authz.Lower(p.Type), "application/") != "dpop+jwt" {
		return &Rejected{Reason: authz.ProofInvalid, BadProof: true, Keyed: true, Detail: "the typ of the proof is not dpop+jwt",
			Came: func() string { return "typ is " + orAbsent(p.HasType, p.Type) + `, wanted "dpop+jwt"` }}
	}
	if !slices.Contains(proofAlgorithms, jwks.Algorithm(p.Algorithm)) {
		return badProof("the algorithm of the proof is none of " + strings.Join(proofAlgorithms, ", "))
	}
	var header struct {
		JWK jsontext.Value `json:"jwk"`
	}
	first, _, _ := strings.Cut(p.Raw, ".")
	data, err := decodeBase64URL(first)
	if err == nil {
		err = json.Unmarshal(data, &header)
	}
	if err != nil || header.JWK.Kind() != '{' {
		return badProof("the header of the proof has no jwk, the public key that it is signed with")
	}
	if p.key, err = jwks.ParseKey(header.JWK); err != nil {
		return badProof("the jwk of the proof is not usable: " + err.Error())
	}
	if !slices.Contains(p.key.Algorithms, jwks.Algorithm(p.Algorithm)) {
		return badProof("the algorithm of the proof does not fit its jwk")
	}
	thumbprint, err := decodeBase64URL(p.key.Thumbprint)
	if err != nil || len(thumbprint) != sha256.Size {
		return badProof("the jwk of the proof has no thumbprint")
	}
	p.thumbprint = [sha256.Size]byte(thumbprint)
	return nil
}

// readClaims reads what each proof has, whatever it is for.
func (p *proof) readClaims() error {
	var ok bool
	if p.id, ok = p.Claims["jti"].(string); !ok || p.id == "" || len(p.id) > maxProofID {
		return badProof("the proof has no jti that is a text of 1 to 256 bytes")
	}
	if p.made, ok = numericDate(p.Claims["iat"]); !ok {
		return badProof("the proof has no iat that is a time in seconds")
	}
	return nil
}

// isFor says whether the proof is for this request and this token.
func (p *proof) isFor(r *authz.Request, token *Presented) error {
	if method, _ := p.Claims["htm"].(string); method != r.Method {
		return &Rejected{Reason: authz.ProofInvalid, BadProof: true, Keyed: true, Detail: "the proof is for another method (htm)",
			Came: func() string { return "htm is " + Quote(method) + ", wanted " + Quote(r.Method) }}
	}
	if uri, _ := p.Claims["htu"].(string); !isTarget(uri, r) {
		return &Rejected{Reason: authz.ProofInvalid, BadProof: true, Keyed: true, Detail: "the proof is for another URI (htu)",
			Came: func() string { return "htu is " + Quote(uri) + ", wanted " + Quote("https://"+r.Host+r.RawPath) }}
	}
	digest := token.Digest()
	if ath, _ := p.Claims["ath"].(string); ath != base64.RawURLEncoding.EncodeToString(digest[:]) {
		return badProof("the proof is for another token: its ath is not the SHA-256 of this one in base64url")
	}
	return nil
}

// isFresh says whether the proof was made lately (RFC 9449 11.1).
func (p *proof) isFresh(now time.Time, skew time.Duration) error {
	at := "its iat is " + instant(p.made) + byClock(now, skew)
	switch {
	case now.After(p.made.Add(proofPast + skew)):
		return badProof("the proof is older than a minute: " + at)
	case now.Before(p.made.Add(-proofAhead - skew)):
		return badProof("the proof is of a time to come: " + at)
	}
	if err := checkTime(p.Claims, now, skew); err != nil {
		return badProof("the proof is outside of its exp or nbf")
	}
	return nil
}

// verify checks the signature with the key that the proof names.
func (h *Proofs) verify(ctx context.Context, p *proof) error {
	signature, ok := readSignature(p.Token)
	var err error
	if ok {
		if kind, slow := slowKey(p.key.Public); slow {
			ok, err = inTurn(ctx, h.Scheduler, work.Task{Owner: h.Owner, Kind: kind}, signature, p.key.Public)
		} else if err = ctx.Err(); err == nil {
			ok = signature.verifies(p.key.Public)
		}
	}
	switch {
	case err != nil:
		return unchecked(err)
	case !ok:
		return badProof("the signature of the proof is not one of its jwk")
	}
	return nil
}
