// Package audit records what was decided, by whom and why: one line of JSON for each
// decision and each change of a policy, apart from the log.
//
// A [Stream] makes a [Record] of a decision at once, as bytes, so that nothing of a
// request is held beyond its check. It hands the bytes to one queue for each [Sink],
// which are written in the background: a sink that is slow never makes a decision wait,
// unless the operator wants no decision without its record ([Config.Required]).
//
//	Decide -> Record -> bytes -> queue -> chain (seq, prev) -> sink
//
// Each line has the digest of the line before it. [Verify] says whether lines were
// changed, removed or put elsewhere.
//
// No record holds a credential, a header, a query or a body.
package audit
