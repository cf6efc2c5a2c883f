package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// atLine is the problem of a file that cannot be parsed, without the name of the
// file. Messages are written here: those of the parsers may hold a secret.
func atLine(line int, message string) *authz.Problem {
	p := invalid("", line, message)
	return &p
}

// parseYAML returns the documents of a file, without empty ones.
func parseYAML(data []byte) ([]*yaml.Node, *authz.Problem) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var docs []*yaml.Node
	for n := 0; ; n++ {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return docs, yamlProblem(data, err.Error())
		case n == maxDocuments:
			return nil, atLine(doc.Line, "expected at most 1,000 documents in a file, and this is one more; split it")
		}
		if len(doc.Content) == 1 && doc.Content[0].ShortTag() != "!!null" {
			docs = append(docs, doc.Content[0])
		}
	}
}

var (
	yamlLine   = regexp.MustCompile(`line ([0-9]+): `)
	tabIndents = regexp.MustCompile(`(?m)^ *\t[ \t]*[^ \t\r\n#]`)
)

// yamlHints say what a message of the parser most likely means. above: the
// parser names the line above the mistake.
var yamlHints = []struct {
	of    string
	above bool
	hold  bool // whatever the line looks like
	hint  string
}{
	{"mapping values are not allowed", false, false, `a ": " comes where no value can begin; look at the indentation of this line and the one before, and quote a value that holds ": "`},
	{"could not find expected ':'", false, false, `a key without ":"; look at the indentation of this line and the one before`},
	{"cannot start any token", false, false, "a character no value can start with; quote the value"},
	{"did not find expected key", true, false, "a key is expected in the mapping that begins here, and something else comes; look at the indentation below"},
	{"did not find expected '-'", true, false, `a "- " is expected in the list that begins here, and something else comes; look at the indentation below`},
	{"expected ',' or", true, false, "brackets that begin here are not closed, or lack a comma; quote a value in them that holds any of , ? [ ] { }"},
	{"expected node content", true, false, "a value is expected here, and something else comes"},
	{"expected <document start>", true, false, `something comes after the end of the document; separate documents with "---"`},
	{"end of stream", false, true, "a quote that begins here is not closed"},
	{"unknown escape", false, true, `an escape that YAML does not know; write "\\" for a backslash, or use single quotes`},
	{"block sequence entries", false, false, `a "- " comes where no list can begin; put it on a line of its own`},
	{"exceeded max depth", false, true, "it is nested too deeply; expected at most 64 levels"},
	{"control characters", false, true, "a control character; write it as an escape in double quotes"},
}

// unknownAnchor is the one message that has a position but no line.
var unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)

func yamlProblem(data []byte, message string) *authz.Problem {
	if at := tabIndents.FindIndex(data); at != nil {
		return atLine(lineOf(data, at[0]), "the line is indented with a tab; YAML indents with spaces only")
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		at := max(0, bytes.Index(data, []byte("*"+m[1])))
		return atLine(lineOf(data, at), `an alias (*name) names an anchor that is not above it; put a value that starts with "*" in single quotes`)
	}
	f := atLine(1, "this is not YAML; look at the indentation, and put values that hold any of : # { [ * & ! % @ in single quotes")
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			f.Line = line
		}
	}
	for _, h := range yamlHints {
		if !strings.Contains(message, h.of) {
			continue
		}
		f.Message = h.hint
		if h.above {
			f.Line++
		}
		if h.hold {
			return f
		}
		break
	}
	seen := 0
	if strings.Contains(message, "did not find expected") {
		seen = lineWhere(data, message)
	}
	if hint := lineHint(lineAt(data, cmp.Or(seen, f.Line))); hint != "" {
		f.Line, f.Message = cmp.Or(seen, f.Line), hint
	} else if seen > 0 && (strings.Contains(message, "expected key") || strings.Contains(message, "expected '-'")) {
		f.Line, f.Message = seen, misfit
	}
	return f
}

const misfit = "this line is neither a key of a mapping nor an item of a list above it; indent it as the keys or items it belongs to, and look at what a quote or bracket in it ends"

func lineAt(data []byte, line int) string {
	for text := range bytes.Lines(data) {
		if line--; line == 0 {
			return string(text)
		}
	}
	return ""
}

func lineOf(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }
