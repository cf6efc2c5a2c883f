package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// isOther reports whether a document is for somebody else: it has no kind, as a
// patch or a chart's values, or a kind of a group that is not known. A mistake
// in a kind or version of a known group is none: nobody else would find it.
func isOther(doc *yaml.Node) bool {
	text := func(field string) string {
		if _, value := lookup(doc, field); value != nil {
			return follow(value).Value
		}
		return ""
	}
	version, kind := text("apiVersion"), text("kind")
	group := groupOf(version)
	if group == v1alpha1.GroupVersion.Group || kind == v1alpha1.Kind || kind == v1alpha1.Kind+"List" {
		return false
	}
	item, isList := listOf(kind)
	if isList && item == "" {
		return version != "v1"
	}
	if isList {
		kind = item
	}
	for known := range kinds[kind] {
		if groupOf(known) == group {
			return false
		}
	}
	return true
}

// groupOf is the API group of a version; "" for "v1".
func groupOf(version string) string {
	group, _, ok := strings.Cut(version, "/")
	if !ok {
		return ""
	}
	return group
}
