package main

import (
	"fmt"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// problemLine is a problem as compilers print one: position, object, field.
func problemLine(p authz.Problem) string {
	var s string
	switch {
	case p.Line > 0:
		s = fmt.Sprintf("%s:%d: ", p.File, p.Line)
	case p.File != "":
		s = p.File + ": "
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

// statusLine is a problem of a cluster's policy as its conditions have it, after
// the policy.
func statusLine(p authz.Problem) string {
	return strings.TrimPrefix(fmt.Sprintf("%s: %s: %s", p.Object, p.Severity, p), ": ")
}

// messageWithRef is the message, after the object and the entry that the field
// refers to.
func messageWithRef(p authz.Problem) string {
	switch {
	case p.Ref == "":
		return p.Text()
	case p.Key == "":
		return p.Ref + ": " + p.Text()
	}
	return p.Ref + ", entry " + p.Key + ": " + p.Text()
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
