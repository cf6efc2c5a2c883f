package policydir

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Bounds on the files of a directory, so that it cannot exhaust the server.
const (
	maxFile  = 1 << 20  // bytes of a file
	maxTotal = 64 << 20 // bytes of all files
	maxFiles = 20_000   // files, and directories, of a tree
)

// Load reads manifests once: files, and directories with those below. The tree
// is nil if any problem is fatal.
func Load(paths ...string) (*manifest.Tree, []authz.Problem) {
	return LoadOptions{}.Load(paths...)
}

func (c *content) build() (*manifest.Tree, *manifest.Remains, []authz.Problem) {
	tree, remains, problems := manifest.ReadRemains(c.files, c.problems...)
	if c.partial {
		remains = manifest.Unread(c.seen)
	}
	return tree, remains, problems
}

// content is the text of the files of a listing.
type content struct {
	files    []manifest.File
	problems []authz.Problem
	// partial says that there are files which were not read. seen are then all
	// files that there are; nil where that is not known.
	partial bool
	seen    []string
}

// read reads the files of a listing. The caller lists again to find out whether
// a file changed meanwhile.
func read(l *listing) *content {
	c := &content{partial: len(l.seen) > maxFiles}
	total := 0
	for _, e := range l.entries {
		switch {
		case e.problem != nil:
			c.problems = append(c.problems, *e.problem)
		case e.info != nil && total <= maxTotal:
			data, err := readFile(e.path)
			if total += len(data); err != nil {
				c.problems = append(c.problems, unreadable(e.path, err))
			} else if total > maxTotal {
				c.partial, c.seen = true, l.paths()
				c.problems = append(c.problems, problem(e.path, "expected at most 64 MiB in all files, and with this one there is more; is this the right directory?"))
			} else {
				c.files = append(c.files, manifest.File{Path: e.path, Data: data})
			}
		}
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
	h := sha256.New() // takes everything
	fmt.Fprintf(h, "%d ", len(c.files))
	for _, f := range c.files {
		fmt.Fprintf(h, "%d %d %s%s", len(f.Path), len(f.Data), f.Path, f.Data)
	}
	for _, path := range c.seen {
		fmt.Fprintf(h, "%d %s", len(path), path)
	}
	for _, p := range c.problems {
		fmt.Fprintf(h, "%d %d %s%s", len(p.File), len(p.Message), p.File, p.Message)
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
	return &content{partial: true, problems: []authz.Problem{problem(paths[0], "files change while they are read; try again when nothing writes")}}
}

// Files reads the manifests of paths once, as [Load] does, and parses none.
func Files(paths ...string) ([]manifest.File, []authz.Problem) {
	c := readNow(paths)
	return c.files, c.problems
}
