package manifest

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// The Content of a mapping is key, value, key, value …

// follow is the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// lookup finds a key of a mapping: its own, or one that it merges with "<<".
func lookup(n *yaml.Node, name string) (key, value *yaml.Node) {
	return lookupIn(n, name, map[*yaml.Node]bool{})
}

// lookupIn looks into each mapping once, however many aliases lead to it.
func lookupIn(n *yaml.Node, name string, seen map[*yaml.Node]bool) (key, value *yaml.Node) {
	n = follow(n)
	if n.Kind != yaml.MappingNode || seen[n] {
		return nil, nil
	}
	seen[n] = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := follow(n.Content[i]); !isMerge(k) && k.Kind == yaml.ScalarNode && k.Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			continue
		}
		for _, from := range mergedFrom(n.Content[i+1]) {
			if key, value = lookupIn(from, name, seen); key != nil {
				return key, value
			}
		}
	}
	return nil, nil
}

// isMerge reports whether a key is "<<", unquoted (YAML 1.1 merge).
func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

// mergedFrom are the mappings that a merge names, the strongest first.
func mergedFrom(value *yaml.Node) []*yaml.Node {
	if to := follow(value); to.Kind == yaml.SequenceNode {
		return to.Content
	}
	return []*yaml.Node{value}
}

// words11 are the booleans of YAML 1.1 that YAML 1.2 dropped. Kubernetes reads
// them as booleans, and so does this package: a policy means one thing.
var words11 = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

// tagOf is the type of a node as Kubernetes sees it: a time is a string.
func tagOf(n *yaml.Node) string {
	tag := n.ShortTag()
	switch tag {
	case "!!timestamp":
		return "!!str"
	case "!!str":
		const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle | yaml.TaggedStyle
		if _, word := words11[n.Value]; word && n.Style&quoted == 0 {
			return "!!bool"
		}
	}
	return tag
}

var knownTags = []string{"!!str", "!!bool", "!!int", "!!float", "!!null", "!!map", "!!seq"}

// hasForeignTag reports whether a node has a tag of a type that JSON lacks.
func hasForeignTag(n *yaml.Node) bool {
	return n.Style&yaml.TaggedStyle != 0 && !slices.Contains(knownTags, n.ShortTag())
}
