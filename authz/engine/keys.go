package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// selected is what the selector of a method selects.
type selected struct {
	objects.Selection
	method string
	number int
}

func (s *selected) at() string {
	return fmt.Sprintf("spec.authentication.methods[%d].apiKey.selector", s.number)
}

// keysFound is what the selectors of a policy found at a time.
type keysFound struct {
	warnings []authz.Problem
	// counts are as in "method keys: 3 keys in 2 Secrets".
	counts []string
	// next is when the next key ends; zero: none does.
	next time.Time
}

// beside are the counts, behind what else is said.
func (f *keysFound) beside(message string) string {
	return strings.Join(append([]string{message}, f.counts...), "; ")
}

// keysOf tells what the selectors of a policy found.
func (s *Snapshot) keysOf(p *compiled, now time.Time) (f keysFound) {
	for of := range uses[selected](p) {
		found := of.Keys.Found()
		found.Secrets = of.Len()
		if of.Keys != nil && found.Keys == 0 {
			f.warnings = append(f.warnings, authz.Problem{Severity: authz.Warning, Lint: authz.SelectsNothing, Field: of.at(), Message: s.nothing(of, found)})
		}
		ended, n, next := of.Keys.Ended(now)
		found.Ended = n
		for _, problem := range ended {
			problem.Field = of.at()
			f.warnings = append(f.warnings, problem)
		}
		if !next.IsZero() && (f.next.IsZero() || next.Before(f.next)) {
			f.next = next
		}
		f.counts = append(f.counts, "method "+of.method+": "+found.String())
	}
	return f
}

// nothing says why a selector found no key. With one tenant it names the Secrets
// that it nearly selects.
func (s *Snapshot) nothing(of selected, found apikey.Found) string {
	if found.Secrets > 0 {
		return fmt.Sprintf("finds no key: %s selected in %s, and no entry is a key", plural(found.Secrets, "Secret is", "Secrets are"), of.Namespace())
	}
	message := "selects no Secret in " + of.Namespace()
	if s.oneTenant {
		if near := s.objects.NearMisses(of.Namespace(), of.Labels()); len(near) > 0 {
			return message + "; " + strings.Join(near, "; ")
		}
	}
	wanted := []string{v1alpha1.LabelUse + ": " + v1alpha1.UseAPIKey}
	for _, k := range slices.Sorted(maps.Keys(of.Labels())) {
		if k != v1alpha1.LabelUse {
			wanted = append(wanted, k+": "+string(of.Labels()[k]))
		}
	}
	return message + "; label one there " + strings.Join(wanted, " and ")
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// stale says whether a report on a policy may no longer be told as it is: a key
// ended since, or its selector selects nothing, and what is beside it may have
// changed.
func (s *Snapshot) stale(p *compiled, r reported, now time.Time) bool {
	if s.oneTenant {
		for of := range uses[selected](p) {
			if of.Len() == 0 {
				return true
			}
		}
	}
	return !r.until.IsZero() && !now.Before(r.until)
}

// KeyTables are the tables of API keys of the policies in force, each once.
func (e *Engine) KeyTables() []*apikey.Table {
	tables := map[*apikey.Table]bool{}
	if s := e.current.Load(); s != nil {
		for _, n := range s.find.Order() {
			for of := range uses[selected](s.policies[n]) {
				tables[of.Keys] = true
			}
		}
	}
	return slices.Collect(maps.Keys(tables))
}

// Found says what the selectors of each policy found, as in "AgentAuthPolicy
// shop/orders: method keys: 3 keys in 2 Secrets".
func (s *Snapshot) Found() (out []string) {
	if s == nil {
		return nil
	}
	for _, n := range s.find.Order() {
		for _, count := range s.reports[n].found {
			out = append(out, v1alpha1.Kind+" "+s.policies[n].Name.String()+": "+count)
		}
	}
	return out
}
