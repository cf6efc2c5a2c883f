package authz

// class is what a byte may be part of.
type class uint8

const (
	// tokenByte is tchar of RFC 9110 5.6.2.
	tokenByte class = 1 << iota
	// aliasByte is a byte of a name that is its own [Alias].
	aliasByte
	upperByte
	// methodByte is a token's, and no letter in lower case.
	methodByte
	hostByte
	// pathByte stands for itself in a path, whoever reads it.
	pathByte
	// queryByte may be in a query; codedByte is '%' or '+', which encode there.
	queryByte
	codedByte
)

// classes are those of each byte.
var classes = func() (of [256]class) {
	for i := range of {
		c := byte(i)
		letter, digit := isLower(c) || isUpper(c), c >= '0' && c <= '9'
		token := letter || digit || isOneOf(c, "!#$%&'*+-.^_`|~")
		of[c] = when(token, tokenByte) | when(token && !isLower(c), methodByte) |
			when(isLower(c) || digit || c == '-', aliasByte) |
			when(isUpper(c), upperByte) |
			when(letter || digit || isOneOf(c, "-._"), hostByte) |
			when(c > ' ' && c < 0x7f && !isOneOf(c, `%\#;`), pathByte) |
			when(c > ' ' && c != 0x7f, queryByte) |
			when(isOneOf(c, "%+"), codedByte)
	}
	return of
}()

func when(is bool, c class) class {
	if is {
		return c
	}
	return 0
}

func isOneOf(c byte, list string) bool {
	for i := range len(list) {
		if list[i] == c {
			return true
		}
	}
	return false
}

// classesOf are the classes that all bytes of a text have, and those that any has.
func classesOf(s string) (all, some class) {
	all = ^class(0)
	for i := range len(s) {
		c := classes[s[i]]
		all &= c
		some |= c
	}
	return all, some
}

func isToken(c byte) bool { return classes[c]&tokenByte != 0 }

// breaks says whether a text has a CR, LF or NUL. It looks at eight bytes at once:
// for bytes under 0x0e, of which a field may have tabs.
func breaks(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		word := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		if (word-ones*0x0e)&^word&highs != 0 && anyBreak(b) {
			return true
		}
	}
	return anyBreak(s[i:])
}

func anyBreak(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return true
		}
	}
	return false
}
