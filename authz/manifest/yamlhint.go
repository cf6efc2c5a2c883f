package manifest

import (
	"bytes"
	"regexp"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inQuotes is the cure of most mistakes around expressions. It repeats nothing
// of the file, which may be a Secret.
const inQuotes = `put the whole value in single quotes, as in require: '"reader" in identity.scopes'`

// lineWhere is the line that brings the parser to its message, which names where
// the mapping or list around the mistake begins: the shortest text from the
// start that the parser says this of. It is 0 if the file is too large to be
// parsed that often.
func lineWhere(data []byte, message string) int {
	if len(data) > maxExplained {
		return 0
	}
	var ends []int // of lines
	for i, b := range data {
		if b == '\n' || i == len(data)-1 {
			ends = append(ends, i+1)
		}
	}
	return 1 + sort.Search(len(ends)-1, func(i int) bool { return yamlError(data[:ends[i]]) == message })
}

// yamlError is what the parser says of a text; "" if nothing.
func yamlError(data []byte) string {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			return strings.TrimPrefix(err.Error(), "EOF")
		}
	}
}

var (
	// valueStart is what stands before a value: the items and the key.
	valueStart = regexp.MustCompile(`^ *(?:- +)*(?:(?:[A-Za-z0-9_./-]+|"[^"]*"|'[^']*') *:(?: +|$))?`)
	// noSpace is a key whose ':' no space follows; "https://" is none.
	noSpace = regexp.MustCompile(`^ *(?:- +)*[A-Za-z][A-Za-z0-9_-]*:[^ \t:/]`)
	// inBrackets is a value in brackets that starts with an indicator of YAML.
	inBrackets = regexp.MustCompile("(?:[\\[{,]|: ) *([*&!@%`])")
	// afterQuote is what may stand behind a closing quote or bracket.
	afterQuote = regexp.MustCompile(`^[ \t]*(?:$|[ \t]#|[,\]}:])`)
)

// lineHint says what is most likely wrong with a line that the parser does not
// take; "" if nothing is seen.
func lineHint(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if strings.HasPrefix(strings.TrimLeft(line, " "), "\t") {
		return "the line is indented with a tab; YAML indents with spaces only"
	}
	value := line[len(valueStart.FindString(line)):]
	if value == "" {
		return ""
	}
	switch c := value[0]; c {
	case '"', '\'':
		if rest, closed := afterClosing(value); closed && !afterQuote.MatchString(rest) {
			if c == '\'' && strings.Contains(rest, "'") {
				return "the value ends at its second single quote, and more comes; write a single quote in single quotes twice, or " + inQuotes
			}
			return "the value begins with a quote, so it ends at the next one, and more comes; " + inQuotes
		}
	case '@', '`', '%':
		return `a character no value can start with, "` + value[:1] + `"; ` + inQuotes
	case '!':
		return `"!" at the start of a value is a tag in YAML; ` + inQuotes
	case '&':
		return `"&" at the start of a value is an anchor in YAML; ` + inQuotes
	case '*':
		return `"*" at the start of a value is an alias in YAML; put the value in single quotes, as in '*.example.com'`
	case '|', '>':
		return `"` + value[:1] + `" at the start of a value begins a block of lines below it, and something comes behind it; ` + inQuotes
	case '?':
		return `"?" at the start of a value is a key in YAML; ` + inQuotes
	case '[', '{':
		if m := inBrackets.FindStringSubmatch(value); m != nil {
			return `a value in brackets starts with "` + m[1] + `", which YAML takes for itself; put the value in single quotes, as in ['*.example.com']`
		}
		if end := strings.LastIndexByte(value, map[byte]byte{'[': ']', '{': '}'}[c]); end > 0 && !afterQuote.MatchString(value[end+1:]) {
			return `the value begins with a bracket, so it ends where that is closed, and more comes; ` + inQuotes
		}
	}
	if noSpace.MatchString(line) {
		return `a space is missing after ":"; write "key: value"`
	}
	if value[0] != '[' && value[0] != '{' && strings.Contains(value, ": ") || strings.HasSuffix(value, ":") {
		return `a ": " comes where no value can begin; look at the indentation of this line and the one before; if it is of an expression, ` + inQuotes
	}
	return ""
}

// afterClosing is what follows the closing quote of a quoted value.
func afterClosing(value string) (rest string, closed bool) {
	quote := value[0]
	for i := 1; i < len(value); i++ {
		switch {
		case value[i] == '\\' && quote == '"':
			i++
		case value[i] == quote && quote == '\'' && i+1 < len(value) && value[i+1] == quote:
			i++
		case value[i] == quote:
			return value[i+1:], true
		}
	}
	return "", false
}
