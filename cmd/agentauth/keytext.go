package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
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

// edit changes the text of a Secret. removed are the nodes that are gone, with their
// comments.
func (n *node) edit(c keyChange) (removed []*yaml.Node, err error) {
	if hasAlias(n.Node) {
		return nil, errors.New("it has a YAML anchor or alias, so that a change here may change something else; write it without, or edit it by hand")
	}
	for _, field := range []string{"stringData", "data"} {
		for _, id := range c.drop {
			removed = append(removed, remove(n.get(field), id)...)
		}
	}
	for _, id := range sortedKeysOf(c.put) {
		value := c.put[id]
		to := n.get("stringData")
		if data := n.get("data"); to == nil && data != nil && data.Kind == yaml.MappingNode {
			to, value = data, base64.StdEncoding.EncodeToString([]byte(value))
		} else if to == nil {
			to = n.add("stringData")
		}
		if err := set(to, id, value); err != nil {
			return nil, err
		}
	}
	metadata := &node{n.get("metadata")}
	for _, name := range sortedKeysOf(c.annotate) {
		annotations := metadata.get("annotations")
		switch {
		case c.annotate[name] == "":
			removed = append(removed, remove(annotations, name)...)
			continue
		case annotations == nil:
			annotations = metadata.add("annotations")
		}
		if err := set(annotations, name, c.annotate[name]); err != nil {
			return nil, err
		}
	}
	if annotations := metadata.get("annotations"); annotations != nil && len(annotations.Content) == 0 {
		removed = append(removed, remove(metadata.Node, "annotations")...)
	}
	return removed, nil
}

// add adds a mapping, in the style of the mapping that it is in.
func (n *node) add(key string) *yaml.Node {
	value := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: n.Style & yaml.FlowStyle}
	n.Content = append(n.Content, text(key), value)
	return value
}

// set sets a value of a mapping.
func set(in *yaml.Node, key, value string) error {
	if in.Kind == yaml.ScalarNode && in.ShortTag() == "!!null" {
		*in = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", LineComment: in.LineComment, HeadComment: in.HeadComment, FootComment: in.FootComment}
	}
	if in.Kind != yaml.MappingNode {
		return errors.New("data, stringData or annotations is no mapping; agentauth validate says where")
	}
	if len(in.Content) == 0 {
		in.Style = 0 // of {}
	}
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == key {
			old := in.Content[i+1]
			in.Content[i+1] = text(value)
			in.Content[i+1].LineComment, in.Content[i+1].HeadComment, in.Content[i+1].FootComment = old.LineComment, old.HeadComment, old.FootComment
			return nil
		}
	}
	in.Content = append(in.Content, text(key), text(value))
	return nil
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// remove removes a key of a mapping.
func remove(in *yaml.Node, key string) (removed []*yaml.Node) {
	if in == nil || in.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == key {
			removed = append(removed, in.Content[i], in.Content[i+1])
			in.Content = slices.Delete(in.Content, i, i+2)
			i -= 2
		}
	}
	if len(in.Content) == 0 {
		in.Style = yaml.FlowStyle // {}
	}
	return removed
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || slices.ContainsFunc(n.Content, hasAlias)
}

// rest is the object without what may change, to compare it.
func (n *node) rest() []byte {
	var all map[string]any
	if n.Decode(&all) != nil {
		return nil
	}
	delete(all, "data")
	delete(all, "stringData")
	if m, ok := all["metadata"].(map[string]any); ok {
		delete(m, "annotations")
	}
	out, err := yaml.Marshal(all)
	if err != nil {
		return nil
	}
	return out
}

// encode is the text of a part that changed.
func (p *part) encode() ([]byte, error) {
	if p.json {
		return encodeJSONNode(p.doc.Content[0], p.text)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(indentOf(p.doc))
	if compactLists(p.doc) {
		enc.CompactSeqIndent()
	}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(p.text, mark) {
		out.Write(mark)
	}
	if err := enc.Encode(p.doc); err != nil {
		return nil, errors.New("its YAML cannot be written")
	}
	if bytes.Contains(p.text, []byte("\r\n")) {
		return bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte("\r\n")), nil
	}
	return out.Bytes(), nil
}

// indentOf is by how much a mapping of the part is deeper than its key.
func indentOf(n *yaml.Node) int {
	const usual, most = 2, 8
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind != yaml.MappingNode || value.Style&yaml.FlowStyle != 0 || len(value.Content) == 0 {
			continue
		}
		if deeper := value.Content[0].Column - key.Column; deeper >= usual && deeper <= most {
			return deeper
		}
	}
	for _, inner := range n.Content {
		if indent := indentOf(inner); indent != usual {
			return indent
		}
	}
	return usual
}

// compactLists says whether a list of the part is no deeper than its key.
func compactLists(n *yaml.Node) bool {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && value.Column == key.Column {
			return true
		}
	}
	return slices.ContainsFunc(n.Content, compactLists)
}

// comments are the lines of comments of a part.
func (p *part) comments() []string { return commentsOf(p.doc) }

func commentsOf(n *yaml.Node) (out []string) {
	for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		for line := range strings.Lines(c) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
	}
	for _, inner := range n.Content {
		out = append(out, commentsOf(inner)...)
	}
	return out
}

// lostComments is a comment that was there, was not removed, and is not there.
func lostComments(before []string, removed []*yaml.Node, after []string) string {
	left := map[string]int{}
	for _, c := range after {
		left[c]++
	}
	for _, n := range removed {
		for _, c := range commentsOf(n) {
			left[c]++
		}
	}
	for _, c := range before {
		if left[c]--; left[c] < 0 {
			return c
		}
	}
	return ""
}
