package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// indexOf and lastIndexOf are CEL's functions in a time that is linear in the
// texts. CEL's own compare every position with all of what is searched.
func indexOf(values ...ref.Val) ref.Val {
	s, done := newSearch(values)
	if done != nil {
		return done
	}
	at := strings.Index(s.text[s.from:], s.part)
	if at >= 0 {
		at += s.from
	}
	return position(s.text, at)
}

func lastIndexOf(values ...ref.Val) ref.Val {
	s, done := newSearch(values)
	end := len(s.text)
	switch {
	case done != nil:
		return done
	case len(values) == 3 && s.from == end:
		return types.IntNegOne
	case len(values) == 3:
		end = min(end, s.from+len(s.part)) // the last match begins at the offset
	}
	return position(s.text, strings.LastIndex(s.text[:end], s.part))
}

// search is a text, what is searched in it, and where in the text the offset is;
// that is its end for all that is beyond it, and 0 without an offset.
type search struct {
	text, part string
	from       int
}

// newSearch reads the arguments. done is the result if there is nothing to search.
func newSearch(values []ref.Val) (s search, done ref.Val) {
	text, ok1 := values[0].(types.String)
	part, ok2 := values[1].(types.String)
	if !ok1 || !ok2 {
		return s, types.MaybeNoSuchOverloadErr(values[0])
	}
	s.text, s.part = string(text), string(part)
	if len(values) < 3 {
		return s, nil
	}
	offset, ok := values[2].(types.Int)
	switch {
	case !ok:
		return s, types.MaybeNoSuchOverloadErr(values[2])
	case offset < 0:
		return s, types.WrapErr(fmt.Errorf("index out of range: %d", offset))
	}
	s.from = byteOffset(s.text, int(offset))
	if s.part == "" {
		return s, position(s.text, s.from)
	}
	return s, nil
}

// position is the character at which a byte of a text is; -1 if there is none.
func position(text string, at int) ref.Val {
	if at < 0 {
		return types.IntNegOne
	}
	return types.Int(utf8.RuneCountInString(text[:at]))
}

// byteOffset is where a character of a text begins; its end for those beyond.
func byteOffset(text string, characters int) int {
	n := 0
	for at := range text {
		if n == characters {
			return at
		}
		n++
	}
	return len(text)
}
