// Package authz is the vocabulary of a decision. It is a leaf: it imports
// nothing of this module.
//
// A door turns what it received into a [Raw] and calls [NewRequest], which
// refuses every request that two parties could read differently. The kernel
// (package engine) turns a [Request] into a [Decision]. A door encodes the
// Decision for its proxy. An [Identity] is who the request turned out to come
// from, and a [Reason] is one word, of a closed list, for why.
package authz
