package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/pool"
)

// namedKeys is a key set that is fetched, and the field of a policy that names it.
type namedKeys struct {
	field string
	*pool.Held
}

// RemoteStatus is how a key set that is fetched is doing.
type RemoteStatus struct {
	RemoteSource
	jwks.Status
	// ID tells key sets apart that differ in their certificates only.
	ID [32]byte
	// Policies name the key set; the first MaxNamed of them, sorted.
	Policies []string
}

// MaxNamed is how many policies of a key set are named.
const MaxNamed = 5

// Remotes lists the key sets of the snapshot in force, in no order.
func (e *Engine) Remotes() []RemoteStatus {
	s := e.current.Load()
	if s == nil {
		return nil
	}
	out := make([]RemoteStatus, 0, len(s.used))
	for id, t := range s.used {
		if keys, ok := t.Thing.(remoteKeys); ok {
			out = append(out, RemoteStatus{RemoteSource: keys.source, Status: keys.Status(), ID: id, Policies: s.users[id]})
		}
	}
	return out
}

// usersOfPooled are the first policies that use each pooled thing.
func (s *Snapshot) usersOfPooled() map[pool.Key][]string {
	var names []string
	numbers := map[string]int{}
	for _, n := range s.find.Order() {
		name := s.policies[n].Name.String()
		names, numbers[name] = append(names, name), n
	}
	slices.Sort(names)
	users := map[pool.Key][]string{}
	for _, name := range names {
		for key := range s.pooled(numbers[name]) {
			if len(users[key]) < MaxNamed {
				users[key] = append(users[key], name)
			}
		}
	}
	return users
}

// findUnreachable returns the problems of policies whose keys the last attempt could not
// fetch, by the numbers of the policies. They change without a change of a policy.
func (s *Snapshot) findUnreachable() map[int][]authz.Problem {
	out := map[int][]authz.Problem{}
	for _, n := range s.find.Order() {
		for k := range uses[namedKeys](s.policies[n]) {
			if p, ok := k.problem(); ok && !s.policies[n].origin.told(k.field) {
				out[n] = append(out[n], p)
			}
		}
	}
	return out
}

// problem says why keys cannot be fetched. Nothing is said of keys that nobody
// fetches yet.
func (k namedKeys) problem() (p authz.Problem, ok bool) {
	keys, remote := k.Thing.(remoteKeys)
	if !remote || !k.Started() {
		return p, false
	}
	status := keys.Status()
	if status.Error == "" {
		return p, false
	}
	serve := "no keys are held, and tokens that need them are answered 503"
	if status.Usable > 0 {
		serve = fmt.Sprintf("%d keys that were fetched at %s serve until %s", status.Usable,
			status.Success.UTC().Format(time.RFC3339), status.Success.Add(jwks.KeepWithout).UTC().Format(time.RFC3339))
	}
	return authz.Problem{Severity: authz.Warning, Lint: authz.KeysUnreachable, Field: k.field,
		Message: fmt.Sprintf("the keys of %s cannot be fetched: %s; %s", authz.Cut(cmp.Or(keys.source.Issuer, keys.source.URL), maxSource), status.Error, serve)}, true
}

// maxSource is how much of an issuer or URL a problem repeats.
const maxSource = 200

// sameKeys says whether the state of the keys of a policy is what it was.
func (s *Snapshot) sameKeys(prev *Snapshot, n int) bool {
	return slices.Equal(s.unreachable[n], prev.unreachable[n])
}
