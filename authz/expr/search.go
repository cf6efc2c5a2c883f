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
	text, part, offset, bad := searched(values)
	if bad != nil {
		return bad
	}
	if len(values) == 2 {
		offset = 0
	}
	if offset < 0 {
		return outOfRange(offset)
	}
	from, ok := byteOffset(text, offset)
	switch {
	case part == "" && !ok:
		return types.Int(utf8.RuneCountInString(text))
	case part == "":
		return types.Int(offset)
	case !ok:
		return types.IntNegOne
	}
	at := strings.Index(text[from:], part)
	if at < 0 {
		return types.IntNegOne
	}
	return types.Int(offset + utf8.RuneCountInString(text[from:from+at]))
}

func lastIndexOf(values ...ref.Val) ref.Val {
	text, part, offset, bad := searched(values)
	if bad != nil {
		return bad
	}
	end := len(text)
	if len(values) == 3 {
		if offset < 0 {
			return outOfRange(offset)
		}
		from, ok := byteOffset(text, offset)
		switch {
		case part == "" && !ok:
			return types.Int(utf8.RuneCountInString(text))
		case part == "":
			return types.Int(offset)
		case !ok || from == len(text):
			return types.IntNegOne
		}
		end = min(len(text), from+len(part)) // the last match begins at the offset
	} else if part == "" {
		return types.Int(utf8.RuneCountInString(text))
	}
	at := strings.LastIndex(text[:end], part)
	if at < 0 {
		return types.IntNegOne
	}
	return types.Int(utf8.RuneCountInString(text[:at]))
}

// searched are the arguments of a search; bad is the error if they are others.
func searched(values []ref.Val) (text, part string, offset int, bad ref.Val) {
	t, ok1 := values[0].(types.String)
	p, ok2 := values[1].(types.String)
	if !ok1 || !ok2 {
		return "", "", 0, types.MaybeNoSuchOverloadErr(values[0])
	}
	if len(values) == 3 {
		n, ok := values[2].(types.Int)
		if !ok {
			return "", "", 0, types.MaybeNoSuchOverloadErr(values[2])
		}
		offset = int(n)
	}
	return string(t), string(p), offset, nil
}

// byteOffset is where a character of a text begins; its end is one character
// more. It is false beyond that.
func byteOffset(text string, characters int) (int, bool) {
	n := 0
	for at := range text {
		if n == characters {
			return at, true
		}
		n++
	}
	return len(text), n == characters
}

func outOfRange(offset int) ref.Val {
	return types.WrapErr(fmt.Errorf("index out of range: %d", offset))
}
