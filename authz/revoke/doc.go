// Package revoke reads revocations and finds the one that a credential falls under.
//
// A revocation is an entry of a ConfigMap: what a credential has to be for it (an
// issuer and a subject, an actor, a client, a token, a key), and until when. [Read]
// makes a [List] of ConfigMaps. [InForce] holds the List by which is decided, apart
// from policies, so that no compile stands between a revocation and its effect.
// [InForce.Hit] is asked on every use of a credential, kept or not.
package revoke
