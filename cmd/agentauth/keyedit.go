package main

import (
	"encoding/base64"
	"errors"
	"slices"

	"go.yaml.in/yaml/v3"
)

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
