package work

import (
	"slices"
	"time"
)

// share is what a namespace, or one of its policies, has had and waits for; the
// shares of all namespaces are the parts of one more.
type share struct {
	// used is the time of slots that the share was charged. It never falls behind
	// the turn of what it is part of, so that nobody saves up turns.
	used time.Duration
	// turn is what the part had used that began last.
	turn    time.Duration
	running int // slots
	waiting int // jobs
	parts   map[string]*share
	jobs    []*job // of a policy: those that wait, oldest first
}

func (s *share) idle() bool { return s.running == 0 && s.waiting == 0 }

// part returns a part, and makes it if it is new.
func (s *share) part(name string) *share {
	p := s.parts[name]
	if p == nil {
		if s.parts == nil {
			s.parts = map[string]*share{}
		}
		p = &share{}
		s.parts[name] = p
	}
	if p.idle() {
		p.used = max(p.used, s.turn)
	}
	return p
}

// forget drops parts of which nothing is to be remembered.
func (s *share) forget() {
	for name, p := range s.parts {
		if p.idle() && (p.used <= s.turn || s.idle()) {
			delete(s.parts, name)
		}
	}
}

// first is the job of a policy whose turn is next: the oldest, but the newest
// while they wait long, since the others will hardly end in their time. Jobs
// that are Last come after that.
func (s *share) first(now time.Time) *job {
	last := func(j *job) bool { return j.Last }
	lo, hi := 0, len(s.jobs)-1
	if i := slices.IndexFunc(s.jobs, func(j *job) bool { return !j.Last }); i >= 0 {
		for lo = i; last(s.jobs[hi]); hi-- {
		}
	}
	if s.jobs[lo].overdue(now) {
		return s.jobs[hi]
	}
	return s.jobs[lo]
}

// spoilt is the job of a policy that is given up first: the oldest, which has
// least time left, or the newest where nothing has a deadline.
func (s *share) spoilt() *job {
	if s.jobs[0].deadline.IsZero() {
		return s.jobs[len(s.jobs)-1]
	}
	return s.jobs[0]
}

// fullest is the part that has most waiting, mine if none has more. Of several
// policies it is the one that has waited longest.
func (s *share) fullest(mine *share) *share {
	most := mine
	for _, p := range s.parts {
		if p.waiting > most.waiting || most != mine && p.waiting == most.waiting && p.waitsLonger(most) {
			most = p
		}
	}
	return most
}

func (s *share) waitsLonger(than *share) bool {
	return len(s.jobs) > 0 && len(than.jobs) > 0 && s.jobs[0].number < than.jobs[0].number
}

// enqueue and dequeue keep the counts of a job's shares.
func (s *Scheduler) enqueue(j *job) {
	j.policy.jobs = append(j.policy.jobs, j)
	j.policy.waiting++
	j.namespace.waiting++
	s.all.waiting++
}

func (s *Scheduler) dequeue(j *job) bool {
	i := slices.Index(j.policy.jobs, j)
	if i < 0 {
		return false
	}
	j.policy.jobs = slices.Delete(j.policy.jobs, i, i+1)
	j.policy.waiting--
	j.namespace.waiting--
	s.all.waiting--
	return true
}

// occupy adds slots, below 0 gives them back, and charges the time for them.
func (s *Scheduler) occupy(j *job, slots int, charge time.Duration) {
	for _, share := range []*share{&s.all, j.namespace, j.policy} {
		share.running += slots
		share.used += charge
	}
}
