package apikey

import (
	"maps"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// The names that agentauth reads of the Secrets of API keys.
var (
	knownLabels      = []string{v1alpha1.LabelUse}
	knownAnnotations = []string{v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationPlainKeys, v1alpha1.AnnotationScopes}
	knownPrefixes    = []string{v1alpha1.AnnotationClaimPrefix, v1alpha1.AnnotationExpiresAtPrefix}
)

// UnknownNames tells the labels and annotations of agentauth's domains that nobody
// reads, and which were meant, by name.
func UnknownNames(labels, annotations map[string]string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if !IsOurs(name) || slices.Contains(knownLabels, name) {
			continue
		}
		if isAnnotation(name) {
			out = append(out, "label "+name+" is an annotation; move it to metadata.annotations")
			continue
		}
		out = append(out, "label "+name+" is not known"+meant(name, knownLabels))
	}
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		switch {
		case len(out) >= authz.MaxObjectProblems:
			return out
		case !IsOurs(name), isAnnotation(name):
		case slices.Contains(knownLabels, name):
			out = append(out, "annotation "+name+" is a label; move it to metadata.labels")
		default:
			out = append(out, "annotation "+name+" is not known"+meant(name, knownAnnotations))
		}
	}
	return out
}

// NamesWithoutEffect tells the labels and annotations of agentauth's domains on an
// object that holds no API keys: nobody reads them there.
func NamesWithoutEffect(labels, annotations map[string]string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if isAnnotation(name) && len(out) < authz.MaxObjectProblems {
			out = append(out, "annotation "+name+" has no effect here: only Secrets labelled "+v1alpha1.LabelUse+": "+v1alpha1.UseAPIKey+" have it")
		}
	}
	return append(UnknownNames(labels, annotations), out...)
}

// IsOurs says whether a label or annotation is of agentauth's domains.
func IsOurs(name string) bool {
	domain, _, ok := strings.Cut(strings.ToLower(name), "/")
	return ok && (domain == v1alpha1.GroupVersion.Group || strings.HasSuffix(domain, "."+v1alpha1.GroupVersion.Group))
}

func isAnnotation(name string) bool {
	return slices.Contains(knownAnnotations, name) ||
		slices.ContainsFunc(knownPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) && name != prefix })
}

// meant says which name was meant, or which there are.
func meant(name string, known []string) string {
	domain, rest, _ := strings.Cut(name, "/")
	var domains []string
	for _, prefix := range knownPrefixes {
		domains = append(domains, strings.TrimSuffix(prefix, "/"))
	}
	if domain != v1alpha1.GroupVersion.Group {
		if near := authz.Near(domain, domains); near != "" {
			return "; did you mean " + near + "/" + rest + "?"
		}
	}
	if rest == "sub" {
		return "; did you mean " + v1alpha1.AnnotationClaimPrefix + "sub?"
	}
	all := known
	if len(known) > 1 {
		all = append(slices.Clone(known), v1alpha1.AnnotationClaimPrefix+"NAME", v1alpha1.AnnotationExpiresAtPrefix+"ENTRY")
	}
	return didYouMean(name, known, "; known are "+strings.Join(all, ", "))
}

// didYouMean names the candidate that was meant, or says otherwise.
func didYouMean(name string, candidates []string, otherwise ...string) string {
	if near := authz.Near(name, candidates); near != "" {
		return "; did you mean " + near + "?"
	}
	return strings.Join(otherwise, "")
}
