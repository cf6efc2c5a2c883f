package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// part is a document of a file, and the text before it: a line of "---".
type part struct {
	before, text []byte
	json         bool
	doc          *yaml.Node // of kind DocumentNode; nil if there is nothing but comments
}

// node is an object in a part.
type node struct{ *yaml.Node }

var separator = regexp.MustCompile(`(?m)^---[ \t]*(#[^\n]*)?\r?(\n|\z)`)

// splitParts reads the documents of a file. Only the text of one that changes is
// written anew.
func splitParts(path string, data []byte) (parts []*part, err error) {
	if strings.HasSuffix(path, ".json") {
		doc, err := parseJSONNode(data)
		return []*part{{text: data, json: true, doc: doc}}, err
	}
	if bytes.HasPrefix(data, []byte("%")) || bytes.Contains(data, []byte("\n%")) {
		return nil, errors.New("it may have a YAML directive (a line that begins with %), which is not understood here")
	}
	at, before := 0, 0
	add := func(end int) error {
		p := &part{before: data[before:at], text: data[at:end]}
		dec := yaml.NewDecoder(bytes.NewReader(p.text))
		var doc, more yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
		case err != nil:
			return errors.New("it is no YAML; agentauth validate says where")
		case !errors.Is(dec.Decode(&more), io.EOF):
			return errors.New("its documents cannot be told apart; put --- on lines of their own")
		default:
			p.doc = &doc
		}
		parts = append(parts, p)
		return nil
	}
	for _, m := range separator.FindAllIndex(data, -1) {
		if err := add(m[0]); err != nil {
			return nil, err
		}
		before, at = m[0], m[1]
	}
	return parts, add(len(data))
}

// objects are the objects of a part: those of a List, else the one.
func (p *part) objects() []*node {
	if p.doc == nil || len(p.doc.Content) != 1 || p.doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	root := &node{p.doc.Content[0]}
	if kind := root.get("kind"); kind == nil || !strings.HasSuffix(kind.Value, "List") {
		return []*node{root}
	}
	var out []*node
	if items := root.get("items"); items != nil {
		for _, item := range items.Content {
			if item.Kind == yaml.MappingNode {
				out = append(out, &node{item})
			}
		}
	}
	return out
}

// get is the value of a key of a mapping; nil if there is none.
func (n *node) get(key string) *yaml.Node {
	if n == nil || n.Node == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// secret reads an object that is a Secret; nil if it is none.
func (n *node) secret() (*keySecret, error) {
	if kind := n.get("kind"); kind == nil || kind.Value != "Secret" {
		return nil, nil
	}
	var o struct {
		Metadata struct {
			Name, Namespace     string
			Labels, Annotations map[string]string
		}
		Data       map[string]string
		StringData map[string]string `yaml:"stringData"`
	}
	if err := n.Decode(&o); err != nil {
		return nil, errors.New("a Secret in it cannot be read; agentauth validate says where")
	}
	s := &keySecret{Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, Labels: o.Metadata.Labels, Annotations: o.Metadata.Annotations, Data: map[string][]byte{}}
	if s.Namespace == "" {
		s.Namespace = "default"
	}
	for id, v := range o.Data {
		value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
		if err != nil {
			return nil, fmt.Errorf("%s: the entry %s of data is no base64", s, id)
		}
		s.Data[id] = value
	}
	for id, v := range o.StringData {
		s.Data[id] = []byte(v)
	}
	return s, nil
}
