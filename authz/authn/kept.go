package authn

import (
	"context"
	"crypto/sha256"
	"strconv"
	"time"
	"unsafe"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// Keepable is an Authenticator whose verified credentials may be kept, and used
// again for the same credential. What it verified holds no part of the text of the
// credential, which is a part of a whole request.
type Keepable interface {
	Authenticator
	// Inputs is a digest of all that Verify and Complete go by, but for the
	// credential and the State: with equal inputs and States they answer the same.
	// It never changes. false: nothing may be kept.
	Inputs() (d keyed.Digest, ok bool)
	// State is what changes while the policy stays, as the keys of an issuer do.
	// false: nothing that was kept may be used now.
	State() (s State, ok bool)
	// Ends is when what was verified may be used no more, at the latest when Check
	// begins to refuse for good; zero: never.
	Ends(v *Verified) time.Time
	// Disowns says that Verify answers ErrNotMine for a credential, whatever the
	// State is, by what another method verified of it. false says nothing.
	Disowns(v *Verified) bool
}

// State is a digest of what a method holds.
type State jwks.Fingerprint

// Mapped is a Mapper that can be told from others: with equal texts two Mappers do
// the same.
type Mapped interface {
	Mapper
	Texts() []string
}

var _ Keepable = (*JWT)(nil)

// Inputs implements [Keepable]. The audiences and the skew are Check's, which is
// asked on every use; they are inputs too, so that an edit of them empties what was
// kept. The places of the token and the owner change nothing that is verified.
func (j *JWT) Inputs() (keyed.Digest, bool) {
	m, ok := j.Map.(Mapped)
	if !ok || j.Missing != "" || j.Secret == nil && j.Keys == nil {
		return keyed.Digest{}, false
	}
	in := [][]byte{[]byte(j.Method), []byte(j.Issuer), j.Secret, []byte(j.ClockSkew.String())}
	in = appendInputs(in, []bool{j.AnyIssuer, j.AnyAudience, j.NoType, j.Secret != nil, j.Cluster != nil},
		j.OtherIssuers, j.Audiences, j.Algorithms, j.TokenTypes, m.Texts())
	return keyed.Of("jwt", in...), true
}

// appendInputs adds choices and lists to the inputs of a method. The length of each
// list is an input, so that no entry can move from one list to the next.
func appendInputs(in [][]byte, choices []bool, lists ...[]string) [][]byte {
	for _, yes := range choices {
		in = append(in, strconv.AppendBool(nil, yes))
	}
	for _, list := range lists {
		in = append(in, strconv.AppendInt(nil, int64(len(list)), 10))
		for _, s := range list {
			in = append(in, []byte(s))
		}
	}
	return in
}

// State implements [Keepable].
func (j *JWT) State() (State, bool) {
	if j.Secret != nil {
		return State{}, true // the secret is an input
	}
	f, ok := jwks.FingerprintOf(j.Keys)
	return State(f), ok
}

// Ends implements [Keepable].
func (j *JWT) Ends(v *Verified) time.Time { return v.Identity.ExpiresAt.Add(j.ClockSkew) }

// Disowns implements [Keepable].
func (j *JWT) Disowns(v *Verified) bool {
	if !v.token {
		return false
	}
	iss, has := v.Identity.Claims["iss"].(string)
	return !j.owns(&Token{Issuer: iss, HasIssuer: has})
}

// WhenComplete calls keep once Complete has made the identity complete. From then on
// nothing of v changes.
func (v *Verified) WhenComplete(keep func()) {
	complete := v.complete
	v.complete = func(ctx context.Context, id *authz.Identity) error {
		if complete != nil {
			if err := complete(ctx, id); err != nil {
				return err
			}
		}
		v.complete = nil
		keep()
		return nil
	}
}

// SizeBeside is how many bytes v takes beside itself and its Identity, at most.
func (v *Verified) SizeBeside() int {
	n := v.bound.size() + len(v.keyID)
	if v.certificate != nil {
		n += sha256.Size
	}
	if v.twin != nil {
		n += sha256.Size
	}
	return n
}

// Digest is the SHA-256 of the credential. It is made once, for all methods that
// ask.
func (p *Presented) Digest() [sha256.Size]byte {
	if !p.digested {
		// The bytes are only read: a copy would be the only allocation of a hit.
		p.digest = sha256.Sum256(unsafe.Slice(unsafe.StringData(p.Value), len(p.Value))) // #nosec G103
		p.digested = true
	}
	return p.digest
}
