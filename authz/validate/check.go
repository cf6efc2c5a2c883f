package validate

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxFindings bounds the problems of one policy; nobody reads more.
const maxFindings = 100

// findings collects the problems of a policy. A message says what was expected,
// then what came, in short; field.Error's own value is left out.
type findings struct{ errs field.ErrorList }

func (f *findings) problems() []authz.Problem {
	out := make([]authz.Problem, len(f.errs))
	for i, err := range f.errs {
		out[i] = authz.Problem{Severity: authz.Invalid, Field: err.Field, Message: err.ErrorBody()}
	}
	return out
}

func (f *findings) add(kind field.ErrorType, at *field.Path, format string, args ...any) {
	if len(f.errs) >= maxFindings {
		return
	}
	f.errs = append(f.errs, &field.Error{
		Type: kind, Field: at.String(), BadValue: field.OmitValueType{}, Detail: fmt.Sprintf(format, args...),
	})
}

func (f *findings) invalid(at *field.Path, format string, args ...any) {
	f.add(field.ErrorTypeInvalid, at, format, args...)
}

// text is a rule for strings, lengths in characters. It is the CRD's minLength,
// maxLength and pattern.
type text struct {
	min, max int
	pattern  *regexp.Regexp
	// what is expected, in words that follow "expected ".
	what string
}

// check reports the first rule that s breaks.
func (r text) check(f *findings, at *field.Path, s string) {
	switch n := utf8.RuneCountInString(s); {
	case s == "" && r.min > 0:
		f.add(field.ErrorTypeRequired, at, "expected %s, got nothing", r.what)
	case n < r.min || n > r.max:
		f.invalid(at, "expected %d to %d characters, got %d", r.min, r.max, n)
	case r.pattern != nil && !r.pattern.MatchString(s):
		f.invalid(at, "expected %s, got %s", r.what, brief(s))
	}
}

// optional is check where something came.
func (r text) optional(f *findings, at *field.Path, s string) {
	if s != "" {
		r.check(f, at, s)
	}
}

// count reports a list or map of the wrong length.
func (f *findings) count(at *field.Path, n, least, most int) {
	switch {
	case n < least:
		f.add(field.ErrorTypeRequired, at, "expected at least %d, got %d", least, n)
	case n > most:
		f.add(field.ErrorTypeTooMany, at, "expected at most %d, got %d", most, n)
	}
}

// upTo are the elements that are looked at: more would only take time, and
// count told of them.
func upTo[E any](list []E, most int) []E { return list[:min(len(list), most)] }

// unique reports every element whose key an earlier one has.
func unique[E any](list []E, key func(E) string, report func(i int, key string)) {
	seen := make(map[string]bool, len(list))
	for i, e := range list {
		k := key(e)
		if seen[k] {
			report(i, k)
		}
		seen[k] = true
	}
}

// set reports the elements of a list of strings that break the rule, or occur
// twice.
func set[S ~string](f *findings, at *field.Path, list []S, most int, rule text) {
	f.count(at, len(list), 0, most)
	list = upTo(list, most)
	for i, s := range list {
		rule.check(f, at.Index(i), string(s))
	}
	unique(list, func(s S) string { return string(s) }, func(i int, s string) {
		f.add(field.ErrorTypeDuplicate, at.Index(i), "expected every value once, got %s twice", brief(s))
	})
}

// oneOf reports a value outside an enumeration.
func oneOf[S ~string](f *findings, at *field.Path, s S, allowed ...S) {
	for _, a := range allowed {
		if s == a {
			return
		}
	}
	f.add(field.ErrorTypeNotSupported, at, "expected one of %v, got %s", allowed, brief(string(s)))
}

// union reports a struct of which not exactly one member is set. The members
// are its fields that are pointers, by their names in manifests, and those
// named here.
func union(f *findings, at *field.Path, of any, more ...member) {
	var all []member
	v := reflect.ValueOf(of)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Pointer {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			all = append(all, member{name, !v.Field(i).IsNil()})
		}
	}
	exactlyOne(f, at, append(more, all...)...)
}

// member is a member of a union.
type member struct {
	name string
	set  bool
}

// exactlyOne reports a union of which not exactly one member is set.
func exactlyOne(f *findings, at *field.Path, members ...member) {
	var names, got []string
	for _, m := range members {
		names = append(names, m.name)
		if m.set {
			got = append(got, m.name)
		}
	}
	if len(got) != 1 {
		came := "none"
		if len(got) > 1 {
			came = strings.Join(got, " and ")
		}
		f.invalid(at, "exactly one of the fields in %v must be set, got %s", names, came)
	}
}

// brief quotes a value for a message, its beginning if it is long.
func brief(s string) string { return fmt.Sprintf("%q", cut(s, 64)) }

// cut returns at most n characters of s, and "…" where there are more.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}
