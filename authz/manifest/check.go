package manifest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checker checks a document against the type of its kind and writes it as JSON
// for sigs.k8s.io/json, with aliases followed and merges made. It exists for
// the reports: sigs.k8s.io/json stops at the first value of a wrong type, and
// knows no lines, no base64, no times and no names that are similar.
//
// A checker is used for one document.
type checker struct {
	say say
	// quiet: no message repeats what was written, as in a Secret.
	quiet bool
	// noNull is the field below which an empty value is a mistake. Elsewhere an
	// empty value is a field that is left out, as in `creationTimestamp: null`.
	noNull string
	// ignored are the paths of fields that only the API server writes.
	ignored []string

	// unread are the paths of the mistakes.
	unread []string

	json    *jsontext.Encoder
	aliases int // aliases that are being followed
	aliased int // bytes and nodes that were reached through aliases
	stopped bool
}

// check returns the document as JSON of type t, with null for each mistake.
func (c *checker) check(n *yaml.Node, t reflect.Type, at string) []byte {
	var out bytes.Buffer
	c.json = jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	c.value(n, t, at, 0)
	return out.Bytes()
}

func (c *checker) report(n *yaml.Node, at, message string) {
	c.unread = append(c.unread, at)
	c.say(n, at, message)
}

func (c *checker) write(t jsontext.Token) { _ = c.json.WriteToken(t) } // a Buffer takes everything

// value writes one value: null if it is empty or was reported.
func (c *checker) value(n *yaml.Node, t reflect.Type, at string, depth int) {
	if n.Kind == yaml.AliasNode {
		c.aliases++
		defer func() { c.aliases-- }()
		n = follow(n)
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind := t.Kind()
	switch {
	case !c.affordable(n, at, depth):
		c.write(jsontext.Null)
	case hasForeignTag(n):
		c.report(n, at, `a YAML tag that JSON has no type for; remove it, or if the "!" is of an expression, `+inQuotes)
		c.write(jsontext.Null)
	case n.Kind == yaml.MappingNode && (kind == reflect.Map || kind == reflect.Struct && t != timeType):
		c.mapping(n, t, at, depth)
	case n.Kind == yaml.SequenceNode && kind == reflect.Slice && !isBytes(t):
		c.write(jsontext.BeginArray)
		for i, item := range n.Content {
			c.value(item, t.Elem(), at+"["+strconv.Itoa(i)+"]", depth+1)
		}
		c.write(jsontext.EndArray)
	default:
		token, mistake := c.scalar(n, t, at)
		if mistake != "" {
			c.report(n, at, mistake)
		}
		c.write(token)
	}
}

// affordable bounds nesting, and what aliases multiply.
func (c *checker) affordable(n *yaml.Node, at string, depth int) bool {
	switch {
	case c.stopped:
	case depth > maxDepth || n.Kind == yaml.AliasNode:
		c.stopped = true
		c.report(n, at, "it is nested too deeply; expected at most 64 levels")
	case c.aliases > 0:
		if c.aliased += 1 + len(n.Value); c.aliased > maxAliased {
			c.stopped = true
			c.report(n, at, "expected at most 1 MiB to be repeated through aliases, and this is more; write it out, or in several documents")
		}
	}
	return !c.stopped
}

var timeType = reflect.TypeFor[metav1.Time]()

// isBytes says whether JSON has a type as base64.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// mapping writes a mapping of a struct or map type.
func (c *checker) mapping(n *yaml.Node, t reflect.Type, at string, depth int) {
	c.write(jsontext.BeginObject)
	c.entries(n, at, depth, func(key, value *yaml.Node) {
		var inner reflect.Type
		var field string
		if t.Kind() == reflect.Map {
			inner, field = t.Elem(), at+"["+c.shown(key.Value)+"]"
		} else {
			inner, field = fieldsOf(t)[key.Value], join(at, key.Value)
		}
		switch {
		case slices.Contains(c.ignored, field):
		case inner == nil:
			c.unread = append(c.unread, field)
			c.say(key, at, c.unknown(key.Value, fieldsOf(t)))
		default:
			c.write(jsontext.String(key.Value))
			c.value(value, inner, field, depth+1)
		}
	})
	c.write(jsontext.EndObject)
}

// entries calls do for each key of a mapping and then for each key that the
// mapping merges. It reports keys that are no strings or come twice.
func (c *checker) entries(n *yaml.Node, at string, depth int, do func(key, value *yaml.Node)) {
	seen := map[string]*yaml.Node{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		switch first := seen[key.Value]; {
		case isMerge(key):
			merges = append(merges, mergedFrom(value)...)
		case key.Kind != yaml.ScalarNode || tagOf(key) != "!!str":
			c.report(n.Content[i], at, "expected a string as key"+c.quoteHint(key))
		case first != nil:
			what := "a key"
			if !c.quiet {
				what = fmt.Sprintf("the key %q", key.Value)
			}
			c.report(key, at, fmt.Sprintf("%s comes twice: on line %d too; remove one", what, first.Line))
		default:
			seen[key.Value] = key
			do(key, value)
		}
	}
	for _, m := range merges {
		c.merge(m, at, depth+1, seen, do)
	}
}

// merge calls do for the keys of a merged mapping that are not there already.
func (c *checker) merge(m *yaml.Node, at string, depth int, seen map[string]*yaml.Node, do func(key, value *yaml.Node)) {
	c.aliases++
	defer func() { c.aliases-- }()
	from := follow(m)
	if !c.affordable(from, at, depth) {
		return
	}
	if from.Kind != yaml.MappingNode {
		c.report(m, at, `expected a mapping, or a list of mappings, after "<<"`)
		return
	}
	c.entries(from, at, depth, func(key, value *yaml.Node) {
		if c.affordable(key, at, depth) && seen[key.Value] == nil {
			seen[key.Value] = key
			do(key, value)
		}
	})
}

// scalar is the token of a scalar, if it is of type t: no type is made of
// another. Otherwise it is null, and the mistake if that is one.
func (c *checker) scalar(n *yaml.Node, t reflect.Type, at string) (token jsontext.Token, mistake string) {
	tag, zero := tagOf(n), reflect.Zero(t)
	var err error
	switch digits := strings.ReplaceAll(n.Value, "_", ""); {
	case tag == "!!null":
		if n.Anchor != "" && t.Kind() == reflect.String {
			return jsontext.Null, `"&" at the start of a value is an anchor in YAML, and nothing is left of the value; ` + inQuotes
		}
		return jsontext.Null, c.empty(t, at)
	case t == timeType:
		mistake = "expected a time as in 2027-01-31T00:00:00Z (RFC 3339)"
		_, err = time.Parse(time.RFC3339, n.Value)
		token = jsontext.String(n.Value)
	case n.Kind != yaml.ScalarNode:
		return jsontext.Null, c.mismatch(n, t)
	case isBytes(t) && tag == "!!str":
		mistake = "expected base64 (RFC 4648 4) and it is not; a Secret takes plain text under stringData, a ConfigMap under data"
		_, err = base64.StdEncoding.DecodeString(n.Value)
		token = jsontext.String(n.Value)
	case t.Kind() == reflect.String && tag == "!!str":
		token = jsontext.String(n.Value)
	case t.Kind() == reflect.Bool && tag == "!!bool":
		b, word := words11[n.Value]
		if !word {
			b, err = strconv.ParseBool(n.Value)
		}
		token = jsontext.Bool(b)
	case zero.CanInt() && tag == "!!int":
		var i int64
		i, err = strconv.ParseInt(digits, 0, t.Bits())
		token = jsontext.Int(i)
	case zero.CanUint() && tag == "!!int":
		var u uint64
		u, err = strconv.ParseUint(digits, 0, t.Bits())
		token = jsontext.Uint(u)
	default:
		return jsontext.Null, c.mismatch(n, t)
	}
	if err != nil {
		return jsontext.Null, cmp.Or(mistake, c.mismatch(n, t))
	}
	return token, ""
}

// empty is the mistake of an empty value of type t; "" if it is none.
func (c *checker) empty(t reflect.Type, at string) string {
	if c.noNull != "" && (at == c.noNull || strings.HasPrefix(at, c.noNull+".")) || strings.HasSuffix(at, "]") {
		return "expected " + expected(t) + ", came nothing; give it a value, or leave it out"
	}
	return ""
}

var fieldCache sync.Map // reflect.Type -> map[string]reflect.Type

// fieldsOf are the fields of a struct by their names in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if f, ok := fieldCache.Load(t); ok {
		return f.(map[string]reflect.Type)
	}
	out := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name != "":
			out[name] = f.Type
		case f.Anonymous: // inline
			for inner, typ := range fieldsOf(f.Type) {
				out[inner] = typ
			}
		}
	}
	fieldCache.Store(t, out)
	return out
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
