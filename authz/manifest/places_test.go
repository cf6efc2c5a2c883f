package manifest

import (
	"fmt"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestPlacesAreThoseOfTheNodes(t *testing.T) {
	docs, broken := parse(File{Path: "f.yaml", Data: []byte(policyText + `---
a: &a {b: [1, {c: d}], "e.f": 2}
g: *a
h:
  <<: [*a, {i: 3, b: 4}]
  j: &j [*a, 5]
k: *j
--- # a list
- x: y
- [z]
`)})
	if broken != nil || len(docs) < 3 {
		t.Fatal(broken, len(docs))
	}
	r := &reader{names: map[string]string{}}
	for _, doc := range docs {
		got, asked := r.places(doc), 0
		var ask func(field string, depth int)
		ask = func(field string, depth int) {
			asked++
			want, at := nodeAt(doc, field), got.at(field)
			if int(at.line) != want.Line || int(at.column) != want.Column {
				t.Errorf("%q: expected %d:%d, got %d:%d", field, want.Line, want.Column, at.line, at.column)
			}
			if depth == 0 {
				return
			}
			for i := range 3 {
				ask(fmt.Sprintf("%s[%d]", field, i), depth-1)
			}
			for _, name := range []string{"a", "b", "c", "e.f", "g", "h", "i", "j", "k", "x", "<<", "missing", "spec", "routes", "hostnames", "metadata"} {
				ask(field+"["+name+"]", depth-1)
			}
		}
		ask("", 4)
		if asked < 1000 {
			t.Fatal("too few fields were asked for")
		}
	}
}

// An alias of an alias of an alias stands for far more than is written.
func TestPlacesOfAliasesAreBounded(t *testing.T) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Line: 1, Column: 1}
	for range 40 {
		alias := &yaml.Node{Kind: yaml.AliasNode, Alias: n, Line: 2, Column: 1}
		n = &yaml.Node{Kind: yaml.SequenceNode, Line: 2, Column: 1, Content: []*yaml.Node{alias, alias}}
	}
	r := &reader{names: map[string]string{}}
	if got := r.places(n); len(got) != maxPlaces {
		t.Errorf("expected %d places, got %d", maxPlaces, len(got))
	}
}
