package match

import (
	"fmt"
	"regexp"
	"regexp/syntax"
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

// compileRegex makes a regular expression that must match the whole text.
func compileRegex(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("expected a regular expression of at most %d bytes, got %d", MaxPattern, len(pattern))
	}
	// Parse it without anchors first: "a)|(b" is valid only inside of them.
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("expected a regular expression in RE2 syntax, got %q: %w", pattern, err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("expected a regular expression in RE2 syntax, got %q: %w", pattern, err)
	}
	if n := len(program.Inst); n > MaxProgram {
		return nil, fmt.Errorf("expected a regular expression of at most %d instructions when compiled, got %d: use smaller repeat counts, or + and *", MaxProgram, n)
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf(`expected a regular expression that ends what it begins (\Q without \E), got %q: %w`, pattern, err)
	}
	return re, nil
}
