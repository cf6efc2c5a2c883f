package objects

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// maxNearMisses is how many Secrets are told that a selector nearly selects.
const maxNearMisses = 3

// NearMisses tells the Secrets that a selector of API keys would select if their
// owner changed one or two things, those that lack the least. They may be in any
// namespace: it is for who may read all of them.
func (v *View) NearMisses(namespace string, labels map[string]v1alpha1.LabelValue) (out []string) {
	const most = 2
	least := most
	near := map[int][]string{}
	for _, in := range slices.Sorted(maps.Keys(v.secrets.spaces())) {
		n := v.secrets.namespaces[in]
		for _, name := range slices.Sorted(maps.Keys(n.byName)) {
			has, lacks := n.byName[name].compare(namespace, labels)
			if len(lacks) == 0 || len(lacks) > least || has == "" {
				continue
			}
			if least = len(lacks); len(near[least]) < maxNearMisses {
				near[least] = append(near[least], fmt.Sprintf("Secret %s/%s %s but %s", in, name, has, strings.Join(lacks, " and ")))
			}
		}
	}
	return near[least]
}

// compare says what a Secret has of what a selector wants, and what it lacks. has is
// "" for a Secret that is about something else.
func (s *stored) compare(namespace string, labels map[string]v1alpha1.LabelValue) (has string, lacks []string) {
	var right []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		want := k + ": " + string(labels[k])
		switch got, ok := s.labels[k]; {
		case k == v1alpha1.LabelUse:
		case ok && got == string(labels[k]):
			right = append(right, want)
		case ok:
			lacks = append(lacks, "has "+k+": "+authz.Cut(got, 63)+" and not "+want)
		default:
			lacks = append(lacks, "lacks the label "+want)
		}
	}
	if use := s.lacksUse(); use != "" {
		lacks = append(lacks, use)
	} else {
		right = append(right, v1alpha1.LabelUse+": "+v1alpha1.UseAPIKey)
	}
	if s.namespace != namespace {
		lacks = append(lacks, "is in namespace "+s.namespace)
	}
	if len(right) == 0 {
		return "", lacks
	}
	return "has " + strings.Join(right, " and "), lacks
}

// lacksUse says what is wrong with the label of use; "" if it is that of API keys.
func (s *stored) lacksUse() string {
	want := v1alpha1.LabelUse + ": " + v1alpha1.UseAPIKey
	use, ok := s.labels[v1alpha1.LabelUse]
	if ok && use != v1alpha1.UseAPIKey {
		return "is labelled " + v1alpha1.LabelUse + ": " + authz.Cut(use, 63) + " and not " + v1alpha1.UseAPIKey
	}
	if ok {
		return ""
	}
	out := "lacks the label " + want
	if unknown := apikey.UnknownNames(s.labels, nil); len(unknown) > 0 {
		out += " (" + unknown[0] + ")"
	}
	return out
}

func (s *shelf) spaces() map[string]*namespace {
	if s == nil {
		return nil
	}
	return s.namespaces
}

// Namespace is the one that the selector selects in.
func (s Selection) Namespace() string { return s.namespace }

// Labels are those that the selector selects by.
func (s Selection) Labels() map[string]v1alpha1.LabelValue { return s.labels }
