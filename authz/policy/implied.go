package policy

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// maxHeld is how many scopes an identity has by implication at most: as many as an
// expression reads of a list.
const maxHeld = 256

// Implied are the narrower scopes that broad ones hold, in the order of the broad
// ones.
type Implied []implication

type implication struct {
	broad  string
	narrow []string
}

// ImpliedBy orders what a policy says.
func ImpliedBy(src v1alpha1.ImpliedScopes) (out Implied) {
	for broad, narrow := range src {
		out = append(out, implication{broad, narrow})
	}
	slices.SortFunc(out, func(a, b implication) int { return strings.Compare(a.broad, b.broad) })
	return out
}

// holds returns the scopes and what they hold by implication, each once. What is
// implied implies nothing. What would be beyond maxHeld is not added, so that an
// identity never has more rights, and its list can still be read.
func (in Implied) holds(scopes []string) []string {
	held := scopes
	for _, i := range in {
		if len(scopes) >= maxHeld || !slices.Contains(scopes, i.broad) {
			continue
		}
		for _, s := range i.narrow {
			if len(held) < maxHeld && !slices.Contains(held, s) {
				held = append(held, s)
			}
		}
	}
	return held
}

// texts tell an Implied from others.
func (in Implied) texts() (out []string) {
	for _, i := range in {
		out = append(out, " "+i.broad) // no scope has a space
		out = append(out, i.narrow...)
	}
	return out
}
