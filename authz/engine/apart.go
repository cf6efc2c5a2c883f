package engine

import (
	"fmt"
	"runtime/debug"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// apart compiles policies beside the passes over an Input, so that no policy
// holds up another.
type apart struct {
	jobs *work.Jobs[compiled]
	// claims stand for the policies whose jobs are not done.
	claims map[types.NamespacedName]*compiled
}

// pass compiles the policies that changed, and returns what they are in this
// pass: one that is not compiled when patience ends is a claim.
func (a *apart) pass(c *compiler, changed []*v1alpha1.AgentAuthPolicy, patience time.Duration) []*compiled {
	jobs := make([]*work.Job[compiled], len(changed))
	for i, source := range changed {
		jobs[i] = a.submit(c, source)
	}
	a.jobs.Wait(jobs, patience)
	claims := map[types.NamespacedName]*compiled{}
	out := make([]*compiled, len(changed))
	for i, source := range changed {
		if p := a.jobs.Take(jobs[i]); p != nil && c.unchanged(p, source) && c.engine.pool.Holds(p.origin.pooled) {
			out[i] = p
			continue
		}
		if since := a.submit(c, source).Since; c.behind.IsZero() || since.Before(c.behind) { // the job above, unless that was of another source
			c.behind = since
		}
		out[i] = a.claims[nameOf(source)]
		if out[i] == nil || out[i].origin.source != source {
			out[i] = c.claim(source, "it is not compiled yet; its requests are answered 503 until it is")
			out[i].pending = true
		}
		claims[nameOf(source)] = out[i]
	}
	a.claims = claims
	return out
}

func (a *apart) submit(c *compiler, source *v1alpha1.AgentAuthPolicy) *work.Job[compiled] {
	name := nameOf(source)
	return a.jobs.Submit(work.Owner{Namespace: name.Namespace, Policy: name.Name}, func() *compiled { return c.survive(source) })
}

// survive compiles a policy. One whose compile panics is invalid, and keeps its
// routes, or, if these are what panics, all of its hostnames.
func (c *compiler) survive(source *v1alpha1.AgentAuthPolicy) *compiled {
	p, panicked := c.attempt(func() *compiled { return c.compile(source) })
	if panicked == nil {
		return p
	}
	why := fmt.Sprintf("compiling it panicked (%T), a defect of agentauth: the log has the stack", panicked)
	if p, panicked = c.attempt(func() *compiled { return c.claim(source, why) }); panicked == nil {
		return p
	}
	p, _ = c.attempt(func() *compiled { return c.claimHosts(source, why) })
	return p
}

// attempt returns what f makes, or with what it panicked.
func (c *compiler) attempt(f func() *compiled) (p *compiled, panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil && c.engine.deps.Panicked != nil {
			c.engine.deps.Panicked(panicked, debug.Stack())
		}
	}()
	return f(), nil
}
