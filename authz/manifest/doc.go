// Package manifest reads manifests of Kubernetes, strictly: text -> objects of
// their types, with positions. It opens no file; authz/policydir does.
//
// Start with [Read]: it takes the text of files and gives a whole [Tree] or the
// problems that are why there is none, never a part. A Tree has the Input for
// an engine, and finds the line of each field ([Tree.Locate]).
//
// An unknown field, a key that comes twice, a wrong type and an unknown kind
// are problems with file, line and what to do. No problem holds a value of a
// Secret.
package manifest
