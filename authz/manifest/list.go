package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A List is what `kubectl get -o yaml` prints of several objects: kind List of
// version v1, or the kind of its items followed by List. It is its items.

// listOf says whether a kind is a list, and of which kind the items are that do
// not say it themselves, as in what an API server answers; "" for kind List.
func listOf(kind string) (item string, ok bool) {
	item, ok = strings.CutSuffix(kind, "List")
	return item, ok && (item == "" || kinds[item] != nil)
}

// items are the documents of a list, each with its kind and version.
func (r *reader) items(doc *yaml.Node, version, kind string, say say) []*yaml.Node {
	item, _ := listOf(kind)
	if item == "" && version != "v1" || item != "" && kinds[item][version] == nil {
		_, at := lookup(doc, "apiVersion")
		say(at, "apiVersion", "expected v1 for kind List, and for the list of a kind its version, came "+word(version))
		return nil
	}
	mapping := follow(doc)
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		switch key := follow(mapping.Content[i]); key.Value {
		case "apiVersion", "kind", "metadata", "items":
		default:
			say(key, "", "unknown field in a "+kind+"; known are apiVersion, items, kind, metadata")
		}
	}
	key, value := lookup(doc, "items")
	if key == nil {
		say(doc, "items", "expected a list of objects and there is none")
		return nil
	}
	value = follow(value)
	if value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null" {
		return nil
	}
	if value.Kind != yaml.SequenceNode {
		say(key, "items", `expected a list; begin each item with "- "`)
		return nil
	}
	if r.listed += len(value.Content); r.listed > maxDocuments {
		say(key, "items", "expected at most 1,000 objects in the lists of a file, and this is more; split it")
		return nil
	}
	var out []*yaml.Node
	for i, n := range value.Content {
		n = follow(n)
		if inner, _ := lookup(n, "items"); inner != nil && n.Kind == yaml.MappingNode && isListed(n) {
			say(n, "items["+strconv.Itoa(i)+"]", "expected an object, came a list in a list")
			continue
		}
		if item != "" && n.Kind == yaml.MappingNode {
			n = withType(n, version, item)
		}
		out = append(out, n)
	}
	return out
}

func isListed(n *yaml.Node) bool {
	_, kind := lookup(n, "kind")
	if kind == nil {
		return false
	}
	_, ok := listOf(follow(kind).Value)
	return ok
}

// withType is an item with the version and kind of its list, where it has none.
func withType(n *yaml.Node, version, kind string) *yaml.Node {
	typed := *n
	typed.Content = nil
	for _, f := range [][2]string{{"apiVersion", version}, {"kind", kind}} {
		if key, _ := lookup(n, f[0]); key == nil {
			for _, text := range f {
				typed.Content = append(typed.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: n.Line, Column: n.Column})
			}
		}
	}
	typed.Content = append(typed.Content, n.Content...)
	return &typed
}
