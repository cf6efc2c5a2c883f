package policy

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/agentauth-dev/agentauth/authz/authn"
)

// outline is what a policy reads of a request for credentials, and which headers it
// sets and removes: what the policies of a template have in common. Policies with one
// outline share it. It never changes.
type outline struct {
	// places are all that any method reads, each once. reads are those of each method,
	// as indexes.
	places []authn.Place
	reads  [][]int
	// order is that in which methods are asked, as indexes: those that ask others
	// come last.
	order []int
	// beside are headers that come with credentials. once are those of them that are no
	// lists.
	beside, once []string

	strip strip
	// names are those of the headers that it sets, and kept those that an invalid
	// policy would set.
	names, kept Names
	// always are the headers that are removed from every request, in order, and usual
	// those of them that are removed from a usual request, to which all headers are
	// set. All decisions share it.
	always, usual []string
}

// noOutline is that of the zero Policy.
var noOutline = &outline{}

// inputs are what an outline is made of.
type inputs struct {
	reads   []authn.Reads
	forward bool
	headers []string
}

func outlineOf(c Config) *outline {
	in := inputs{forward: c.Forward}
	for _, m := range c.Methods {
		in.reads = append(in.reads, m.Authenticator.Reads())
	}
	for _, h := range c.Sets() {
		in.headers = append(in.headers, h.Name)
	}
	return outlines.get(in, func() *outline { return newOutline(in, NamesOf(c.Sets())) })
}

func newOutline(in inputs, names Names) *outline {
	o := &outline{names: names, reads: make([][]int, len(in.reads))}
	for m, reads := range in.reads {
		for _, place := range reads.Places {
			i := slices.Index(o.places, place)
			if i < 0 {
				i = len(o.places)
				o.places = append(o.places, place)
			}
			if !slices.Contains(o.reads[m], i) {
				o.reads[m] = append(o.reads[m], i)
			}
		}
		o.once = appendNew(o.once, reads.Beside)
		o.beside = appendNew(appendNew(o.beside, reads.Beside), reads.BesideLists)
	}
	for _, asks := range []bool{false, true} {
		for m := range in.reads {
			if in.reads[m].Asks == asks {
				o.order = append(o.order, m)
			}
		}
	}
	o.strip = newStrip(o.places, o.beside, in.forward)
	o.always = o.strip.always()
	for _, n := range names {
		o.always = append(o.always, n.Name)
	}
	slices.Sort(o.always)
	o.always = slices.Compact(o.always)
	o.usual = slices.Clip(slices.DeleteFunc(slices.Clone(o.always), func(name string) bool { return slices.Contains(in.headers, name) }))
	return o
}

// appendNew appends the names that are not there.
func appendNew(names, more []string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// outlines has every outline that some policy holds, by a digest of its inputs. It keeps
// none alive.
var outlines = outlineTable{held: map[[32]byte]weak.Pointer[outline]{}}

type outlineTable struct {
	mu   sync.Mutex
	held map[[32]byte]weak.Pointer[outline]
}

// get returns the outline of inputs that is held, or makes it.
func (t *outlineTable) get(in inputs, build func() *outline) *outline {
	key := sha256.Sum256(fmt.Appendf(nil, "%#v", in)) // quotes every text
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.held[key].Value(); o != nil {
		return o
	}
	o := build()
	t.held[key] = weak.Make(o)
	runtime.AddCleanup(o, t.forget, key)
	return o
}

func (t *outlineTable) forget(key [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key].Value() == nil { // not one that was made since
		delete(t.held, key)
	}
}
