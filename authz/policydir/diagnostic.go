package policydir

import (
	"cmp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Position is a place in a file. Line and Column count from 1; 0 is unknown.
type Position struct {
	File         string
	Line, Column int
}

// Diagnostic is one thing that is wrong with a manifest.
type Diagnostic struct {
	File string
	// Line and Column count from 1; 0 where the file as a whole is meant.
	Line, Column int
	// Object is "Kind namespace/name" as far as it is known.
	Object string
	// Field is the path of the field, as in "spec.routes[0].hostnames[1]".
	Field string
	// Message says what was expected, what came and what to do. It never holds
	// a value of a Secret.
	Message string
	// Warning: the tree can be used all the same.
	Warning bool
}

// maxDiagnostics is how many diagnostics of one file are told: those after the
// first few follow from them.
const maxDiagnostics = 100

// diagnostics collects what is wrong, in the order of reading.
type diagnostics struct {
	list   []Diagnostic
	inFile map[string]int
	failed bool
}

func (d *diagnostics) add(p Diagnostic) {
	d.failed = d.failed || !p.Warning
	if d.inFile == nil {
		d.inFile = map[string]int{}
	}
	switch n := d.inFile[p.File]; {
	case n == maxDiagnostics:
		p = Diagnostic{File: p.File, Message: "there are more problems in this file, and they are not told: correct these first"}
	case n > maxDiagnostics:
		return
	}
	d.inFile[p.File]++
	d.list = append(d.list, p)
}

// at adds what is wrong at a node of a file.
func (d *diagnostics) at(file string, n *yaml.Node, p Diagnostic) {
	p.File, p.Line, p.Column = file, n.Line, n.Column
	d.add(p)
}

// sorted is the list, each file from top to bottom.
func (d *diagnostics) sorted() []Diagnostic {
	slices.SortStableFunc(d.list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.list
}
