package manifest

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// Bounds on what one document may cost. The caller of Read bounds the files.
const (
	maxDocuments = 1000    // documents of a file
	maxDepth     = 64      // nesting of a document
	maxAliased   = 1 << 20 // bytes and nodes of a document reached through aliases
	maxProblems  = 100     // problems of a file that are reported: later ones follow from them
)

// File is the text of one file. It is JSON if it says so or its Path ends in
// ".json", else YAML. The Path is not opened: problems and positions name it.
type File struct {
	Path string
	Data []byte
	JSON bool
}

// Options say how manifests are read; the zero value is right for a server.
type Options struct {
	// OtherKinds says that the files hold manifests for others too, as a
	// repository of a cluster does: documents of unknown groups, and those without
	// a kind, are ignored.
	OtherKinds bool
}

// Read reads the manifests of files. It goes on after a mistake, so that all of
// them are reported at once, each file from top to bottom. known are problems
// that the caller has already, as of a file that cannot be opened. The tree is
// nil if any problem is fatal.
func Read(files []File, known ...authz.Problem) (*Tree, []authz.Problem) {
	tree, _, problems := ReadRemains(files, known...)
	return tree, problems
}

// ReadRemains is Read, and returns beside a nil tree what remains of the Secrets
// and ConfigMaps.
func ReadRemains(files []File, known ...authz.Problem) (*Tree, *Remains, []authz.Problem) {
	return Options{}.Read(files, known...)
}

// Read is ReadRemains with options.
func (o Options) Read(files []File, known ...authz.Problem) (*Tree, *Remains, []authz.Problem) {
	r := &reader{otherKinds: o.OtherKinds, tree: &Tree{objects: map[objects.Key]source{}}, unread: map[string]bool{}, dubious: map[objects.Key]bool{}, names: map[string]string{}}
	for _, p := range known {
		r.problems.add(p)
		if p.Severity.Fatal() {
			r.unread[p.File] = true
		}
	}
	for _, f := range files {
		r.file(f)
	}
	if r.problems.fatals > 0 {
		return nil, r.remains(), r.problems.sorted()
	}
	return r.tree, nil, r.problems.sorted()
}

// reader makes a Tree of files.
type reader struct {
	tree     *Tree
	problems problems
	// unread are the files that may have objects which were not read, dubious the
	// objects of which only the name was.
	unread  map[string]bool
	dubious map[objects.Key]bool
	text    bool // some file has text

	otherKinds bool
	listed     int // items of lists of this file
	// names are the keys of all documents, each once.
	names map[string]string
}

func (r *reader) file(f File) {
	before := r.problems.fatals
	defer func() {
		if r.problems.fatals > before {
			r.unread[f.Path] = true
		}
	}()
	r.listed = 0
	docs, broken := parse(f)
	r.text = r.text || broken != nil || len(docs) > 0
	for _, doc := range docs {
		r.document(f.Path, doc)
	}
	switch {
	case broken != nil:
		broken.File = f.Path
		r.problems.add(*broken)
	case len(docs) == 0 && (f.isJSON() || !hasComment.Match(f.Data)):
		r.problems.add(invalid(f.Path, 1, "expected a document and the file has none; to take objects away remove the file, or leave a comment in it"))
	}
}

// hasComment finds a comment: somebody took the documents of a file away, and no
// program cut it off.
var hasComment = regexp.MustCompile(`(?m)^(?:\x{FEFF})?[ \t]*#`)

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
	if f.isJSON() {
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

// problems collects problems in the order of reading.
type problems struct {
	list   []authz.Problem
	inFile map[string]int
	fatals int
}

func (d *problems) add(p authz.Problem) {
	if p.Severity.Fatal() {
		d.fatals++
	}
	if d.inFile == nil {
		d.inFile = map[string]int{}
	}
	switch n := d.inFile[p.File]; {
	case n == maxProblems:
		p = invalid(p.File, 0, "there are more problems in this file, and they are not told: correct these first")
	case n > maxProblems:
		return
	}
	d.inFile[p.File]++
	d.list = append(d.list, p)
}

// at adds a problem at a node of a file.
func (d *problems) at(file string, n *yaml.Node, p authz.Problem) {
	p.Severity, p.Position = authz.Invalid, authz.Position{File: file, Line: n.Line, Column: n.Column}
	d.add(p)
}

// sorted is the list, each file from top to bottom.
func (d *problems) sorted() []authz.Problem {
	slices.SortStableFunc(d.list, func(a, b authz.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.list
}

// invalid is a problem of a line of a file.
func invalid(file string, line int, message string) authz.Problem {
	return authz.Problem{Severity: authz.Invalid, Position: authz.Position{File: file, Line: line, Column: min(line, 1)}, Message: message}
}
