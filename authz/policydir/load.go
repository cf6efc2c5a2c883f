package policydir

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Stdin is the path that stands for the standard input.
const Stdin = "-"

// stdinName names it in problems.
const stdinName = "stdin"

// LoadOptions say how a command reads manifests.
type LoadOptions struct {
	manifest.Options
	// Stdin is read where a path is [Stdin]. It may have as much as all files.
	Stdin io.Reader
}

// Load reads manifests once: files, directories with those below, and [Stdin]. The
// tree is nil if any problem is fatal.
func (o LoadOptions) Load(paths ...string) (*manifest.Tree, []authz.Problem) {
	var rest []string
	var piped []manifest.File
	var problems []authz.Problem
	for _, path := range paths {
		if path != Stdin || o.Stdin == nil {
			rest = append(rest, path)
			continue
		}
		data, err := io.ReadAll(io.LimitReader(o.Stdin, maxTotal+1))
		switch {
		case err != nil:
			problems = append(problems, unreadable(stdinName, err))
		case len(data) > maxTotal:
			problems = append(problems, problem(stdinName, "expected at most 64 MiB, and this is more"))
		default:
			piped = append(piped, manifest.File{Path: stdinName, Data: data, JSON: isJSON(data)})
		}
	}
	c := &content{}
	if len(rest) > 0 {
		c = readNow(rest)
	}
	tree, _, problems := o.Read(append(c.files, piped...), append(c.problems, problems...)...)
	return tree, problems
}

// isJSON reports whether a text is JSON: what has no name has no ending that says so.
func isJSON(data []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return false
	}
	for {
		if err := dec.SkipValue(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
