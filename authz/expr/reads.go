package expr

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/agentauth-dev/agentauth/authz"
)

// read is a value that an expression reads: a field, and what is below it.
type read struct {
	// text is the expression of it.
	text string
	// in is "headers" or "query" where it is one entry of these, called name.
	in, name string
}

// Bounds of what is shown of an expression.
const (
	maxReads = 8
	maxShown = 100
)

// reads are the values that an expression reads by a fixed path, each once.
func reads(e ast.Expr) (out []read) {
	inner, bound, seen := map[int64]bool{}, map[string]bool{}, map[string]bool{}
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			bound[e.AsComprehension().IterVar()] = true
		}
	}))
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if inner[e.ID()] || len(out) == maxReads {
			return
		}
		path, ok := pathOf(e, inner)
		if !ok || len(path) < 2 || bound[path[0]] || path[0] != requestName && path[0] != "identity" {
			return
		}
		r := read{text: path[0]}
		for i, name := range path[1:] {
			if i == 0 || path[0] == "identity" && path[1] == "actor" {
				r.text += "." + name
			} else if path[1] == "source" {
				r.text += "." + name
			} else {
				r.text += "[" + strconv.Quote(name) + "]"
			}
		}
		if path[0] == requestName {
			switch path[1] {
			case "body":
				return
			case "headers", "query":
				if len(path) != 3 {
					return
				}
				r.in, r.name = path[1], path[2]
			}
		}
		if !seen[r.text] {
			seen[r.text] = true
			out = append(out, r)
		}
	}))
	return out
}

// pathOf are the names from a variable to a value, and notes the nodes in between.
func pathOf(e ast.Expr, inner map[int64]bool) ([]string, bool) {
	of, name := ast.Expr(nil), ""
	switch e.Kind() {
	case ast.IdentKind:
		return []string{e.AsIdent()}, true
	case ast.SelectKind:
		of, name = e.AsSelect().Operand(), e.AsSelect().FieldName()
	case ast.CallKind:
		switch call := e.AsCall(); call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			text, ok := literal(call.Args()[1])
			if !ok {
				return nil, false
			}
			of, name = call.Args()[0], text
		}
	default:
	}
	if of == nil {
		return nil, false
	}
	path, ok := pathOf(of, inner)
	if ok {
		inner[of.ID()] = true
	}
	return append(path, name), ok
}

// Shown is the expression and the values that it reads, for people who have the
// request in hand: at most 8 values of at most 100 bytes. hidden says which
// headers ("headers") and query parameters ("query") may hold a credential; their
// values are left out, and so is a body. It is "" where nothing is read. It evaluates each value anew.
func (p *Program) Shown(ctx context.Context, in *Input, hidden func(in, name string) bool) string {
	if p == nil || len(p.reads) == 0 {
		return ""
	}
	parts := []string{authz.Cut(strings.Join(strings.Fields(p.src), " "), 2*maxShown)}
	for _, r := range p.reads {
		if r.in != "" && hidden(r.in, r.name) {
			parts = append(parts, r.text+" is hidden")
			continue
		}
		parts = append(parts, r.text+" "+valueOf(ctx, in, r))
	}
	return strings.Join(parts, "; ")
}

func valueOf(ctx context.Context, in *Input, r read) string {
	p, err := Compile(JSON, r.text)
	if err != nil {
		return "cannot be shown"
	}
	v, present, err := p.JSON(ctx, in)
	switch {
	case err != nil:
		_, why, _ := strings.Cut(err.Error(), ": ")
		return "cannot be read (" + why + ")"
	case !present:
		return "is empty"
	}
	return "is " + authz.Cut(written(v), maxShown)
}

// written is a value as an expression has it.
func written(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(authz.Cut(v, maxShown))
	case []any:
		var all []string
		for _, entry := range v[:min(len(v), maxShown)] {
			all = append(all, written(entry))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case map[string]any:
		return fmt.Sprintf("an object of %d entries", len(v))
	}
	return fmt.Sprint(v)
}
