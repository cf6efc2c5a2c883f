// Package expr compiles and evaluates the expressions of a policy, in CEL
// (https://cel.dev).
//
// Start with [Compile] (or [Memo], which compiles equal expressions once). The
// [Kind] says what an expression may read and yield, and which method evaluates
// its [Program]:
//
//	Bool     Program.Bool          a condition (when, require)
//	String   Program.String        the value of a header
//	JSON     Program.JSON          a value of metadata
//	Subject  Program.ClaimString   the subject of a token
//	Claim    Program.ClaimScopes   the scopes of a token, and
//	         Program.ClaimStrings  its groups
//	Actor    Program.ClaimActor    who acts for its subject
//
// An operator writes the expression and a caller sends its values, so both are
// bounded (limits.go): a long expression or value is an error. Compile refuses
// large types before the type check (shape.go), large regular expressions before
// it compiles them (regex.go), and an expression whose estimated cost is over
// [MaxCost] (estimate.go). An evaluation ends where its counted cost is (count.go);
// a call that alone could take longer is weighed before (guard.go).
//
// An expression of kind [Bool], [String] or [JSON] reads
//
//	request     id, method, path, scheme, host: string; headers, query:
//	            map(string, string); time: timestamp; body: bytes;
//	            source {address, principal: string}
//	identity    method, issuer, subject, credentialId: string; audiences,
//	            scopes, groups: list(string); claims: map(string, dyn);
//	            expiresAt: timestamp; actor {issuer, subject: string}
//	identities  map(string, identity): each method that succeeded, by name
//	context     map(string, string): context extensions of the proxy's route
//	metadata    map(string, dyn): the proxy's dynamic metadata by namespace
//	mcp         method, tool, resource, prompt, id: string, "" where the call has
//	            none; arguments: map(string, dyn). Only a policy of a server of MCP
//	            has it.
//
// An expression of kind [Claim], [Subject] or [Actor] reads only `claims`, a
// map(string, dyn).
//
// Objects are typed: Compile refuses a field that does not exist. A field that
// is not set (no actor, no end of the credential, a body that is not known) is
// an error when it is read; has(identity.actor) and identity.?actor ask first.
// has() of a text or a list is true if it is not empty. Header names have no
// letter case; listed they are in lower case. These are errors when they are
// read: a header that came more than once or under an alias, but for lists; a
// query parameter that occurs twice or cannot be decoded; a text that is not
// UTF-8; a text over the limits. Whether a header is there is known all the same,
// unless it came under an alias alone. Of a query parameter that only some servers
// see, behind ';' or in brackets, even that is an error, and so is listing a query
// with such parameters.
//
// Functions are those of the CEL standard; optional types; of the strings
// library charAt, indexOf, lastIndexOf, lowerAscii, upperAscii, trim, split,
// substring, replace and join; sets.contains, sets.equivalent and
// sets.intersects; ip(), cidr() and what Kubernetes has for them; and
// pathPrefix(path, prefix), which compares whole segments. Numbers of different types can be compared by order; claims, which
// are dyn, also by ==.
//
// What compares texts, bools, ints and lists of texts, as most expressions do, is evaluated
// on Go values (direct.go), and all else by CEL: with the same values and errors.
//
// A failed evaluation is an error and never true. If the context ended it,
// errors.Is finds the context's error. An error names line and column of the
// expression, and never a value that was read: it may be a credential.
package expr
