package authz

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PathForms is a set of forms of a path that servers read in two ways. A path with
// one is refused unless the policy that decides admits it.
type PathForms uint8

const (
	// EncodedSlash: %2F is data of a segment to some servers, a separator to others.
	EncodedSlash PathForms = 1 << iota
	// EmptySegment: some servers take // for /.
	EmptySegment
	// EncodedPercent: some servers decode %25 and two hexadecimal digits twice.
	EncodedPercent
)

// Names are the forms as spec.paths.allow of a policy has them.
func (f PathForms) Names() string {
	var out []string
	for i, name := range []string{"EncodedSlash", "EmptySegment", "EncodedPercent"} {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// problem is why a path with these forms is refused.
func (f PathForms) problem() string {
	switch {
	case f&EncodedSlash != 0:
		return "the path has an encoded slash or backslash"
	case f&EmptySegment != 0:
		return "the path has an empty segment"
	}
	return "the path is percent-encoded twice"
}

// Refused is the error of a request whose policy does not admit its PathForms.
func (f PathForms) Refused() error { return bad(f.problem()) }

// readPath refuses every path that proxy and upstream could resolve differently,
// whatever a policy admits. It returns what expressions see: the path decoded, each
// segment cut at its first ';' (some servers drop such parameters), but %2F, and
// %25 before two hexadecimal digits, as they are. readings are the other forms in
// which servers may read a path that has some of the forms.
func readPath(raw string) (path string, forms PathForms, readings []string, err error) {
	if raw == "" || raw[0] != '/' {
		return "", 0, nil, bad("the path does not start with '/'")
	}
	if isPlain(raw) {
		return raw, 0, nil, nil
	}
	var space [256]char
	chars, err := decodePath(space[:0], raw)
	if err != nil {
		return "", 0, nil, err
	}
	path, forms, err = chars.segments()
	if err != nil || forms == 0 {
		return path, forms, nil, err
	}
	// What a reading consists of may have a form in its turn.
	for seen := PathForms(0); seen != forms; {
		seen, readings = forms, nil
		for as := PathForms(1); as <= forms; as++ {
			if as&^forms != 0 {
				continue
			}
			other, more, err := chars.as(as)
			if err != nil {
				return "", 0, nil, err
			}
			if forms |= more; other != raw && !slices.Contains(readings, other) {
				readings = append(readings, other)
			}
		}
	}
	return path, forms, readings, nil
}

// isPlain says whether a path that starts with '/' is read as it is, by everybody:
// nothing in it is encoded, a parameter, an empty segment or one of dots.
func isPlain(path string) bool {
	if all, _ := classesOf(path); all&pathByte == 0 {
		return false
	}
	for i := 1; i < len(path); i++ {
		if path[i-1] != '/' {
			continue
		}
		if path[i] == '/' || path[i] == '.' && isDots(path[i:]) {
			return false
		}
	}
	return true
}

// isDots says whether the segment at the start of a path, without its '/', may be "."
// or "..".
func isDots(rest string) bool {
	rest = strings.TrimLeft(rest, ".")
	return rest == "" || rest[0] == '/'
}

// char is a decoded byte of a path.
type char struct {
	b byte
	// slash is one that came encoded; b is '/' then.
	slash bool
}

type chars []char

// decodePath decodes once, and appends to out.
func decodePath(out chars, raw string) (chars, error) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '#':
			return nil, bad("the request target has a fragment")
		case c == '\\':
			return nil, bad("the path has a backslash")
		case c <= ' ' || c == 0x7f:
			return nil, bad("the path has a space or a control character")
		case c != '%':
			out = append(out, char{b: c})
			continue
		}
		d, ok := Unescape(raw[i:])
		switch {
		case !ok:
			return nil, bad("the path has a malformed percent-encoding")
		case d == '\\':
			return nil, bad(EncodedSlash.problem())
		}
		out = append(out, char{b: d, slash: d == '/'})
		i += 2
	}
	return out, out.check()
}

// check refuses what is no text.
func (c chars) check() error {
	var space [256]byte
	text := space[:0]
	for i := range c {
		text = append(text, c[i].b)
	}
	if !utf8.Valid(text) {
		return bad("the decoded path is not UTF-8")
	}
	if bytes.ContainsFunc(text, unicode.IsControl) {
		return bad("the path has a control character")
	}
	return nil
}

// again decodes the byte that is still encoded at a place.
func (c chars) again(i int) (byte, bool) {
	if c[i].b != '%' || i+2 >= len(c) || c[i+1].slash || c[i+2].slash {
		return 0, false
	}
	high, ok1 := unhex(c[i+1].b)
	low, ok2 := unhex(c[i+2].b)
	return high<<4 | low, ok1 && ok2
}

// segments is the path as expressions see it, and the forms that it has.
func (c chars) segments() (path string, forms PathForms, err error) {
	var b strings.Builder
	b.Grow(len(c))
	start, cut := 1, false // of the segment; what is behind its ';' is cut
	end := func(last bool) error {
		switch s := b.String()[start:]; {
		case s == "." || s == "..":
			return bad("the path has a dot segment")
		case s == "" && !last:
			forms |= EmptySegment
		}
		return nil
	}
	b.WriteByte('/')
	for i := 1; i < len(c); i++ {
		_, twice := c.again(i)
		if twice {
			forms |= EncodedPercent
		}
		switch {
		case c[i].slash:
			forms |= EncodedSlash
			if !cut {
				b.WriteString("%2F")
			}
		case c[i].b == '/':
			if err := end(false); err != nil {
				return "", 0, err
			}
			b.WriteByte('/')
			start, cut = b.Len(), false
		case cut:
		case c[i].b == ';':
			cut = true
		case twice:
			b.WriteString("%25")
		default:
			b.WriteByte(c[i].b)
		}
	}
	return b.String(), forms, end(true)
}

// as is the path, undecoded, for servers that read some forms the other way, and
// the forms that it has then.
func (c chars) as(forms PathForms) (string, PathForms, error) {
	if forms&EncodedPercent != 0 {
		var err error
		if c, err = c.decodedAgain(); err != nil {
			return "", 0, err
		}
	}
	if forms&EncodedSlash != 0 {
		c = slices.Clone(c)
		for i := range c {
			c[i].slash = false
		}
	}
	if forms&EmptySegment != 0 {
		c = c.merged()
	}
	_, has, err := c.segments()
	return c.encoded(), has &^ forms, err
}

// merged is the path without empty segments, and those of a parameter alone, but
// for the last one.
func (c chars) merged() chars {
	out := make(chars, 0, len(c))
	for i := 0; i < len(c); {
		next := i + 1
		for next < len(c) && c[next] != (char{b: '/'}) {
			next++
		}
		if empty := next == i+1 || c[i+1] == (char{b: ';'}); !empty || next == len(c) {
			out = append(out, c[i:next]...)
		}
		i = next
	}
	return out
}

// decodedAgain decodes what is encoded still. It need be no text then.
func (c chars) decodedAgain() (chars, error) {
	out := make(chars, 0, len(c))
	for i := 0; i < len(c); i++ {
		b, twice := c.again(i)
		if !twice {
			out = append(out, c[i])
			continue
		}
		switch {
		case b == '\\':
			return nil, bad(EncodedSlash.problem())
		case b < ' ' || b == 0x7f:
			return nil, bad("the path has a control character")
		}
		out = append(out, char{b: b, slash: b == '/'})
		i += 2
	}
	for i := range out {
		if _, more := out.again(i); more {
			return nil, bad("the path is percent-encoded more than twice")
		}
	}
	return out, nil
}

// encoded is the path with everything encoded that is not plain in a segment.
func (c chars) encoded() string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(c))
	for _, x := range c {
		if !x.slash && (isToken(x.b) && x.b != '%' && x.b != '`' && x.b != '^' && x.b != '|' && x.b != '#' || strings.IndexByte("/;:@()=,", x.b) >= 0) {
			b = append(b, x.b)
			continue
		}
		b = append(b, '%', hex[x.b>>4], hex[x.b&15])
	}
	return string(b)
}
