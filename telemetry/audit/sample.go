package audit

import (
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxAllows bounds how many numbers there are, so that the record start has room for all.
const maxAllows = 1000

// everyPolicy stands for the name in the name of all policies of a namespace.
const everyPolicy = "*"

// ParseAllows reads which allowances are recorded: of all policies ("0.1", "all",
// "none"), of one ("shop/catalog=0.01") and of those of a namespace ("chat/*=0.1"). They
// are [Config.Allows] and [Config.AllowsOf].
func ParseAllows(texts []string) (all float64, of map[string]float64, err error) {
	if len(texts) > maxAllows {
		return 0, nil, fmt.Errorf("expected at most %d numbers, got %d: NAMESPACE/* is one for all policies of a namespace", maxAllows, len(texts))
	}
	all, of = 1, map[string]float64{}
	known := map[string]bool{}
	for _, text := range texts {
		name, part, isOne := strings.Cut(text, "=")
		if !isOne {
			name, part = "", text
		}
		if strings.ContainsAny(text, " \t\r\n") {
			return 0, nil, fmt.Errorf("%q: expected no spaces, as in 0.1, shop/catalog=0.01 or shop/*=0.01", text)
		}
		if isOne && !isPolicy(name) {
			return 0, nil, fmt.Errorf("%q: expected NAMESPACE/NAME or NAMESPACE/* before the =, as in shop/catalog=0.01 or shop/*=0.01, got %q; a number alone is for all policies", text, name)
		}
		value, err := parsePart(part)
		switch {
		case err != nil:
			return 0, nil, fmt.Errorf("%q: %w", text, err)
		case known[name] && isOne:
			return 0, nil, fmt.Errorf("%q: expected one number for %s, got two: leave one out", text, name)
		case known[name]:
			return 0, nil, fmt.Errorf("%q: expected one number for all policies, got two: leave one out; for one policy write shop/catalog=0.1", text)
		}
		if known[name] = true; isOne {
			of[name] = value
		} else {
			all = value
		}
	}
	return all, of, nil
}

// isPolicy says whether a text names a policy, or those of a namespace.
func isPolicy(text string) bool {
	namespace, name, ok := strings.Cut(text, "/")
	return ok && len(validation.IsDNS1123Label(namespace)) == 0 && (name == everyPolicy || len(validation.IsDNS1123Subdomain(name)) == 0)
}

func parsePart(text string) (float64, error) {
	switch {
	case text == "all":
		return 1, nil
	case text == "none":
		return 0, nil
	case strings.Contains(text, "%"):
		return 0, errors.New("expected all, none, or a number from 0 to 1, got a percentage: 0.1 is 10%")
	}
	part, err := strconv.ParseFloat(text, 64)
	if err != nil || !(part >= 0 && part <= 1) { // NaN is neither
		return 0, errors.New("expected all, none, or a number from 0 to 1")
	}
	return part, nil
}

// sample is the part of allowances that is recorded, from 0 to 1.
type sample float64

// samples are those of policies.
type samples struct {
	all sample
	// policies are by namespace/name, namespaces by namespace.
	policies, namespaces map[string]sample
}

func newSamples(all float64, of map[string]float64) samples {
	s := samples{all: sample(all), policies: map[string]sample{}, namespaces: map[string]sample{}}
	for policy, part := range of {
		if namespace, name, _ := strings.Cut(policy, "/"); name == everyPolicy {
			s.namespaces[namespace] = sample(part)
		} else {
			s.policies[policy] = sample(part)
		}
	}
	return s
}

// of is the sample of a policy: its own, or else that of its namespace, or else that of all.
func (s *samples) of(policy string) sample {
	if len(s.policies)+len(s.namespaces) == 0 {
		return s.all
	}
	if one, ok := s.policies[policy]; ok {
		return one
	}
	namespace, _, _ := strings.Cut(policy, "/")
	if one, ok := s.namespaces[namespace]; ok {
		return one
	}
	return s.all
}

// has chooses by chance. What a caller writes, as the id of a request, has no say.
func (s sample) has() bool {
	return s >= 1 || mathrand.Float64() < float64(s) // #nosec G404 -- a sample
}

// fraction is the part as a record has it: 0 where every allowance is recorded.
func (s sample) fraction() float64 {
	if s >= 1 {
		return 0
	}
	return float64(s)
}

// list is what is recorded, as [ParseAllows] reads it; nil where every allowance is.
func (s *samples) list() (out []string) {
	whole := s.all >= 1
	text := func(prefix string, one sample) {
		whole = whole && one >= 1
		out = append(out, prefix+strconv.FormatFloat(min(float64(one), 1), 'g', -1, 64))
	}
	text("", s.all)
	for _, policy := range slices.Sorted(maps.Keys(s.policies)) {
		text(policy+"=", s.policies[policy])
	}
	for _, namespace := range slices.Sorted(maps.Keys(s.namespaces)) {
		text(namespace+"/"+everyPolicy+"=", s.namespaces[namespace])
	}
	if whole {
		return nil
	}
	return out
}
