package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// unknown says that a struct has no field of this name, and which it has.
func (c *checker) unknown(name string, fields map[string]reflect.Type) string {
	known := slices.Sorted(maps.Keys(fields))
	meant := authz.Near(name, known)
	what := "unknown field"
	if !c.quiet || meant != "" {
		what = fmt.Sprintf("unknown field %q", name)
	}
	switch {
	case meant != "":
		return what + fmt.Sprintf("; did you mean %q?", meant)
	case len(known) == 0:
		return what + "; it has no fields here: write {}"
	}
	what += "; known are " + strings.Join(known, ", ")
	if in := within(name, known, fields); !c.quiet && len(in) > 0 && len(in) <= mostPlaces {
		what += "; there is one in " + strings.Join(in, " and in ")
	}
	return what
}

// mostPlaces is how many places of a field that stands too high are named.
const mostPlaces = 2

// within are the fields that have one of this name.
func within(name string, known []string, fields map[string]reflect.Type) (out []string) {
	for _, k := range known {
		t := fields[k]
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			continue
		}
		if _, has := fieldsOf(t)[name]; has {
			out = append(out, k)
		}
	}
	return out
}

// mismatch says that a value is not of type t.
func (c *checker) mismatch(n *yaml.Node, t reflect.Type) string {
	message := "expected " + expected(t) + ", came " + c.came(n)
	switch {
	case t.Name() == "Duration":
	case (t.Kind() == reflect.Struct || t.Kind() == reflect.Map) && noSpace.MatchString(n.Value):
		message += `; is a space missing after ":"?`
	case t.Kind() == reflect.Struct && n.Kind != yaml.MappingNode:
		message += fieldsHint(t)
	case t.Kind() == reflect.String && n.Kind == yaml.ScalarNode:
		message += c.quoteHint(n)
	case t.Kind() == reflect.Slice && n.Kind != yaml.SequenceNode:
		message += `; begin each item with "- "`
	case t.Kind() == reflect.Bool && n.Kind == yaml.ScalarNode && tagOf(n) == "!!str":
		message += "; write true or false, without quotes"
	case reflect.Zero(t).CanInt() || reflect.Zero(t).CanUint():
		message += "; write it without quotes, and not too large"
	}
	return message
}

// mostFields is how many fields of a mapping are named where something else came.
const mostFields = 8

func fieldsHint(t reflect.Type) string {
	known := slices.Sorted(maps.Keys(fieldsOf(t)))
	if len(known) == 0 || len(known) > mostFields {
		return ""
	}
	return "; its fields are " + strings.Join(known, ", ")
}

func expected(t reflect.Type) string {
	if t.Name() == "Duration" {
		return "a duration such as 30s"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		if isBytes(t) {
			return "a string of base64"
		}
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	default:
		return "a whole number"
	}
}

// came describes a value. It repeats the value only where nothing is secret.
func (c *checker) came(n *yaml.Node) string {
	var what string
	switch tag := tagOf(n); {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case tag == "!!bool":
		what = "boolean"
	case tag == "!!int", tag == "!!float":
		what = "number"
	default:
		return "a string"
	}
	if c.quiet {
		return "a " + what
	}
	return "the " + what + " " + n.Value
}

func (c *checker) quoteHint(n *yaml.Node) string {
	if c.quiet || n.Kind != yaml.ScalarNode {
		return "; quote it"
	}
	return fmt.Sprintf(`; quote it: "%s"`, n.Value)
}

// plainKey is what keys of Secrets, labels and annotations are made of.
var plainKey = regexp.MustCompile(`^[-._/A-Za-z0-9]{1,316}$`)

func (c *checker) shown(key string) string {
	if c.quiet && !plainKey.MatchString(key) {
		return "…"
	}
	return key
}
