package controller

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Age is for how long what is in force may not have been what the API server
// says: since the oldest change that is not in force, and since anything was not
// watched. It is 0 while all is well, and never because of a try that failed.
func (c *Cluster) Age() time.Duration {
	return max(c.kinds.age(), c.kinds.pending.age(), c.behind())
}

// behind is since when what was loaded is not in force, as Config.Behind says.
func (c *Cluster) behind() time.Duration {
	if c.config.Behind == nil {
		return 0
	}
	since, behind := c.config.Behind()
	if !behind {
		return 0
	}
	return time.Since(since)
}

// Problems are what keeps what is in force from being all that the API server
// says, and what is left out of it: a line each, at most 20 of the latter.
func (c *Cluster) Problems() (lines []string) {
	lags := append(c.kinds.lags(), lag{"", "a change is not in force", c.kinds.pending.age()}, lag{"", "a policy is not compiled", c.behind()})
	for _, l := range lags {
		if l.age >= time.Second {
			lines = append(lines, fmt.Sprintf("%s for %s; what was known before is in force", strings.TrimSpace(l.kind+" "+l.what), l.age.Round(time.Second)))
		}
	}
	slices.Sort(lines)
	odd := c.kinds.unreadable()
	if more := len(odd) - maxUnreadable; more > 0 {
		odd = append(odd[:maxUnreadable:maxUnreadable], fmt.Sprintf("and %d more objects cannot be read", more))
	}
	return append(lines, odd...)
}

// maxUnreadable bounds the objects that are named.
const maxUnreadable = 20

// Unreadable is how many objects are left out because they cannot be read.
func (c *Cluster) Unreadable() int { return len(c.kinds.unreadable()) }

// age is for how long something of what is in force may not have been what the
// API server has. Each check may ask for it.
func (k *kinds) age() (age time.Duration) {
	for _, l := range k.lags() {
		age = max(age, l.age)
	}
	return age
}

// lag is one reason for which what is in force may be old.
type lag struct {
	kind, what string
	age        time.Duration
}

// lags are all reasons.
func (k *kinds) lags() (out []lag) {
	add := func(kind, what string, age time.Duration) {
		if age > 0 {
			out = append(out, lag{kind, what, age})
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.followed) == 0 {
		add("", "nothing is watched yet", time.Since(k.begun))
	}
	for name, f := range k.followed {
		var age time.Duration
		for _, c := range f.collections {
			age = max(age, c.age())
		}
		add(name, "are not watched", age)
		if !f.changed.IsZero() {
			add(name, "were not read again after a change of their CRD", time.Since(f.changed))
		}
	}
	return out
}
