package manifest

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// File is the text of one file. A Path that ends in ".json" is JSON, any other
// is YAML. The Path is not opened: problems and positions name it.
type File struct {
	Path string
	Data []byte
}

// Read reads the manifests of files. It goes on after a mistake, so that all of
// them are reported at once, each file from top to bottom. known are problems
// that the caller has already, as of a file that cannot be opened. The tree is
// nil if any problem is fatal.
func Read(files []File, known ...authz.Problem) (*Tree, []authz.Problem) {
	r := &reader{tree: &Tree{objects: map[objectID]source{}}}
	for _, p := range known {
		r.problems.add(p)
	}
	for _, f := range files {
		r.file(f)
	}
	if r.problems.fatal {
		return nil, r.problems.sorted()
	}
	return r.tree, r.problems.sorted()
}

// reader makes a Tree of files.
type reader struct {
	tree     *Tree
	problems problems
}

func (r *reader) file(f File) {
	docs, broken := parse(f)
	for _, doc := range docs {
		r.document(f.Path, doc)
	}
	switch {
	case broken != nil:
		broken.File = f.Path
		r.problems.add(*broken)
	case len(docs) == 0:
		r.problems.add(invalid(f.Path, 1, "expected a document and the file has none; to take objects away remove the file"))
	}
}

const byteOrderMark = "\xef\xbb\xbf"

// parse returns the documents of a file, and those before a mistake too.
func parse(f File) ([]*yaml.Node, *authz.Problem) {
	data := bytes.TrimPrefix(f.Data, []byte(byteOrderMark))
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, atLine(lineOf(data, i), "a NUL byte; expected text in UTF-8")
	}
	if i := invalidUTF8(data); i >= 0 {
		return nil, atLine(lineOf(data, i), "bytes that are no UTF-8; save the file as UTF-8, and put binary data into a Secret's data or a ConfigMap's binaryData")
	}
	if isJSON(f.Path) {
		return parseJSON(data)
	}
	return parseYAML(data)
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
