package controller

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// contest counts how often the status of one report was written: more than
// conditions and ancestors once means that somebody else writes another one, as a
// second agentauth does that sees the policy otherwise. Each time the wait
// doubles, so that two writers come to rest.
type contest struct {
	report engine.Report // of it conditions and ancestors
	times  int
	last   time.Time
	until  time.Time
}

// The first freeWrites of a report are at once. The longest wait is
// longestContest; a contest in which nothing was written for twice as long is
// over.
const (
	freeWrites     = 5
	longestContest = 10 * time.Minute
)

func (c *contest) about(r *engine.Report) bool {
	return c != nil && equality.Semantic.DeepEqual(c.report.Conditions, r.Conditions) && equality.Semantic.DeepEqual(c.report.Ancestors, r.Ancestors)
}

// waits reports whether the status of a report is not to be written yet.
func (c *contest) waits(r *engine.Report, now time.Time) bool {
	return c != nil && now.Before(c.until) && c.about(r)
}

// writes is the contest after the status of a report was written.
func (c *contest) writes(r *engine.Report, now time.Time) *contest {
	next := &contest{report: engine.Report{Conditions: r.Conditions, Ancestors: r.Ancestors}, times: 1, last: now}
	if c.about(r) && now.Sub(c.last) < 2*longestContest {
		next.times = c.times + 1
	}
	if n := next.times - freeWrites; n >= 0 {
		next.until = now.Add(min(time.Second<<min(n, 20), longestContest))
	}
	return next
}

// contested is when the next status may be written that somebody contests; it
// never comes if there is none.
func (s *status) contested() <-chan time.Time {
	now := s.clock()
	var next time.Time
	for _, c := range s.written {
		if c.until.After(now) && (next.IsZero() || c.until.Before(next)) {
			next = c.until
		}
	}
	if next.IsZero() {
		return nil
	}
	return time.After(next.Sub(now))
}
