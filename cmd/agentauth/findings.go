package main

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/policydir"
)

// finding is a problem of a manifest, wherever it was found, with its place.
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"` // error or warning
	Object   string `json:"object,omitempty"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message"`
	// fatal: a reload with it is refused. An unresolved reference is an error
	// for validate and is loaded all the same.
	fatal bool
}

func (f finding) String() string {
	s := f.File + ": "
	if f.Line > 0 {
		s = fmt.Sprintf("%s:%d: ", f.File, f.Line)
	}
	if f.Severity == "warning" {
		s += "warning: "
	}
	if f.Object != "" {
		s += f.Object + ": "
	}
	if f.Field != "" {
		s += f.Field + ": "
	}
	return s + f.Message
}

// compileTree compiles what was read. ok is false if the tree must not be put
// in force.
func compileTree(kernel *engine.Engine, tree *policydir.Tree, problems []policydir.Diagnostic) (s *engine.Snapshot, found []finding, ok bool) {
	ok = true
	for _, d := range problems {
		f := finding{File: d.File, Line: d.Line, Column: d.Column, Severity: "error", Object: d.Object, Field: d.Field, Message: d.Message, fatal: !d.Warning}
		if d.Warning {
			f.Severity = "warning"
		}
		ok = ok && d.Warning
		found = append(found, f)
	}
	if !ok || tree == nil {
		return nil, found, false
	}
	s, reports := kernel.Compile(tree.Input)
	for _, r := range reports {
		for _, p := range r.Problems {
			f := located(tree, r, p)
			ok = ok && !f.fatal
			found = append(found, f)
		}
	}
	return s, found, ok
}

// located gives a problem of compiling its place in the manifests.
func located(tree *policydir.Tree, r engine.Report, p authz.Problem) finding {
	at := tree.Locate("AgentAuthPolicy", r.Policy.Namespace, r.Policy.Name, p.Field)
	f := finding{
		File: at.File, Line: at.Line, Column: at.Column, Severity: p.Severity.Level(),
		Object: "AgentAuthPolicy " + r.Policy.String(), Field: p.Field, Message: p.Message,
		fatal: p.Severity.Fatal(),
	}
	if p.Ref != "" {
		f.Message = p.Ref + ": " + p.Message
		if p.Key != "" {
			f.Message = p.Ref + ", entry " + p.Key + ": " + p.Message
		}
	}
	return f
}
