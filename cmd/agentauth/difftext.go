package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// comparison counts what becomes of requests.
type comparison struct {
	before, after *side

	records                               int // read, of any action
	requests, unchanged, changed, unknown int
	newlyAllowed, newlyRefused            int
	missing                               uint64 // records
	changes                               map[[2]told]*group
	causes                                map[string]*group
	notes                                 []string
}

// group are the requests of which one thing becomes.
type group struct {
	requests int
	examples []example
}

// maxExamples is how many requests of a group are named.
const maxExamples = 3

// example is a request that is named.
type example struct {
	ID      string `json:"id,omitempty"`
	Method  string `json:"method,omitempty"`
	Host    string `json:"host,omitempty"`
	Path    string `json:"path,omitempty"`
	Subject string `json:"subject,omitempty"`
}

func (c *comparison) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// count counts what becomes of a request.
func (c *comparison) count(q *recordedRequest, before, after told, unknown string) {
	c.requests++
	switch {
	case unknown != "":
		c.unknown++
		c.causes = add(c.causes, unknown, q)
	case before == after:
		c.unchanged++
	default:
		c.changed++
		switch {
		case after.allows() && !before.allows():
			c.newlyAllowed++
		case before.allows() && !after.allows():
			c.newlyRefused++
		}
		c.changes = add(c.changes, [2]told{before, after}, q)
	}
}

func add[K comparable](groups map[K]*group, key K, q *recordedRequest) map[K]*group {
	if groups == nil {
		groups = map[K]*group{}
	}
	g := groups[key]
	if g == nil {
		g = &group{}
		groups[key] = g
	}
	if g.requests++; len(g.examples) < maxExamples {
		e := example{ID: q.id, Method: q.raw.Method, Host: q.raw.Host, Path: q.raw.Path}
		if q.identity != nil {
			e.Subject = q.identity.Subject
		}
		g.examples = append(g.examples, e)
	}
	return groups
}

// ordered are the keys of groups, the largest group first.
func ordered[K comparable](groups map[K]*group, text func(K) string) []K {
	var keys []K
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int {
		return cmp.Or(cmp.Compare(groups[b].requests, groups[a].requests), cmp.Compare(text(a), text(b)))
	})
	return keys
}

func changeText(change [2]told) string { return change[0].String() + "\n  -> " + change[1].String() }

// String is a decision on one line.
func (t told) String() string {
	out := fmt.Sprintf("%s %d %s", t.Decision, t.Status, t.Reason)
	if t.Rule != "" {
		out += ", rule " + t.Rule
	}
	return out + " (" + policyOr(t.Policy) + ")"
}

func (c *comparison) print(w io.Writer, output string) error {
	if output == "json" {
		return c.printJSON(w)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests: %d unchanged, %d changed (%d newly allowed, %d newly refused), %d cannot be told\n",
		c.requests, c.unchanged, c.changed, c.newlyAllowed, c.newlyRefused, c.unknown)
	for _, note := range c.notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	for _, change := range ordered(c.changes, changeText) {
		g := c.changes[change]
		fmt.Fprintf(&b, "\nchanged: %d\n  was %s\n  is  %s\n", g.requests, oneLine(change[0].String()), oneLine(change[1].String()))
		g.print(&b)
	}
	for _, cause := range ordered(c.causes, strings.Clone) {
		g := c.causes[cause]
		fmt.Fprintf(&b, "\ncannot be told: %d\n  %s\n", g.requests, oneLine(cause))
		g.print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (g *group) print(b *strings.Builder) {
	for _, e := range g.examples {
		line := e.Method + " " + e.Host
		if strings.HasPrefix(e.Path, "/") {
			line += e.Path // as a record has it in full
		}
		if e.Subject != "" {
			line += " of " + e.Subject
		}
		if e.ID != "" {
			line += " (" + e.ID + ")"
		}
		fmt.Fprintf(b, "    %s\n", oneLine(line))
	}
	if more := g.requests - len(g.examples); more > 0 {
		fmt.Fprintf(b, "    and %d more\n", more)
	}
}

// printedDifferences is what -o json prints.
type printedDifferences struct {
	Requests     int             `json:"requests"`
	Unchanged    int             `json:"unchanged"`
	Changed      int             `json:"changed"`
	NewlyAllowed int             `json:"newlyAllowed"`
	NewlyRefused int             `json:"newlyRefused"`
	CannotTell   int             `json:"cannotTell"`
	Notes        []string        `json:"notes"`
	Changes      []printedChange `json:"changes"`
	Causes       []printedCause  `json:"causes"`
}

type printedChange struct {
	Requests int       `json:"requests"`
	Before   told      `json:"before"`
	After    told      `json:"after"`
	Examples []example `json:"examples"`
}

type printedCause struct {
	Requests int       `json:"requests"`
	Cause    string    `json:"cause"`
	Examples []example `json:"examples"`
}

func (c *comparison) printJSON(w io.Writer) error {
	out := printedDifferences{c.requests, c.unchanged, c.changed, c.newlyAllowed, c.newlyRefused, c.unknown, list(c.notes), []printedChange{}, []printedCause{}}
	for _, change := range ordered(c.changes, changeText) {
		g := c.changes[change]
		out.Changes = append(out.Changes, printedChange{g.requests, change[0], change[1], g.examples})
	}
	for _, cause := range ordered(c.causes, strings.Clone) {
		out.Causes = append(out.Causes, printedCause{c.causes[cause].requests, cause, c.causes[cause].examples})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
