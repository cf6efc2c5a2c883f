package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// compileTree compiles a tree and adds the problems of its policies to those of
// reading it. ok is false if a problem is fatal: then the tree must not be put
// in force.
func compileTree(kernel *engine.Engine, tree *manifest.Tree, problems []authz.Problem) (s *engine.Snapshot, all []authz.Problem, ok bool) {
	if tree == nil || anyFatal(problems) {
		return nil, problems, false
	}
	s, reports := kernel.Compile(tree.Input)
	for _, r := range reports {
		for _, p := range r.Problems {
			problems = append(problems, located(tree, r.Policy, p))
		}
	}
	return s, problems, !anyFatal(problems)
}

func anyFatal(problems []authz.Problem) bool {
	for _, p := range problems {
		if p.Severity.Fatal() {
			return true
		}
	}
	return false
}

// located is a problem of a policy with its place in the manifests.
func located(tree *manifest.Tree, policy types.NamespacedName, p authz.Problem) authz.Problem {
	p.Position = tree.Locate(v1alpha1.Kind, policy.Namespace, policy.Name, p.Field)
	p.Object = v1alpha1.Kind + " " + policy.String()
	return p
}

// problemLine is a problem as compilers print one: position, object, field.
func problemLine(p authz.Problem) string {
	s := p.File + ": "
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d: ", p.File, p.Line)
	}
	if level := p.Severity.Level(); level != "error" {
		s += level + ": "
	}
	if p.Object != "" {
		s += p.Object + ": "
	}
	if p.Field != "" {
		s += p.Field + ": "
	}
	return s + messageWithRef(p)
}

// messageWithRef is the message, after the object and the entry that the field
// refers to.
func messageWithRef(p authz.Problem) string {
	switch {
	case p.Ref == "":
		return p.Message
	case p.Key == "":
		return p.Ref + ": " + p.Message
	}
	return p.Ref + ", entry " + p.Key + ": " + p.Message
}

// printedProblem is a problem as validate -o json prints it.
type printedProblem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"` // error or warning
	Object   string `json:"object,omitempty"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message"`
}

func printable(problems []authz.Problem) []printedProblem {
	out := make([]printedProblem, len(problems))
	for i, p := range problems {
		out[i] = printedProblem{p.File, p.Line, p.Column, p.Severity.Level(), p.Object, p.Field, messageWithRef(p)}
	}
	return out
}
