package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// apart compiles policies beside the passes over an Input, so that no policy
// holds up another. Namespaces take turns by the time that they used; the
// policies of one namespace are compiled one after the other.
type apart struct {
	turns *work.Scheduler
	// ended is signalled when a job ended.
	ended chan struct{}

	mu sync.Mutex
	// jobs has at most one job for each policy, until a pass takes its result.
	jobs map[types.NamespacedName]*job
	// queues are the jobs that have not begun, the oldest first. A namespace that
	// has an entry has a goroutine that works it off.
	queues map[string][]*job
	lost   int // jobs that were given up and still run
}

// job is one policy to compile.
type job struct {
	name  types.NamespacedName
	since time.Time
	done  chan struct{}

	// apart.mu guards these until the job has begun; then compiler and source stay.
	compiler *compiler
	source   *v1alpha1.AgentAuthPolicy
	begun    bool
	// result is nil until done is closed.
	result *compiled
	// claim stands for the policy until there is a result. Only passes use it.
	claim *compiled
}

const (
	// maxCompile is after how long a job gives its turn to others, and runs on
	// beside them. Bounds on what a policy may hold end every compile long before.
	maxCompile = 10 * time.Second
	// maxLost is how many jobs may run beside the others in that way.
	maxLost = 4
)

func newApart() *apart {
	return &apart{
		// The number of policies bounds what waits: one policy of each namespace does.
		turns: work.New(work.Options{MaxWaiting: 1 << 20, MaxWaitingPerOwner: 1}),
		ended: make(chan struct{}, 1),
		jobs:  map[types.NamespacedName]*job{}, queues: map[string][]*job{},
	}
}

// submit returns the job of a policy, made now or before. A job that has not begun
// compiles the newest source; one that has begun is left to end, and a pass sees
// that its result is of another source.
func (a *apart) submit(c *compiler, name types.NamespacedName, source *v1alpha1.AgentAuthPolicy) *job {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j := a.jobs[name]; j != nil {
		if !j.begun {
			j.compiler, j.source = c, source
		}
		return j
	}
	j := &job{name: name, since: time.Now(), done: make(chan struct{}), compiler: c, source: source}
	a.jobs[name] = j
	queue, busy := a.queues[name.Namespace]
	a.queues[name.Namespace] = append(queue, j)
	if !busy {
		go a.workOff(name.Namespace)
	}
	return j
}

// workOff compiles the jobs of a namespace, each in its turn.
func (a *apart) workOff(namespace string) {
	for j := a.next(namespace); j != nil; j = a.next(namespace) {
		t := work.Task{Owner: work.Owner{Namespace: namespace}, Kind: "compile"}
		if err := a.turns.Do(context.Background(), t, func() { a.attend(j) }); err != nil {
			a.end(j, j.compiler.claim(j.name, j.source, err.Error()))
		}
	}
}

func (a *apart) next(namespace string) *job {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue := a.queues[namespace]
	if len(queue) == 0 {
		delete(a.queues, namespace)
		return nil
	}
	j := queue[0]
	a.queues[namespace] = queue[1:]
	j.begun = true
	return j
}

// attend compiles a job and returns when it is done, or holds up the others for
// too long.
func (a *apart) attend(j *job) {
	go a.compile(j)
	timer := time.NewTimer(maxCompile)
	defer timer.Stop()
	select {
	case <-j.done:
		return
	case <-timer.C:
	}
	if a.giveUp(j) {
		return
	}
	<-j.done
}

// giveUp reports whether a job may run on beside the others.
func (a *apart) giveUp(j *job) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost == maxLost {
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

func (a *apart) compile(j *job) {
	result := (*compiled)(nil)
	defer func() {
		if v := recover(); v != nil {
			if panicked := j.compiler.engine.deps.Panicked; panicked != nil {
				panicked(v, debug.Stack())
			}
			result = j.compiler.claim(j.name, j.source, fmt.Sprintf("compiling it panicked (%T), a defect of agentauth: the log has the stack", v))
		}
		a.end(j, result)
	}()
	result = j.compiler.compile(j.name, j.source)
}

func (a *apart) end(j *job, result *compiled) {
	a.mu.Lock()
	defer a.mu.Unlock()
	j.result = result
	close(j.done)
	select {
	case a.ended <- struct{}{}:
	default:
	}
}

// wait returns when the jobs are done, at most after patience.
func (a *apart) wait(jobs []*job, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, j := range jobs {
		select {
		case <-j.done:
		case <-timer.C:
			return
		}
	}
}

// settle is called when the jobs of a pass were waited for: only a job that ends
// after it is a reason for another pass. It forgets results that no policy of the
// pass is waiting for.
func (a *apart) settle(jobs []*job) {
	select {
	case <-a.ended:
	default:
	}
	mine := make(map[*job]bool, len(jobs))
	for _, j := range jobs {
		mine[j] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, j := range a.jobs {
		if j.result != nil && !mine[j] {
			delete(a.jobs, name)
		}
	}
}

// take returns the result of a job and forgets the job; nil while it is not done.
func (a *apart) take(j *job) *compiled {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j.result != nil {
		delete(a.jobs, j.name)
	}
	return j.result
}

// pass compiles the policies that changed, and returns what they are in this
// pass: one that is not compiled when patience ends is a claim.
func (a *apart) pass(c *compiler, changed []*v1alpha1.AgentAuthPolicy, patience time.Duration) []*compiled {
	jobs := make([]*job, len(changed))
	for i, source := range changed {
		jobs[i] = a.submit(c, nameOf(source), source)
	}
	a.wait(jobs, patience)
	a.settle(jobs)
	out := make([]*compiled, len(changed))
	for i, source := range changed {
		if p := a.take(jobs[i]); p != nil && c.unchanged(p, source) && c.engine.pool.holds(p.origin.pooled) {
			out[i] = p
			continue
		}
		j := a.submit(c, nameOf(source), source) // the one above, unless that was of another source
		if j.claim == nil || j.claim.origin.source != source {
			j.claim = c.claim(j.name, source, "it is not compiled yet; its requests are answered 503 until it is")
			j.claim.pending = true
		}
		out[i] = j.claim
		if c.behind.IsZero() || j.since.Before(c.behind) {
			c.behind = j.since
		}
	}
	return out
}
