package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
