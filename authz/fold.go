package authz

// Lower turns the letters A to Z into lower case, and nothing else: Unicode has
// more letters that fold to ASCII (U+212A, the sign of Kelvin, to k), and what a
// server makes of those is its own choice.
func Lower(s string) string {
	for i := range len(s) {
		if isUpper(s[i]) {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return s
}

// EqualFold compares two texts without regard to the case of the letters A to Z.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// Alias folds a header name to what lenient servers may take it for: lower
// case, everything but letters and digits turned into '-'. Two names with one
// alias reach some upstreams as one variable (CGI, WSGI).
func Alias(name string) string {
	if isAlias(name) {
		return name
	}
	var space [64]byte
	return string(appendAlias(space[:0], name))
}

func isAlias(name string) bool {
	for i := range len(name) {
		if classes[name[i]]&aliasByte == 0 {
			return false
		}
	}
	return true
}

// appendAlias appends the alias of a name to b, which is empty.
func appendAlias(b []byte, name string) []byte {
	b = append(b, name...)
	for i := range b {
		b[i] = aliases[b[i]]
	}
	return b
}

// equalAlias says whether two names have one alias.
func equalAlias(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if aliases[a[i]] != aliases[b[i]] {
			return false
		}
	}
	return true
}

// aliases are the bytes that an [Alias] has for each byte.
var aliases = func() (of [256]byte) {
	for i := range of {
		if of[i] = lower(byte(i)); classes[of[i]]&aliasByte == 0 {
			of[i] = '-'
		}
	}
	return of
}()

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
