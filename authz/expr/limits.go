package expr

import "fmt"

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
