package match

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// Limits of a regular expression. Go's engine is linear in the length of the
// text, and in that of the compiled program: a pattern of 1024 bytes can make
// a program of 128,000 instructions, which would take a long path seconds.
const (
	// MaxPattern is the longest regular expression, in bytes.
	MaxPattern = 1024
	// MaxProgram is the largest compiled regular expression, in instructions.
	// "[a-z]{1,63}" has about 130.
	MaxProgram = 1024
	// maxText is the longest value that is matched, in bytes. Whether a longer
	// value matches is unknown.
	maxText = 8 << 10
)

// step is what an instruction takes at most for a byte of text.
const step = 10 * time.Nanosecond

// program is a regular expression that must match the whole text.
type program struct {
	regex *regexp.Regexp
	// perByte is what a byte of text takes at most.
	perByte time.Duration
	// folded matches a folded path without regard to letter case; nil where the
	// expression itself does.
	folded *regexp.Regexp
}

// holdsFolded matches the path without regard to letter case, where that is asked.
func (p *program) holdsFolded(v *View) bool {
	switch {
	case v.folded == "" || v.folded == v.Path && p.folded == nil:
		return false
	case p.folded == nil:
		return p.holds(v, v.folded)
	}
	return (&program{regex: p.folded, perByte: p.perByte}).holds(v, v.folded)
}

// holds matches a text within the budget of the decision. Without time nothing
// holds, and the lookup is late.
//
// The namespaces of owners are not known here: all matches wait in one, and each
// owner is a policy of it.
func (p *program) holds(v *View, text string) (holds bool) {
	if v.Ctx == nil {
		return p.regex.MatchString(text)
	}
	if v.late = v.late || v.Ctx.Err() != nil; v.late {
		return false
	}
	b := work.BudgetOf(v.Ctx)
	if b != nil {
		b.Owner = work.Owner{Policy: strconv.Itoa(v.owner)}
	}
	err := b.Run(v.Ctx, time.Duration(len(text))*p.perByte, func() { holds = p.regex.MatchString(text) })
	v.late = err != nil
	return holds
}

// compileRegex makes a regular expression that must match the whole text.
func compileRegex(pattern string) (*program, error) {
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("expected a regular expression of at most %d bytes, got %d", MaxPattern, len(pattern))
	}
	// Parse it without anchors first: "a)|(b" is valid only inside of them.
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("expected a regular expression in RE2 syntax, got %q: %w", pattern, err)
	}
	compiled, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("expected a regular expression in RE2 syntax, got %q: %w", pattern, err)
	}
	if n := len(compiled.Inst); n > MaxProgram {
		return nil, fmt.Errorf("expected a regular expression of at most %d instructions when compiled, got %d: use smaller repeat counts, or + and *", MaxProgram, n)
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf(`expected a regular expression that ends what it begins (\Q without \E), got %q: %w`, pattern, err)
	}
	p := &program{regex: re, perByte: time.Duration(len(compiled.Inst)) * step}
	if cased(tree) {
		if p.folded, err = regexp.Compile("(?i)^(?:" + pattern + ")$"); err != nil {
			return nil, fmt.Errorf("expected a regular expression in RE2 syntax, got %q: %w", pattern, err)
		}
	}
	return p, nil
}

// cased says whether a regular expression may match a text otherwise than in lower
// case: it has capitals, or a class that has some letter in one case only.
func cased(tree *syntax.Regexp) bool {
	if tree.Flags&syntax.FoldCase == 0 {
		switch tree.Op {
		case syntax.OpLiteral:
			return slices.ContainsFunc(tree.Rune, func(r rune) bool { return foldRune(r) != r })
		case syntax.OpCharClass:
			return casedClass(tree.Rune)
		default:
		}
	}
	return slices.ContainsFunc(tree.Sub, cased)
}

// casedClass looks at the letters of ASCII; a class that has some characters beyond
// and not all of them counts as cased.
func casedClass(ranges []rune) bool {
	has := func(r rune) bool {
		for i := 0; i < len(ranges); i += 2 {
			if r >= ranges[i] && r <= ranges[i+1] {
				return true
			}
		}
		return false
	}
	for r := 'A'; r <= 'Z'; r++ {
		if has(r) && !has(foldRune(r)) {
			return true
		}
	}
	last := len(ranges) - 2
	return last >= 0 && ranges[last+1] >= utf8.RuneSelf && (ranges[last] > utf8.RuneSelf || ranges[last+1] != unicode.MaxRune)
}
