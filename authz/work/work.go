// Package work is the one scheduler of what is expensive or waits for others:
// password hashes, slow signatures, heavy matches and expressions, fetches of
// key sets.
//
// Turns go by namespace, then by policy of the namespace, by the time that
// their tasks took. A task that cannot end before its deadline is not begun.
// Memory is a budget as time is. Waiting tasks are bounded, per owner and in sum.
package work

import "errors"

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
	// from a closed set, never from a request. "" is a kind without a mean.
	Kind string
	// Memory is how many bytes the task takes while it runs; 0: none to speak of.
	// A task that takes more than the whole budget is ErrOverloaded.
	Memory int64
	// Threads is how many slots the task takes; below 1: one. A task that wants
	// more slots than there are takes all of them.
	Threads int
	// Last puts the task after all others of its owner.
	Last bool
}

// Options of a Scheduler. The zero value has the defaults.
type Options struct {
	// Slots is how many threads run at once; below 1: GOMAXPROCS.
	Slots int
	// Memory is the budget of running tasks in bytes; below 1: no bound.
	Memory int64
	// MaxWaiting bounds the waiting tasks in sum (below 1: 256), and
	// MaxWaitingPerOwner those of one policy (below 1: 64). One namespace has at
	// most half of MaxWaiting.
	MaxWaiting, MaxWaitingPerOwner int
}
