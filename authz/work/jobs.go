package work

import (
	"context"
	"sync"
	"time"
)

// Jobs runs functions beside the passes of one caller, which waits for them only
// so long. Namespaces take turns by the time that they used; the jobs of one
// namespace run one after the other.
type Jobs[T any] struct {
	turns *Scheduler
	ended chan struct{}

	mu sync.Mutex
	// jobs has at most one job for each owner, until its result is taken.
	jobs map[Owner]*Job[T]
	// queues are the jobs that have not begun, the oldest first. A namespace that
	// has an entry has a goroutine that works it off.
	queues map[string][]*Job[T]
	lost   int // jobs that gave up their turn and still run
}

// Job is a function that runs once.
type Job[T any] struct {
	Owner Owner
	// Since is when it was submitted first.
	Since time.Time

	done   chan struct{}
	run    func() *T
	begun  bool
	late   bool // a Wait waited for it in vain
	result *T   // nil until done is closed
}

const (
	// MaxJob is after how long a job gives its turn to others, and runs on beside
	// them. It is for what never ends; bounds on inputs end all else long before.
	MaxJob = 10 * time.Second
	// MaxLost is how many jobs may run beside the others in that way.
	MaxLost = 4
)

// NewJobs makes Jobs that use all processors.
func NewJobs[T any]() *Jobs[T] {
	return &Jobs[T]{
		// One job of each namespace waits for a turn: their number is the bound.
		turns: New(Options{MaxWaiting: 1 << 30, MaxWaitingPerOwner: 1}),
		ended: make(chan struct{}, 1), jobs: map[Owner]*Job[T]{}, queues: map[string][]*Job[T]{},
	}
}

// Ended is signalled when a job ended that no Wait waited for.
func (a *Jobs[T]) Ended() <-chan struct{} { return a.ended }

// Submit returns the job of an owner, made now or before. A job that has not
// begun runs the newest function; one that has begun is left to end. run must not
// panic and returns no nil.
func (a *Jobs[T]) Submit(owner Owner, run func() *T) *Job[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j := a.jobs[owner]; j != nil {
		if !j.begun {
			j.run = run
		}
		return j
	}
	j := &Job[T]{Owner: owner, Since: time.Now(), done: make(chan struct{}), run: run}
	a.jobs[owner] = j
	queue, busy := a.queues[owner.Namespace]
	a.queues[owner.Namespace] = append(queue, j)
	if !busy {
		go a.workOff(owner.Namespace)
	}
	return j
}

// sharedTurn is how long small jobs of a namespace share a turn. To find whose turn it
// is takes a look at every namespace, which is more than a small job.
const sharedTurn = 2 * time.Millisecond

// workOff runs the jobs of a namespace, each in its turn, or small ones in one.
func (a *Jobs[T]) workOff(namespace string) {
	for j := a.next(namespace); j != nil; {
		turn := func() {
			for began := time.Now(); j != nil; j = a.next(namespace) {
				if a.attend(j); time.Since(began) > sharedTurn {
					j = a.next(namespace)
					return
				}
			}
		}
		for a.turns.Do(context.Background(), Task{Owner: Owner{Namespace: namespace}}, turn) != nil {
			time.Sleep(time.Second) // nothing else waits for this namespace, so it is its turn soon
		}
	}
}

func (a *Jobs[T]) next(namespace string) *Job[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue := a.queues[namespace]
	if len(queue) == 0 {
		delete(a.queues, namespace)
		return nil
	}
	j := queue[0]
	queue[0] = nil // the rest of the slice would keep it alive
	a.queues[namespace] = queue[1:]
	j.begun = true
	return j
}

// attend runs a job and returns when it is done, or holds up the others for too
// long.
func (a *Jobs[T]) attend(j *Job[T]) {
	go func() { a.end(j, j.run()) }()
	timer := time.NewTimer(MaxJob)
	defer timer.Stop()
	select {
	case <-j.done:
		return
	case <-timer.C:
	}
	if !a.lose(j) {
		<-j.done
	}
}

// lose reports whether a job may run on beside the others.
func (a *Jobs[T]) lose(j *Job[T]) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost == MaxLost {
		return false
	}
	a.lost++
	go func() {
		<-j.done
		a.mu.Lock()
		defer a.mu.Unlock()
		a.lost--
	}()
	return true
}

func (a *Jobs[T]) end(j *Job[T], result *T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	j.result, j.run = result, nil
	close(j.done)
	select {
	case a.ended <- struct{}{}:
	default:
	}
}

// Wait returns when jobs are done, at most after patience. Ended is signalled for
// those that end later, and no Wait waits for them again. Results that none of the
// jobs has are forgotten.
func (a *Jobs[T]) Wait(jobs []*Job[T], patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	mine := make(map[*Job[T]]bool, len(jobs))
	over := false
	for _, j := range jobs {
		mine[j] = true
		if over || j.late {
			j.late = true
			continue
		}
		select {
		case <-j.done:
		case <-timer.C:
			over, j.late = true, true
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.ended:
	default:
	}
	for owner, j := range a.jobs {
		if j.result != nil && !mine[j] {
			delete(a.jobs, owner)
		}
	}
}

// Take returns the result of a job and forgets the job; nil while it is not done.
func (a *Jobs[T]) Take(j *Job[T]) *T {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j.result != nil && a.jobs[j.Owner] == j {
		if delete(a.jobs, j.Owner); len(a.jobs) == 0 {
			a.jobs = map[Owner]*Job[T]{} // an empty map keeps the room of all that it had
		}
	}
	return j.result
}
