package work

import (
	"context"
	"time"
)

// job is a task on its way through a Scheduler. refused is read only after ready
// is closed: the job has its slots then, or is refused.
type job struct {
	Task
	ready   chan struct{}
	refused bool

	arrived, deadline, started time.Time // a zero deadline: none
	number                     uint64    // in the order of arrival
	namespace, policy          *share
	mean                       *mean
	// hopeful says that the job runs even if the mean says that it cannot end in
	// its time: a slot was idle when it arrived, or the mean is put to the test.
	hopeful bool
	// spare says that the job runs in the slot that is kept.
	spare bool
	// charge is what the job's owner was charged at the start.
	charge time.Duration
}

// hopeless says that the job would be begun for nothing.
func (j *job) hopeless(now time.Time) bool {
	left := j.deadline.Sub(now)
	switch {
	case j.hopeful, j.mean.unknown, j.deadline.IsZero(), left >= j.mean.duration+j.mean.deviation:
		return false
	case left > 0 && now.Sub(j.mean.at) > stale:
		j.hopeful, j.mean.anew, j.mean.at = true, true, now
		return false
	}
	return true
}

// overdue says that the job spent half of its time with waiting.
func (j *job) overdue(now time.Time) bool {
	return !j.deadline.IsZero() && now.Sub(j.arrived) > j.deadline.Sub(now)
}

// before says whose turn is first: the namespace that had less, then the policy
// of the namespace that had less.
func (j *job) before(other *job) bool {
	switch a, b := j.namespace, other.namespace; {
	case a == b:
	case a.used != b.used:
		return a.used < b.used
	case a.running != b.running:
		return a.running < b.running
	default:
		return j.number < other.number
	}
	switch a, b := j.policy, other.policy; {
	case a.used != b.used:
		return a.used < b.used
	case a.running != b.running:
		return a.running < b.running
	}
	return j.number < other.number
}

// run is a function that has its slots. What it leaves is read only after done is
// closed. No end of it but a plain return (a panic, runtime.Goexit) is a success.
type run struct {
	fn       func()
	needless func() bool
	done     chan struct{}
	ran      bool // its duration is one of its kind
	err      error
	panicked any
}

func (r *run) call(ctx context.Context) {
	if r.err = ctx.Err(); r.err != nil {
		return
	}
	r.err = errUnfinished
	defer func() { r.panicked = recover() }()
	if r.needless == nil || !r.needless() {
		r.fn()
		r.ran = true
	}
	r.err = nil
}

// mean is the running mean of the durations of a kind, and of their deviation,
// as in RFC 6298 2.
type mean struct {
	duration, deviation time.Duration
	at                  time.Time // of the last duration
	anew                bool      // the next duration replaces those before
	unknown             bool      // no task of the namespace has run
}

// meanKey is a kind in a namespace.
type meanKey struct{ namespace, kind string }

// stale is how long a mean refuses tasks without a new duration. It may be wrong
// then, and one task puts it to the test.
const stale = 10 * time.Second

func (m *mean) add(took time.Duration, now time.Time) {
	if m.anew {
		m.duration, m.deviation, m.anew, m.unknown = took, 0, false, false
	}
	m.deviation += ((took - m.duration).Abs() - m.deviation) / 4
	m.duration += (took - m.duration) / 8
	m.at = now
}
