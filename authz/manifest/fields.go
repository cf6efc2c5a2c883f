package manifest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// fields are the fields of a struct by their JSON name.
type fields map[string][]int

var fieldCache sync.Map // reflect.Type -> fields

func fieldsOf(t reflect.Type) fields {
	if f, ok := fieldCache.Load(t); ok {
		return f.(fields)
	}
	out := fields{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name != "":
			out[name] = f.Index
		case f.Anonymous: // inline
			for inner, index := range fieldsOf(f.Type) {
				out[inner] = slices.Concat(f.Index, index)
			}
		}
	}
	fieldCache.Store(t, out)
	return out
}

// near is the candidate that a name was most likely meant to be; "" if none.
func near(name string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		d := edits(strings.ToLower(name), strings.ToLower(c), distance)
		if d < distance && d < max(1, len(c)/2) {
			best, distance = c, d
		}
	}
	return best
}

func (f fields) names() []string { return slices.Sorted(maps.Keys(f)) }

// edits is how many letters must be added, removed or replaced to make b of a,
// or most if it is no less (Levenshtein).
func edits(a, b string, most int) int {
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], most)
}
