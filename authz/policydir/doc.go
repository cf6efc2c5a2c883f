// Package policydir reads directories of manifests.
//
// Which to choose: [Load] reads once, for a command that checks something;
// [Watch] reads whenever anything changes, for a server. Both give a whole tree
// or the problems that are why there is none, never a part: what is in force
// must not depend on which file was broken. Package manifest says what is wrong
// with a file.
package policydir
