package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// places are where the fields and items of a document are, each followed by those
// below it; the first one is the document. They hold nothing else of it: no value of a
// Secret, and not the nodes, which take ten times the text.
type places []place

type place struct {
	key          string // of a field; "" of an item of a list
	line, column int32
	below        int32 // how many places are below it
	list         bool  // these are items of a list
}

// maxPlaces is how many places of a document are kept: aliases may stand for far more
// than is written. The fields beyond have the place of their nearest parent.
const maxPlaces = 1 << 17

// placing makes places. names has each key once, for all documents of a reader.
type placing struct {
	places
	names map[string]string
}

func (r *reader) places(doc *yaml.Node) places {
	p := &placing{names: r.names}
	p.add("", doc, doc)
	return append(places(nil), p.places...)
}

// add adds the place of a field or an item, which has a value.
func (p *placing) add(key string, at, value *yaml.Node) {
	if len(p.places) == maxPlaces {
		return
	}
	n := len(p.places)
	p.places = append(p.places, place{key: p.name(key), line: int32(at.Line), column: int32(at.Column)})
	switch value = follow(value); value.Kind {
	case yaml.SequenceNode:
		p.places[n].list = true
		for _, item := range value.Content {
			p.add("", item, item)
		}
	case yaml.MappingNode:
		p.fields(value, map[string]bool{}, map[*yaml.Node]bool{})
	default:
	}
	p.places[n].below = int32(len(p.places) - n - 1)
}

// fields adds the fields of a mapping: its own, and those that it merges with "<<".
func (p *placing) fields(mapping *yaml.Node, there map[string]bool, seen map[*yaml.Node]bool) {
	if mapping = follow(mapping); mapping.Kind != yaml.MappingNode || seen[mapping] {
		return
	}
	seen[mapping] = true
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		// A key that is an alias is not kept: it may stand for a value of a Secret.
		if k := mapping.Content[i]; !isMerge(k) && k.Kind == yaml.ScalarNode && !there[k.Value] {
			there[k.Value] = true
			p.add(k.Value, k, mapping.Content[i+1])
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if isMerge(mapping.Content[i]) {
			for _, from := range mergedFrom(mapping.Content[i+1]) {
				p.fields(from, there, seen)
			}
		}
	}
}

func (p *placing) name(key string) string {
	name, known := p.names[key]
	if !known {
		name = strings.Clone(key)
		p.names[name] = name
	}
	return name
}

// at is the place of a field, or of its nearest parent that is kept.
func (p places) at(field string) place {
	best := 0
	for field != "" {
		var name string
		if name, field = nextStep(field); name == "" {
			continue
		}
		next := p.below(best, name)
		if next < 0 {
			break
		}
		best = next
	}
	return p[best]
}

// below is the index of the field or the item of a name below a place; -1 if there is
// none.
func (p places) below(parent int, name string) int {
	wanted := -1 // the number of an item
	if p[parent].list {
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 {
			return -1
		}
		wanted = i
	}
	end := parent + int(p[parent].below)
	for i, n := parent+1, 0; i <= end; i, n = i+1+int(p[i].below), n+1 {
		if wanted == n || wanted < 0 && p[i].key == name {
			return i
		}
	}
	return -1
}
