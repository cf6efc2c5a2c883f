package expr

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
)

// hint says what to write instead of what an error is about, "" where that is not
// known. Lines count from 1 and columns from 0, in characters.
func hint(kind Kind, src string, line, column int, message string) string {
	before, rest := around(src, line, column)
	if m := dashed.FindStringSubmatch(before); m != nil && !strings.HasPrefix(message, "Syntax error") {
		return dashHint(strings.TrimSuffix(before, m[3]), m[3]+strings.TrimPrefix(dashedTo.FindString("-"+rest), "-"))
	}
	if m := quotedName.FindStringSubmatch(message); m != nil {
		switch {
		case strings.HasPrefix(message, "undefined field"):
			return fieldHint(before, m[1])
		case strings.HasPrefix(message, "undeclared reference"):
			return nameHint(kind, m[1], rest)
		}
	}
	switch {
	case strings.HasPrefix(message, "found no matching overload for 'contains' applied to 'list("):
		return "write `\"x\" in list`"
	case strings.HasPrefix(message, "type 'bytes' does not support"):
		return "the body is bytes: string(request.body) is its text; a field of JSON in it cannot be read"
	case strings.HasPrefix(message, "invalid argument to has()"):
		return "has() takes a field, as in has(identity.claims.org); for a name in brackets write \"org\" in identity.claims"
	case comparesTime.MatchString(message):
		return "a time is written timestamp(\"2027-01-31T00:00:00Z\"), and a while duration(\"90s\")"
	case strings.HasPrefix(message, "Syntax error") && escaped.MatchString(rest):
		return "a backslash in a text is written twice, or the text as r\"...\""
	case strings.HasPrefix(message, "Syntax error"):
		return syntaxHint(before, rest)
	case strings.HasPrefix(message, "reserved identifier: if"):
		return "write `condition ? a : b`"
	case strings.Contains(message, "'_-_'"):
		return dashHint(before, rest)
	}
	return ""
}

var (
	comparesTime = regexp.MustCompile(`'\((timestamp|duration), (string|int)\)'|'\((string|int), (timestamp|duration)\)'`)
	escaped      = regexp.MustCompile(`^["'][^"']*\\[^"'\\abfnrtvxuU0-7?` + "`" + `]`)

	quotedName = regexp.MustCompile(`'([A-Za-z_]\w*)'`)
	lastWord   = regexp.MustCompile(`([A-Za-z_]\w*)\s*$`)
	firstWord  = regexp.MustCompile(`^\s*([A-Za-z_]\w*)`)
	dashedFrom = regexp.MustCompile(`([A-Za-z_][\w.]*)\.(\w+)\s*$`)
	dashed     = regexp.MustCompile(`([A-Za-z_][\w.]*)\.(\w+)((?:-\w+)*-)$`)
	dashedTo   = regexp.MustCompile(`^(-\w+)+`)
)

// around splits a line of an expression at a column.
func around(src string, line, column int) (before, rest string) {
	lines := strings.Split(src, "\n")
	if line < 1 || line > len(lines) {
		return "", ""
	}
	text, at := lines[line-1], 0
	for range column {
		_, n := utf8.DecodeRuneInString(text[at:])
		at += n
	}
	return text[:at], text[at:]
}

// words are what other languages call operators of CEL.
var words = map[string]string{
	"and": "write && for and", "or": "write || for or", "not": "write ! for not",
	"is": "write == to compare", "eq": "write == to compare", "ne": "write != for what differs",
	"contains": "write its argument in parentheses, as in a.contains(b)", "startswith": "write its argument in parentheses, as in a.startsWith(b)",
	"matches": "write its argument in parentheses, as in a.matches(b)", "endswith": "write its argument in parentheses, as in a.endsWith(b)",
}

func syntaxHint(before, rest string) string {
	switch r, _ := utf8.DecodeRuneInString(rest); {
	case r == '=' && !strings.HasPrefix(rest, "=="):
		return "write == to compare"
	case r == '&':
		return words["and"]
	case r == '|':
		return words["or"]
	case r == '>' && strings.HasSuffix(before, "<"):
		return words["ne"]
	case strings.ContainsRune("“”„‘’‚«»", r) && rest != "":
		return "write straight quotes around a text, \" or '"
	case r == '$' || r == '}' || strings.Contains(before, "{{"):
		return "write the expression alone, without ${...} or {{...}} around it"
	case rest == "":
		return "something is missing at the end"
	}
	if m := firstWord.FindStringSubmatch(rest); m != nil && words[strings.ToLower(m[1])] != "" {
		return words[strings.ToLower(m[1])]
	}
	if m := lastWord.FindStringSubmatch(before); m != nil {
		switch word := words[strings.ToLower(m[1])]; {
		case word != "":
			return word
		case rest[0] == '"' || rest[0] == '\'':
			return "write the arguments of a function in parentheses"
		}
	}
	return ""
}

// otherNames are names of other languages.
var otherNames = map[string]string{"true": "write true", "false": "write false", "nil": "write null", "none": "write null", "null": "write null", "undefined": "write null"}

func nameHint(kind Kind, name, rest string) string {
	if strings.HasPrefix(strings.TrimPrefix(rest, name), "(") {
		switch strings.ToLower(name) {
		case "len", "length", "count":
			return "write size()"
		case "includes", "has", "hasany":
			return "write `\"x\" in list`"
		case "lower", "tolower", "tolowercase":
			return "write lowerAscii()"
		}
		return nearest(name, []string{"startsWith", "endsWith", "contains", "matches", "size", "exists", "lowerAscii", "upperAscii", "pathPrefix", "containsIP", "orValue", "hasValue", "split", "join"})
	}
	if other := otherNames[strings.ToLower(name)]; other != "" {
		return other
	}
	variables := []string{"request", "identity", "identities", "context", "metadata", mcpName}
	if kind.readsClaims() {
		if slices.Contains(variables, name) {
			return "claimMappings read `claims` only, as in claims.sub"
		}
		variables = []string{"claims"}
	} else if name == "claims" {
		return "write identity.claims"
	}
	if near := nearest(name, variables); near != "" {
		return near
	}
	if after := strings.TrimPrefix(rest, name); strings.HasPrefix(after, ".") || strings.HasPrefix(after, "[") {
		return "the variables are " + strings.Join(variables, ", ")
	}
	return "a text needs quotes: write \"" + name + "\""
}

func nearest(name string, candidates []string) string {
	if near := authz.Near(name, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// otherFields are what others call our fields.
var otherFields = map[string]string{
	"sub": "subject", "user": "subject", "username": "subject", "name": "subject", "iss": "issuer", "aud": "audiences", "audience": "audiences",
	"scope": "scopes", "scp": "scopes", "exp": "expiresAt", "group": "groups", "act": "actor", "jti": "credentialId",
	"header": "headers", "url": "path", "uri": "path", "url_path": "path", "verb": "method", "params": "query", "queryParams": "query", "authority": "host", "ip": "source.address",
}

// fieldHint knows an object by the word before the field.
func fieldHint(before, name string) string {
	of := map[string]fields{"request": requestFields, "identity": identityFields, "source": sourceFields, "actor": actorFields, mcpName: mcpFields}
	known, isObject := identityFields, false
	word := ""
	if m := lastWord.FindStringSubmatch(before); m != nil {
		word = m[1]
		if f, ok := of[word]; ok {
			known, isObject = f, true
		}
	}
	first, _, _ := strings.Cut(otherFields[name], ".")
	if first != "" && known[first] != nil {
		return "did you mean " + otherFields[name] + "?"
	}
	names := slices.Sorted(maps.Keys(known))
	switch near := nearest(name, names); {
	case near != "":
		return near
	case word == "identity":
		return "a claim is read as identity.claims." + name
	case isObject:
		return "the fields are " + strings.Join(names, ", ")
	}
	return ""
}

// dashHint is for a name with a '-' that was taken for a subtraction.
func dashHint(before, rest string) string {
	from, to := dashedFrom.FindStringSubmatch(before), dashedTo.FindString(rest)
	if from == nil || to == "" || strings.HasSuffix(to, "-") {
		return ""
	}
	return "a name with a '-' needs brackets: write " + from[1] + "[\"" + from[2] + to + "\"]"
}
