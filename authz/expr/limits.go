package expr

import (
	"fmt"
)

// Limits of what an expression may hold.
const (
	// MaxLength is the longest expression, in bytes.
	MaxLength = 4096
	// MaxRegex is the largest regular expression, in instructions of the
	// compiled program; "[a-z]{1,63}" has about 130.
	MaxRegex = 1024
	// maxNodes bounds what macros make of an expression.
	maxNodes = 20_000
	// maxDepth bounds nesting: the type check of lists within lists takes the
	// third power of it, 15 seconds for a depth of 240.
	maxDepth = 50
	// fewSelects is how often an expression may read what is long without
	// remembering that it did.
	maxUncachedSelects = 24
	// maxInserted is the longest text that replace and join may put in, in
	// bytes: they could grow what the caller sends before it is counted.
	maxInserted = 64
)

// MaxCost is what an expression may cost, in CEL's units: about 100 ns each at
// most. It bounds the estimate when the expression is compiled and the cost when
// it is evaluated.
const MaxCost = 1_000_000

// Limits of what an expression may read. What is longer is an error when it is
// read: the estimate of the cost counts on them, and no single call can then
// take long.
const (
	// MaxValue is the longest text of a request that can be read, be it the
	// path, a header or a query parameter, in bytes.
	MaxValue = 8 << 10
	// MaxBody is the longest body that can be read, in bytes.
	MaxBody = 64 << 10
	// MaxClaim is the longest text in claims, metadata and context, in bytes.
	MaxClaim = 16 << 10
	// MaxEntry is the longest entry of a list that is looped over, name of a
	// header or parameter, and text of an identity other than its claims, in
	// bytes.
	MaxEntry = 1 << 10
	// MaxNames is how many headers or query parameters of different names
	// there may be when all of them are read: by a loop, a comparison, size().
	MaxNames = 256
)

// within says that a text is short enough to be read.
func within(what string, length, limit int) error {
	if length <= limit {
		return nil
	}
	return failure(fmt.Sprintf("%s is too long to be read in an expression: %d bytes, at most %d", what, length, limit))
}
