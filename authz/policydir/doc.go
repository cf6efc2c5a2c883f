// Package policydir turns a directory of manifests into an engine.Input.
//
// Which to choose: [Load] reads once, for a command that checks something;
// [Watch] reads whenever anything changes, for a server. Both give a whole
// [Tree] or the reasons why there is none, never a part: what is in force must
// not depend on which file was broken.
//
// Reading is strict. An unknown field, a duplicate key, a wrong type or an
// unknown kind is a [authz.Problem] with file, line and what to do about it, and
// no problem ever holds a value of a Secret.
package policydir
