package match

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"time"

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
	return &program{regex: re, perByte: time.Duration(len(compiled.Inst)) * step}, nil
}
