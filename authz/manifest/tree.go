package manifest

import (
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// Tree has all objects of some files.
type Tree struct {
	// Input is for engine.Compile. The objects of a kind are in the order of the
	// files, and in a file from top to bottom.
	Input engine.Input
	// Other is how many documents were ignored, as Options.OtherKinds has it.
	Other int

	objects map[objects.Key]source
}

// Count is how many objects there are of each kind.
func (t *Tree) Count() map[string]int {
	out := map[string]int{}
	for key := range t.objects {
		out[key.Kind]++
	}
	return out
}

// source is where an object is written.
type source struct {
	file string
	places
}

// Locate is the position of a field of an object, or of its nearest parent that
// is written: a default has no line of its own. kind is as in a manifest,
// field as in "spec.routes[0].hostnames[1]" or "spec.x.matchLabels[team]". The
// position of an unknown object is zero.
func (t *Tree) Locate(kind, namespace, name, field string) authz.Position {
	o, ok := t.objects[objects.Key{Kind: kind, Namespace: namespace, Name: name}]
	if !ok {
		return authz.Position{}
	}
	at := o.at(field)
	return authz.Position{File: o.file, Line: int(at.line), Column: int(at.column)}
}

// nodeAt is the node of a field, or of its nearest parent. For an entry of a
// mapping that is the key, for an item of a list the item.
func nodeAt(n *yaml.Node, field string) *yaml.Node {
	best := n
	for field != "" {
		var name string
		if name, field = nextStep(field); name == "" {
			continue
		}
		n = follow(n)
		if n.Kind == yaml.SequenceNode {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(n.Content) {
				return best
			}
			n = n.Content[i]
			best = n
			continue
		}
		key, value := lookup(n, name)
		if key == nil {
			return best
		}
		best, n = key, value
	}
	return best
}

// nextStep cuts the first step off a path: "a.b", "[0].b" and "[key]".
func nextStep(field string) (name, rest string) {
	field = strings.TrimPrefix(field, ".")
	if inner, ok := strings.CutPrefix(field, "["); ok {
		name, rest, _ = strings.Cut(inner, "]")
		return name, rest
	}
	i := strings.IndexAny(field, ".[")
	if i < 0 {
		return field, ""
	}
	return field[:i], field[i:]
}

func (f File) isJSON() bool { return f.JSON || filepath.Ext(f.Path) == ".json" }
