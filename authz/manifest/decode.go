package manifest

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// decoder fills the Go value of a manifest from its nodes, strictly: names are
// compared with letter case, nothing unknown, nothing twice, no type is made
// of another. A decoder is used for one document.
type decoder struct {
	report func(n *yaml.Node, field, message string)
	// quiet: nothing that was read is repeated, as in a Secret.
	quiet bool
	// noNull is the field under which an empty value is a mistake. Elsewhere
	// it is as if the field was left out, as in `creationTimestamp: null`.
	noNull string
	// ignored are fields that only the API server writes.
	ignored map[string]bool

	aliases int // that are being followed
	aliased int // what was reached through them so far
	stopped bool
}

// value decodes n into out.
func (d *decoder) value(n *yaml.Node, out reflect.Value, at string, depth int) {
	if n.Kind == yaml.AliasNode {
		d.aliases++
		defer func() { d.aliases-- }()
		n = follow(n)
	}
	if !d.affordable(n, at, depth) {
		return
	}
	if hasForeignTag(n) {
		d.report(n, at, "a YAML tag that JSON has no type for; remove it")
		return
	}
	if tagOf(n) == "!!null" && out.Kind() != reflect.Pointer {
		d.null(n, out, at)
		return
	}
	d.typed(n, out, at, depth)
}

// affordable bounds nesting, and what aliases multiply.
func (d *decoder) affordable(n *yaml.Node, at string, depth int) bool {
	switch {
	case d.stopped:
		return false
	case depth > maxDepth || n.Kind == yaml.AliasNode:
		d.stopped = true
		d.report(n, at, "it is nested too deeply; expected at most 64 levels")
	case d.aliases > 0:
		if d.aliased += 1 + len(n.Value); d.aliased > maxAliased {
			d.stopped = true
			d.report(n, at, "expected at most 1 MiB to be repeated through aliases, and this is more; write it out, or in several documents")
		}
	}
	return !d.stopped
}

func (d *decoder) null(n *yaml.Node, out reflect.Value, at string) {
	if d.noNull != "" && (at == d.noNull || strings.HasPrefix(at, d.noNull+".")) || strings.HasSuffix(at, "]") {
		d.report(n, at, fmt.Sprintf("expected %s, came nothing; %s", expected(out.Type()), "give it a value, or leave it out"))
	}
}

var timeType = reflect.TypeFor[metav1.Time]()

func (d *decoder) typed(n *yaml.Node, out reflect.Value, at string, depth int) {
	switch {
	case out.Kind() == reflect.Pointer:
		if tagOf(n) == "!!null" {
			d.null(n, reflect.New(out.Type().Elem()).Elem(), at)
			return
		}
		out.Set(reflect.New(out.Type().Elem()))
		d.typed(n, out.Elem(), at, depth)
	case out.Type() == timeType:
		d.time(n, out, at)
	case out.Kind() == reflect.Slice && out.Type().Elem().Kind() == reflect.Uint8:
		d.bytes(n, out, at)
	case out.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		d.object(n, out, at, depth)
	case out.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		d.dict(n, out, at, depth)
	case out.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		list := reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			d.value(item, list.Index(i), at+"["+strconv.Itoa(i)+"]", depth+1)
		}
		out.Set(list)
	default:
		if n.Kind != yaml.ScalarNode || !d.scalar(n, out) {
			d.mismatch(n, out.Type(), at)
		}
	}
}

// scalar reports whether n was of the type of out.
func (d *decoder) scalar(n *yaml.Node, out reflect.Value) bool {
	tag := tagOf(n)
	switch {
	case out.Kind() == reflect.String && tag == "!!str":
		out.SetString(n.Value)
	case out.Kind() == reflect.Bool && tag == "!!bool":
		b, word := words11[n.Value]
		if !word {
			var err error
			if b, err = strconv.ParseBool(n.Value); err != nil {
				return false
			}
		}
		out.SetBool(b)
	case out.CanInt() && tag == "!!int":
		i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, out.Type().Bits())
		if err != nil {
			return false
		}
		out.SetInt(i)
	case out.CanUint() && tag == "!!int":
		i, err := strconv.ParseUint(strings.ReplaceAll(n.Value, "_", ""), 0, out.Type().Bits())
		if err != nil {
			return false
		}
		out.SetUint(i)
	default:
		return false
	}
	return true
}

func (d *decoder) object(n *yaml.Node, out reflect.Value, at string, depth int) {
	known := fieldsOf(out.Type())
	d.entries(n, at, depth, func(key, value *yaml.Node) {
		name := key.Value
		field := join(at, name)
		index, ok := known[name]
		switch {
		case d.ignored[field]:
		case ok:
			d.value(value, out.FieldByIndex(index), field, depth+1)
		default:
			d.unknown(key, at, known.names())
		}
	})
}

func (d *decoder) unknown(key *yaml.Node, at string, known []string) {
	meant := near(key.Value, known)
	what := "unknown field"
	if !d.quiet || meant != "" {
		what = fmt.Sprintf("unknown field %q", key.Value)
	}
	switch {
	case meant != "":
		what += fmt.Sprintf("; did you mean %q?", meant)
	case len(known) == 0:
		what += "; it has no fields here: write {}"
	default:
		what += "; known are " + strings.Join(known, ", ")
	}
	d.report(key, at, what)
}

func (d *decoder) dict(n *yaml.Node, out reflect.Value, at string, depth int) {
	m := reflect.MakeMap(out.Type())
	d.entries(n, at, depth, func(key, value *yaml.Node) {
		v := reflect.New(out.Type().Elem()).Elem()
		d.value(value, v, at+"["+d.shown(key.Value)+"]", depth+1)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(out.Type().Key()), v)
	})
	out.Set(m)
}

// entries calls do for each key of a mapping and then for those it merges, and
// reports keys that are no strings or come twice.
func (d *decoder) entries(n *yaml.Node, at string, depth int, do func(key, value *yaml.Node)) {
	seen := map[string]*yaml.Node{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		first := seen[key.Value]
		switch {
		case isMerge(key):
			merges = append(merges, mergedFrom(value)...)
		case key.Kind != yaml.ScalarNode || tagOf(key) != "!!str":
			d.report(n.Content[i], at, "expected a string as key"+d.quoteHint(key))
		case first != nil && d.quiet:
			d.report(key, at, fmt.Sprintf("a key comes twice: on line %d too; remove one", first.Line))
		case first != nil:
			d.report(key, at, fmt.Sprintf("the key %q comes twice: on line %d too; remove one", key.Value, first.Line))
		default:
			seen[key.Value] = key
			do(key, value)
		}
	}
	for _, m := range merges {
		d.merge(m, at, depth+1, seen, do)
	}
}

// merge calls do for the keys of a merged mapping that are not there already.
func (d *decoder) merge(m *yaml.Node, at string, depth int, seen map[string]*yaml.Node, do func(key, value *yaml.Node)) {
	d.aliases++
	defer func() { d.aliases-- }()
	from := follow(m)
	if !d.affordable(from, at, depth) {
		return
	}
	if from.Kind != yaml.MappingNode {
		d.report(m, at, `expected a mapping, or a list of mappings, after "<<"`)
		return
	}
	d.entries(from, at, depth, func(key, value *yaml.Node) {
		if d.affordable(key, at, depth) && seen[key.Value] == nil {
			seen[key.Value] = key
			do(key, value)
		}
	})
}

func (d *decoder) time(n *yaml.Node, out reflect.Value, at string) {
	t, err := time.Parse(time.RFC3339, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.report(n, at, "expected a time as in 2027-01-31T00:00:00Z (RFC 3339)")
		return
	}
	out.Set(reflect.ValueOf(metav1.NewTime(t)))
}

func (d *decoder) bytes(n *yaml.Node, out reflect.Value, at string) {
	if n.Kind != yaml.ScalarNode || tagOf(n) != "!!str" {
		d.mismatch(n, out.Type(), at)
		return
	}
	b, err := base64.StdEncoding.DecodeString(n.Value)
	if err != nil {
		d.report(n, at, "expected base64 (RFC 4648 4) and it is not; a Secret takes plain text under stringData, a ConfigMap under data")
		return
	}
	out.SetBytes(b)
}

func (d *decoder) mismatch(n *yaml.Node, t reflect.Type, at string) {
	message := "expected " + expected(t) + ", came " + d.came(n)
	switch {
	case t.Kind() == reflect.String && n.Kind == yaml.ScalarNode:
		message += d.quoteHint(n)
	case t.Kind() == reflect.Slice && n.Kind != yaml.SequenceNode:
		message += `; begin each item with "- "`
	case t.Kind() == reflect.Bool && n.Kind == yaml.ScalarNode && tagOf(n) == "!!str":
		message += "; write true or false, without quotes"
	case reflect.Zero(t).CanInt() || reflect.Zero(t).CanUint():
		message += "; write it without quotes, and not too large"
	}
	d.report(n, at, message)
}

func expected(t reflect.Type) string {
	switch k := t.Kind(); {
	case k == reflect.Pointer:
		return expected(t.Elem())
	case k == reflect.String:
		return "a string"
	case k == reflect.Bool:
		return "true or false"
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "a string of base64"
	case k == reflect.Slice:
		return "a list"
	case k == reflect.Struct, k == reflect.Map:
		return "a mapping"
	}
	return "a whole number"
}

// came describes a node; its value is told only where nothing is secret.
func (d *decoder) came(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	what := map[string]string{"!!bool": "boolean", "!!int": "number", "!!float": "number"}[tagOf(n)]
	switch {
	case what == "":
		return "a string"
	case d.quiet:
		return "a " + what
	}
	return "the " + what + " " + n.Value
}

func (d *decoder) quoteHint(n *yaml.Node) string {
	if d.quiet || n.Kind != yaml.ScalarNode {
		return "; quote it"
	}
	return fmt.Sprintf(`; quote it: "%s"`, n.Value)
}

// plainKey is what keys of Secrets, labels and annotations are made of.
var plainKey = regexp.MustCompile(`^[-._/A-Za-z0-9]{1,316}$`)

func (d *decoder) shown(key string) string {
	if d.quiet && !plainKey.MatchString(key) {
		return "…"
	}
	return key
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
