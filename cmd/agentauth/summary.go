package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// counted is a number and what it counts: "1 policy", "2 policies".
func counted(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case one == "policy":
		return strconv.Itoa(n) + " policies"
	case strings.HasSuffix(one, "ss"):
		return strconv.Itoa(n) + " " + one + "es"
	}
	return strconv.Itoa(n) + " " + one + "s"
}

func are(n int, one string) string {
	if n == 1 {
		return counted(n, one) + " is"
	}
	return counted(n, one) + " are"
}

func were(n int, one string) string {
	if n == 1 {
		return counted(n, one) + " was"
	}
	return counted(n, one) + " were"
}

func count(problems []authz.Problem) (errors, warnings int) {
	for _, p := range problems {
		if p.Severity.Level() == "error" {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// read is what was read: how many objects of each kind, or nil if nobody knows, and
// how many documents were ignored.
type read struct {
	objects map[string]int
	other   int
	// keys says how many API keys each selector found.
	keys []string
}

// summary is the last line of validate: "2 policies are valid, 1 warning; read
// too: 3 Secrets".
func (r read) summary(errors, warnings int) string {
	var found []string
	if errors > 0 {
		found = append(found, counted(errors, "error"))
	}
	if warnings > 0 {
		found = append(found, counted(warnings, "warning"))
	}
	if r.objects == nil {
		return strings.Join(found, ", ")
	}
	policies := r.objects[v1alpha1.Kind]
	var others []string
	for _, kind := range slices.Sorted(maps.Keys(r.objects)) {
		if kind != v1alpha1.Kind {
			others = append(others, counted(r.objects[kind], kind))
		}
	}
	var out string
	switch {
	case errors > 0:
		out = strings.Join(found, ", ") + " in " + counted(policies, "policy")
	case policies > 0:
		out = strings.Join(append([]string{are(policies, "policy") + " valid"}, found...), ", ")
	default:
		out = strings.Join(append([]string{"no policy, and what was read is valid"}, found...), ", ")
	}
	if len(others) > 0 {
		out += "; read too: " + strings.Join(others, ", ")
	}
	if r.other > 0 {
		out += "; ignored: " + counted(r.other, "other document")
	}
	return out
}

// allowAbsent makes warnings of the problems of objects that are not in the files,
// and says how many these are. An object that is there and is not as it should be
// stays an error.
func allowAbsent(tree *manifest.Tree, problems []authz.Problem) (out []authz.Problem, absent int) {
	for _, p := range problems {
		switch {
		case p.Severity == authz.Unresolved && !has(tree, p.Ref), p.Severity == authz.Unattached && !hasTarget(tree, p):
			p.Severity = authz.Warning
			absent++
		case p.Lint == authz.SelectsNothing:
			absent++
		}
		out = append(out, p)
	}
	return out, absent
}

// has reports whether the files have an object, "Secret shop/keys".
func has(tree *manifest.Tree, ref string) bool {
	kind, name, _ := strings.Cut(ref, " ")
	namespace, name, _ := strings.Cut(name, "/")
	return tree.Locate(kind, namespace, name, "").File != ""
}

var targetField = regexp.MustCompile(`^spec\.targetRefs\[([0-9]+)\]`)

func hasTarget(tree *manifest.Tree, p authz.Problem) bool {
	m := targetField.FindStringSubmatch(p.Field)
	if m == nil {
		return true
	}
	i, err := strconv.Atoi(m[1])
	for _, policy := range tree.Input.Policies {
		if p.Object == fmt.Sprintf("%s %s/%s", v1alpha1.Kind, policy.Namespace, policy.Name) && err == nil && i < len(policy.Spec.TargetRefs) {
			target := policy.Spec.TargetRefs[i]
			return tree.Locate(string(target.Kind), policy.Namespace, target.Name, "").File != ""
		}
	}
	return true
}
