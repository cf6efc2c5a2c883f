package expr

import (
	"fmt"
	"unicode/utf8"

	"cel.dev/cel-go/common/types/ref"
)

// Limits of the expression itself.
const (
	// MaxLength is the longest expression, in bytes.
	MaxLength = 4096
	// MaxRegex is the largest regular expression, in instructions of the
	// compiled program; "[a-z]{1,63}" has about 130.
	MaxRegex = 1024
	// maxRegexes is the largest sum of the sizes of regular expressions.
	maxRegexes = 4 * MaxRegex
	// maxClasses is the largest number of Unicode classes in regular expressions.
	maxClasses = 32
	// maxNodes is the largest number of nodes after macros are expanded.
	maxNodes = 20_000
	// maxDepth is the deepest nesting.
	maxDepth = 50
	// maxTypeSize is the largest type, in parts; list(map(string, dyn)) has four.
	// The type check writes the type of each node out, more than once.
	maxTypeSize = 12
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
	// maxText is the longest text that an expression makes, in bytes.
	maxText = 4 * MaxBody
	// MaxClaim is the longest text in claims, metadata and context, in bytes.
	MaxClaim = 16 << 10
	// MaxEntry is the longest entry of a list in a loop, name of a header or
	// parameter, and text of an identity outside its claims, in bytes.
	MaxEntry = 1 << 10
	// maxEntries is the longest list, or the largest object of claims, that an
	// expression reads, and the longest list that split() makes. Costs are
	// estimated for lists of this length.
	maxEntries = 256
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

// mostEntries is maxEntries. Tests of what ends an evaluation that costs more
// than estimated change it.
var mostEntries = maxEntries

// fewEntries returns an error if a list or object is too long to be read.
func fewEntries(what string, n int) error {
	if n <= mostEntries {
		return nil
	}
	return failure(fmt.Sprintf("%s is too long to be read in an expression: %d entries, at most %d: let the provider put fewer in", what, n, mostEntries))
}

// cache keeps results for one evaluation, so that a loop reads each long part of
// a request once. A nil cache keeps nothing.
type cache struct {
	valid map[string]bool
	// lists has the results of readable by the first entry of a list.
	lists   map[*string]error
	headers *names
	query   *names
	// parameters is the query by name; nil until it is read.
	parameters *parameters
	identities ref.Val
}

// minCachedLength is the length in bytes from which a look-up of a text in the
// cache is faster than a check of its bytes.
const minCachedLength = 64

// isUTF8 is utf8.ValidString, cached.
func (c *cache) isUTF8(s string) bool {
	if c == nil || len(s) < minCachedLength {
		return utf8.ValidString(s)
	}
	valid, known := c.valid[s]
	if !known {
		if c.valid == nil {
			c.valid = map[string]bool{}
		}
		valid = utf8.ValidString(s)
		c.valid[s] = valid
	}
	return valid
}

// readable returns an error if a list of texts cannot be read.
func (c *cache) readable(path string, list []string) error {
	if c == nil || len(list) == 0 {
		return readable(path, list)
	}
	err, known := c.lists[&list[0]]
	if !known {
		if c.lists == nil {
			c.lists = map[*string]error{}
		}
		err = readable(path, list)
		c.lists[&list[0]] = err
	}
	return err
}

func readable(path string, list []string) error {
	if err := fewEntries(path, len(list)); err != nil {
		return err
	}
	for _, s := range list {
		if len(s) > MaxEntry {
			return within("an entry of "+path, len(s), MaxEntry)
		}
		if !utf8.ValidString(s) {
			return failure(path + " has an entry that is no UTF-8")
		}
	}
	return nil
}

// cachedInput is an Input with the cache of one evaluation, in one allocation.
type cachedInput struct {
	in    Input
	cache cache
}

// withCache copies an Input for one evaluation and gives it a cache.
func withCache(in *Input) *Input {
	c := &cachedInput{in: *in}
	c.in.cache = &c.cache
	return &c.in
}
