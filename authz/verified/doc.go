// Package verified keeps credentials that were verified, so that one that comes
// again costs a digest and a look-up in place of parsing it, checking a signature
// and mapping claims.
//
// [Cache.Around] puts a [Cache] around the authenticators of a policy. What they
// answer is what they would answer without it:
//
//   - Only what Verify verified, Check let pass and Complete completed is kept. A
//     rejection, ErrNotMine and an unavailability never are: they cost the caller
//     no less the next time, may be wrong a moment later, and whoever can write
//     garbage could fill the cache with them.
//   - What depends on the request (time, audience, proof) is asserted by the
//     authenticator's own Check on every use.
//   - A credential is found by its SHA-256, which nobody can find a second text for,
//     under the authenticator's own inputs and its namespace. The header of a policy
//     can be edited and what is kept stays; with another key, audience or claim
//     mapping nothing is found. The credential itself is not kept.
//   - What was verified with keys that were replaced, removed or are too old is not
//     used: the fingerprint of the keys is compared on every use.
//   - What is kept is used for 10 minutes at most, and never beyond the end of the
//     credential: whatever may be wrong with it, it does not last.
//
// The cache is for what costs much to verify. An API key is found in a table already,
// and package password keeps digests of good passwords under a key of the process,
// because a password can be guessed by its SHA-256.
package verified
