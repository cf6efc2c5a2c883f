package work

import (
	"context"
	"sync"
	"time"
)

// short is how long a task in the slot that is kept may take.
const short = 100 * time.Millisecond

// Scheduler runs tasks. It owns no goroutine while idle and needs no Close. The
// zero Scheduler, and a nil one, refuse everything with ErrOverloaded.
type Scheduler struct {
	options Options

	mu     sync.Mutex
	free   int   // slots, without the one that is kept
	spare  int   // 1 while the slot that is kept is free
	memory int64 // bytes that are free
	number uint64
	all    share             // its parts are the namespaces
	means  map[meanKey]*mean // by namespace and kind
	kinds  map[string]*mean  // of all namespaces
	// classes are counted for Stats.
	classes map[string]*Class
}

// New makes a Scheduler.
func New(o Options) *Scheduler {
	o = o.withDefaults()
	spare := 0
	if o.Slots > 1 {
		spare = 1
	}
	return &Scheduler{options: o, free: o.Slots - spare, spare: spare, memory: o.Memory, means: map[meanKey]*mean{}, kinds: map[string]*mean{}, classes: map[string]*Class{}}
}

// Do runs fn on another goroutine once it is the turn of the task's owner, and
// waits for it. Only after nil did fn run to its end and may its results be read.
//
//   - ErrOverloaded: the task found no place, made room for another, or cannot
//     end in its time. fn did not and will not run.
//   - ctx.Err(): ctx ended first. A function still waiting never runs. One that
//     runs already keeps its slots until it ends, so giving up early buys no
//     extra work; Do does not wait for it, and a panic of it is dropped.
//   - A panic of fn is raised again here with the same value.
func (s *Scheduler) Do(ctx context.Context, t Task, fn func()) error {
	j, err := s.wait(ctx, t)
	if err != nil {
		return err
	}
	r := &run{fn: fn, needless: t.Needless, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		// The slots are passed on before the caller hears of the end, so that a
		// caller's next Do finds them free.
		defer func() { s.end(j, r.ran) }()
		r.call(ctx)
	}()
	select {
	case <-r.done:
	case <-ctx.Done():
		select {
		case <-r.done: // both at once: what was finished counts
		default:
			return ctx.Err()
		}
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	return r.err
}

// Turn waits for the turn of the task's owner. The caller has the task's slots
// then, until it calls end once. It must not wait for another turn meanwhile. The
// errors are those of Do.
//
// It is for work that looks at its context: work that cannot be ended is for Do.
func (s *Scheduler) Turn(ctx context.Context, t Task) (end func(), err error) {
	j, err := s.wait(ctx, t)
	if err != nil {
		return nil, err
	}
	return func() { s.end(j, true) }, nil
}

// wait returns a job that has its slots.
func (s *Scheduler) wait(ctx context.Context, t Task) (*job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{Task: t, ready: make(chan struct{})}
	j.deadline, _ = ctx.Deadline()
	if !s.admit(j) {
		s.turnedAway(t.Kind)
		return nil, ErrOverloaded
	}
	select {
	case <-j.ready:
	case <-ctx.Done():
		s.withdraw(j)
		return nil, ctx.Err()
	}
	if j.refused {
		return nil, ErrOverloaded
	}
	return j, nil
}

// admit starts or enqueues the job, or says no.
func (s *Scheduler) admit(j *job) bool {
	if s == nil || s.means == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.Memory > 0 && j.Memory > s.options.Memory {
		return false
	}
	j.mean, j.arrived = s.meanOf(j), time.Now()
	j.Threads = min(max(1, j.Threads), max(1, s.options.Slots-1))
	j.hopeful = s.all.waiting == 0 && s.fits(j)
	if j.hopeless(j.arrived) {
		return false
	}
	s.number++
	j.number = s.number
	j.namespace = s.all.part(j.Owner.Namespace)
	j.policy = j.namespace.part(j.Owner.Policy)
	if !s.makeRoom(j) {
		return false
	}
	s.enqueue(j)
	s.begin(j.arrived)
	return true
}

// meanOf is the mean of the task's kind in its namespace. What takes long in one
// namespace refuses nothing in another; the first one there begins with the mean
// of all.
func (s *Scheduler) meanOf(j *job) *mean {
	of := meanKey{j.Owner.Namespace, j.Kind}
	if m := s.means[of]; m != nil {
		return m
	}
	if len(s.means) >= maxMeans {
		for some := range s.means { // in no order
			if delete(s.means, some); len(s.means) < maxMeans/2 {
				break
			}
		}
	}
	m := &mean{anew: true, unknown: true}
	if all := s.kinds[j.Kind]; all != nil {
		m.duration = all.duration
	} else {
		s.kinds[j.Kind] = &mean{anew: true}
	}
	s.means[of] = m
	return m
}

// maxMeans bounds the means that are remembered.
const maxMeans = 4096

// makeRoom gives up a task that waits where too many do, or says no to the
// newcomer: in its own policy if that is at its bound, else where most wait.
func (s *Scheduler) makeRoom(j *job) bool {
	crowded := j.policy
	switch {
	case j.policy.waiting >= s.options.MaxWaitingPerOwner:
	case s.all.waiting >= s.options.MaxWaiting:
		if namespace := s.all.fullest(j.namespace); namespace != j.namespace {
			crowded = namespace.fullest(&share{})
		} else {
			crowded = namespace.fullest(j.policy)
		}
	default:
		return true
	}
	if crowded.waiting == 0 {
		return false
	}
	spoilt := crowded.spoilt()
	if crowded == j.policy && spoilt.deadline.IsZero() {
		return false // the newcomer is the newest
	}
	s.refuse(spoilt)
	return true
}

func (s *Scheduler) refuse(j *job) {
	s.dequeue(j)
	s.class(j.Kind).Refused++
	j.refused = true
	close(j.ready)
}

// withdraw takes back a job whose caller gave up, and makes room for the living.
func (s *Scheduler) withdraw(j *job) {
	s.mu.Lock()
	waits := s.dequeue(j)
	if waits {
		s.begin(time.Now()) // others may have waited behind it
	}
	s.mu.Unlock()
	if !waits && !j.refused { // its turn came at the same time
		s.end(j, false)
	}
}

// begin starts what can be started now. The job whose turn it is may need more
// than is free: then nothing overtakes it, but in the slot that is kept, and
// without the memory that it waits for.
func (s *Scheduler) begin(now time.Time) {
	anyone := func(*job) bool { return true }
	j := s.next(now, anyone)
	for ; j != nil && s.fits(j); j = s.next(now, anyone) {
		s.free -= j.Threads
		s.start(j, now)
	}
	if s.spare == 0 || j == nil {
		return
	}
	blocked := j.Memory
	j = s.next(now, func(j *job) bool {
		return j.namespace.running == 0 && j.Threads == 1 && j.mean.duration <= short &&
			(j.Memory == 0 || s.has(blocked+j.Memory))
	})
	if j != nil {
		s.spare, j.spare = 0, true
		s.start(j, now)
	}
}

// next is the job whose turn it is, of the namespaces whose next job may.
func (s *Scheduler) next(now time.Time, may func(*job) bool) (best *job) {
	for _, namespace := range s.all.parts {
		var mine *job
		for _, policy := range namespace.parts {
			if j := s.nextOf(policy, now); j != nil && (mine == nil || j.before(mine)) {
				mine = j
			}
		}
		if mine != nil && may(mine) && (best == nil || mine.before(best)) {
			best = mine
		}
	}
	return best
}

// nextOf is the next job of a policy. Hopeless ones before it are refused.
func (s *Scheduler) nextOf(policy *share, now time.Time) *job {
	for policy.waiting > 0 {
		j := policy.first(now)
		if !j.hopeless(now) {
			return j
		}
		s.refuse(j)
	}
	return nil
}

func (s *Scheduler) fits(j *job) bool { return s.free >= j.Threads && s.has(j.Memory) }

func (s *Scheduler) has(bytes int64) bool { return s.options.Memory < 1 || s.memory >= bytes }

func (s *Scheduler) start(j *job, now time.Time) {
	s.dequeue(j)
	s.memory -= j.Memory
	s.all.turn = max(s.all.turn, j.namespace.used)
	j.namespace.turn = max(j.namespace.turn, j.policy.used)
	j.charge = j.mean.duration * time.Duration(j.Threads)
	s.occupy(j, j.Threads, j.charge)
	j.started = now
	s.class(j.Kind).Waited += now.Sub(j.arrived)
	close(j.ready)
}

// end gives the job's slots back and charges the time. With ran its duration is
// one of its kind.
func (s *Scheduler) end(j *job, ran bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	took := now.Sub(j.started)
	s.memory += j.Memory
	if j.spare {
		s.spare = 1
	} else {
		s.free += j.Threads
	}
	if ran {
		j.mean.add(took, now)
		s.kinds[j.Kind].add(took, now)
		c := s.class(j.Kind)
		c.Run, c.Busy = c.Run+1, c.Busy+took
	}
	s.occupy(j, -j.Threads, took*time.Duration(j.Threads)-j.charge)
	s.begin(now)
	j.namespace.forget()
	s.all.forget()
}
