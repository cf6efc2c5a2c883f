// Package work is the one scheduler of what is expensive or waits for others:
// password hashes, slow signatures, heavy matches and expressions, fetches of
// key sets.
//
// Turns go by namespace, then by policy of the namespace, by the time that
// their tasks took. A task that cannot end before its deadline is not begun,
// and the newest task of a policy goes first while its tasks wait long. Memory
// is a budget as time is. Waiting tasks are bounded, per policy and in sum.
package work

import (
	"errors"
	"runtime"
)

// ErrOverloaded says that the task found no place, or cannot end in its time.
// Nothing was run; the caller may try again later.
var ErrOverloaded = errors.New("work: too much is waiting to be done; try again later")

var errUnfinished = errors.New("work: expected the function to return, but it ended its goroutine")

// Owner is whose task it is. The zero Owner is an owner as any other.
type Owner struct{ Namespace, Policy string }

// Task describes a function before it runs.
type Task struct {
	Owner Owner
	// Kind says what the task does ("bcrypt-12", "RS256-4096", "fetch"). The mean
	// duration of its kind decides whether a task can end in its time. Kinds come
	// from a closed set, never from a request.
	Kind string
	// Memory is how many bytes the task takes while it runs; 0: none to speak of.
	// A task that takes more than the whole budget is ErrOverloaded.
	Memory int64
	// Threads is how many slots the task takes; below 1: one. A task that wants
	// more slots than one namespace may hold takes as many as that.
	Threads int
	// Last puts the task after all others of its policy.
	Last bool
	// Needless, if not nil, is asked when it is the task's turn. True says that
	// the function need not run any more; it counts as run.
	Needless func() bool
}

// Options of a Scheduler. The zero value has the defaults.
type Options struct {
	// Slots is how many threads run at once; below 1: GOMAXPROCS, at least 2.
	//
	// The last of two or more slots is kept for a short task of a namespace that
	// runs nothing: what one namespace does never makes another one wait long.
	// So one namespace holds at most Slots-1.
	Slots int
	// Memory is the budget of running tasks in bytes; below 1: no bound.
	Memory int64
	// MaxWaiting bounds the waiting tasks in sum; below 1: 256. A newcomer beyond
	// it takes the place of a task of the namespace that has most waiting.
	// MaxWaitingPerOwner bounds those of one policy; below 1: 64.
	MaxWaiting, MaxWaitingPerOwner int
}

func (o Options) withDefaults() Options {
	if o.Slots < 1 {
		o.Slots = max(2, runtime.GOMAXPROCS(0))
	}
	if o.MaxWaiting < 1 {
		o.MaxWaiting = 256
	}
	if o.MaxWaitingPerOwner < 1 {
		o.MaxWaitingPerOwner = 64
	}
	return o
}
