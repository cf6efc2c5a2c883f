package expr

import "fmt"

// Limits of the expression itself.
const (
	// MaxLength is the longest expression, in bytes.
	MaxLength = 4096
	// MaxRegex is the largest regular expression, in instructions of the
	// compiled program; "[a-z]{1,63}" has about 130.
	MaxRegex = 1024
	// maxNodes is the largest number of nodes after macros are expanded.
	maxNodes = 20_000
	// maxDepth is the deepest nesting. The type check of lists within lists takes
	// the third power of the depth: 15 seconds at 240.
	maxDepth = 50
	// maxUncachedSelects is how many fields an expression may read without a
	// cache. A cache costs more than a few reads.
	maxUncachedSelects = 24
	// maxInserted is the longest text that replace and join may put in, in
	// bytes: they can make a long text of the caller's longer before its cost is
	// counted.
	maxInserted = 64
)

// MaxCost is the highest cost of an expression, in CEL's units of at most about
// 100 ns. It bounds both the estimate of Compile and the cost of an evaluation.
const MaxCost = 1_000_000

// Limits of the values that an expression reads. A longer value is an error when
// it is read: so no single call takes long, and the estimated cost holds.
const (
	// MaxValue is the longest text of a request that can be read, be it the
	// path, a header or a query parameter, in bytes.
	MaxValue = 8 << 10
	// MaxBody is the longest body that can be read, in bytes.
	MaxBody = 64 << 10
	// MaxClaim is the longest text in claims, metadata and context, in bytes.
	MaxClaim = 16 << 10
	// MaxEntry is the longest entry of a list in a loop, name of a header or
	// parameter, and text of an identity outside its claims, in bytes.
	MaxEntry = 1 << 10
	// MaxNames is the largest number of names of headers, or of query
	// parameters, where an expression reads all: in a loop, a comparison, size().
	MaxNames = 256
)

// within returns an error if a text is too long to be read.
func within(what string, length, limit int) error {
	if length <= limit {
		return nil
	}
	return failure(fmt.Sprintf("%s is too long to be read in an expression: %d bytes, at most %d", what, length, limit))
}
