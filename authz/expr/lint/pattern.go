package lint

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/agentauth-dev/agentauth/authz"
)

// matched are the text and the pattern of a call of matches.
func matched(call ast.CallExpr) (text, pattern ast.Expr) {
	if call.IsMemberFunction() {
		return call.Target(), call.Args()[0]
	}
	return call.Args()[0], call.Args()[1]
}

// pattern looks at a regular expression that is asked for the beginning of a path.
func (l *linter) pattern(e ast.Expr) {
	text, ok := literal(e)
	if !ok || !l.pay(matchVisits) {
		return
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return
	}
	for _, b := range beginnings(tree) {
		last := b.text[max(0, len(b.text)-1):]
		if !b.anchored || !b.literal || last == "" || last == "/" || !strings.HasPrefix(b.text, "/") {
			continue
		}
		// A class of characters at the end does not take them all: that is meant.
		if longer := b.text + "-other"; re.MatchString(b.text) && re.MatchString(longer) && re.MatchString(b.text+"~") {
			l.warn(e, authz.PrefixWithoutSlash, "it matches %q and %q too: write pathPrefix(request.path, ...), or end the expression in `(/|$)`", b.text, longer)
			return
		}
	}
}

// beginning is a text that a regular expression begins with.
type beginning struct {
	text string
	// anchored says that it is at the beginning of the path, and literal that its
	// end is written out.
	anchored, literal bool
}

// maxBeginnings bounds the texts of an expression that are tried.
const maxBeginnings = 8

// beginnings are some texts that a regular expression begins with, without what may
// be left out at its end.
func beginnings(re *syntax.Regexp) []beginning {
	switch re.Op {
	case syntax.OpBeginText, syntax.OpBeginLine:
		return []beginning{{anchored: true}}
	case syntax.OpLiteral:
		return []beginning{{text: string(re.Rune), literal: true}}
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			return []beginning{{text: string(re.Rune[0])}}
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return []beginning{{text: "a"}}
	case syntax.OpCapture, syntax.OpPlus:
		return beginnings(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == 1 {
			return beginnings(re.Sub[0])
		}
	case syntax.OpAlternate:
		var out []beginning
		for _, sub := range re.Sub {
			out = append(out, beginnings(sub)...)
		}
		return out[:min(len(out), maxBeginnings)]
	case syntax.OpConcat:
		return joined(re.Sub)
	default:
	}
	return []beginning{{}}
}

func joined(parts []*syntax.Regexp) []beginning {
	out := []beginning{{}}
	for _, part := range parts {
		var next []beginning
		for _, head := range out {
			for _, tail := range beginnings(part) {
				if tail.text == "" {
					tail.literal = head.literal
				}
				next = append(next, beginning{head.text + tail.text, head.anchored || head.text == "" && tail.anchored, tail.literal})
			}
		}
		out = slices.Clip(next[:min(len(next), maxBeginnings)])
	}
	return out
}
