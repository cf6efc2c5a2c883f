package manifest

import (
	"cmp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// problems collects problems in the order of reading.
type problems struct {
	list   []authz.Problem
	inFile map[string]int
	fatal  bool
}

func (d *problems) add(p authz.Problem) {
	d.fatal = d.fatal || p.Severity.Fatal()
	if d.inFile == nil {
		d.inFile = map[string]int{}
	}
	switch n := d.inFile[p.File]; {
	case n == maxProblems:
		p = invalid(p.File, 0, "there are more problems in this file, and they are not told: correct these first")
	case n > maxProblems:
		return
	}
	d.inFile[p.File]++
	d.list = append(d.list, p)
}

// at adds a problem at a node of a file.
func (d *problems) at(file string, n *yaml.Node, p authz.Problem) {
	p.Severity, p.Position = authz.Invalid, authz.Position{File: file, Line: n.Line, Column: n.Column}
	d.add(p)
}

// sorted is the list, each file from top to bottom.
func (d *problems) sorted() []authz.Problem {
	slices.SortStableFunc(d.list, func(a, b authz.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.list
}

// invalid is a problem of a line of a file.
func invalid(file string, line int, message string) authz.Problem {
	return authz.Problem{Severity: authz.Invalid, Position: authz.Position{File: file, Line: line, Column: min(line, 1)}, Message: message}
}
