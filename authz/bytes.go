package authz

// class is what a byte may be part of.
type class uint16

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
	// oddByte has a meaning in the name of a parameter, for some servers.
	oddByte
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
			when(isOneOf(c, "%+"), codedByte) |
			when(isOneOf(c, "[]. "), oddByte)
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

// breaks says whether a text has a CR, LF or NUL. It looks at many bytes at once for
// those under 0x0e, of which a field may have tabs.
func breaks(s string) bool {
	if len(s) < 8 {
		return anyBreak(s)
	}
	rest := s
	for ; len(rest) > 32; rest = rest[32:] {
		if under0e(rest[:8])|under0e(rest[8:16])|under0e(rest[16:24])|under0e(rest[24:32]) != 0 && anyBreak(rest[:32]) {
			return true
		}
	}
	for ; len(rest) > 8; rest = rest[8:] {
		if under0e(rest[:8]) != 0 && anyBreak(rest[:8]) {
			return true
		}
	}
	last := s[len(s)-8:]
	return under0e(last) != 0 && anyBreak(last)
}

// under0e is not 0 if any of eight bytes is under 0x0e.
func under0e(b string) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	_ = b[7]
	word := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	return (word - ones*0x0e) &^ word & highs
}

func anyBreak(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return true
		}
	}
	return false
}
