// Package expr compiles and evaluates the expressions of a policy, in CEL
// (https://cel.dev). The operator writes them, the caller supplies what they
// read, so both are bounded: what an expression can cost is estimated when it
// is compiled and counted when it runs.
//
// An expression of kind [Bool] or [String] reads
//
//	request     id, method, path, scheme, host: string; headers, query:
//	            map(string, string); time: timestamp; body: bytes;
//	            source {address, principal: string}
//	identity    method, issuer, subject, credentialId: string; audiences,
//	            scopes, groups: list(string); claims: map(string, dyn);
//	            expiresAt: timestamp; actor {issuer, subject: string}
//	identities  map(string, identity): each method that succeeded, by name
//	context     map(string, string): what the proxy's configuration says
//	metadata    map(string, dyn): the proxy's dynamic metadata by namespace
//
// and one of kind [Claim] or [Subject] reads only `claims`, a map(string, dyn).
//
// Objects are typed: a field that does not exist is an error when the
// expression is compiled. A field that is not set (no actor, no end of the
// credential, a body that is not known) is an error when it is read;
// has(identity.actor) and identity.?actor ask first. Of a text or a list,
// has() says whether it is not empty. Header names are in lower case. A query
// parameter that occurs twice, cannot be decoded, or is there only for servers
// that split the query at ';' is an error when it is read, as is any text that
// is no UTF-8 or longer than the limits of this package.
//
// Functions are those of the CEL standard; optional types; of the strings
// library charAt, indexOf, lastIndexOf, lowerAscii, upperAscii, trim, split,
// substring, replace and join; sets.contains, sets.equivalent and
// sets.intersects; and pathPrefix(path, prefix), which compares whole
// segments. Numbers of different types can be compared by order; claims, which
// are dyn, also by ==.
//
// A failed evaluation is an error and never true. Of one that ended with its
// context, errors.Is finds the context's error. Errors name the place in the
// expression and never a value the expression has read: it may be a
// credential.
package expr
