package policydir

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Load reads manifests once: files, and directories with those below. The tree
// is nil if any problem is fatal.
func Load(paths ...string) (*manifest.Tree, []authz.Problem) { return readNow(paths).build() }

func (c *content) build() (*manifest.Tree, []authz.Problem) {
	return manifest.Read(c.files, c.problems...)
}

// content is the text of the files of a listing.
type content struct {
	files    []manifest.File
	problems []authz.Problem
}

// read reads the files of a listing. The caller lists again to find out whether
// a file changed meanwhile.
func read(l *listing) *content {
	c := &content{problems: slices.Clone(l.problems)}
	total := 0
	for _, f := range l.files {
		data, err := readFile(f.path)
		if err != nil {
			c.problems = append(c.problems, unreadable(f.path, err))
			continue
		}
		if total += len(data); total > maxTotal {
			c.problems = append(c.problems, problem(f.path, "expected at most 64 MiB in all files, and with this one there is more; is this the right directory?"))
			break
		}
		c.files = append(c.files, manifest.File{Path: f.path, Data: data})
	}
	return c
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator's directory
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A file that grew since it was listed is read again: the next listing differs.
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// sum is a digest of a content. It is the same for files that were touched and
// hold what they held.
func (c *content) sum() [sha256.Size]byte {
	h := sha256.New()
	write := func(s string) {
		_ = binary.Write(h, binary.BigEndian, int64(len(s))) // a hash takes everything
		_, _ = io.WriteString(h, s)
	}
	for _, f := range c.files {
		write(f.Path)
		write(string(f.Data))
	}
	for _, p := range c.problems {
		write(p.File)
		write(p.Message)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// readNow reads paths between two equal listings, within a few attempts.
func readNow(paths []string) *content {
	before := list(paths)
	for range 10 {
		c := read(before)
		after := list(paths)
		if changed(before, after) == "" {
			return c
		}
		before = after
	}
	return &content{problems: []authz.Problem{problem(paths[0], "files change while they are read; try again when nothing writes")}}
}
