package main

import (
	"context"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// revocationCounts are the revocations in each state.
func (s *service) revocationCounts() map[string]int {
	n := s.kernel.Revocations().Counts(time.Now())
	return map[string]int{"in_force": n.InForce, "ended": n.Ended, "unreadable": n.Unreadable, "not_in_force": n.Left}
}

// followRevocations says in the log and in the audit stream which revocations come in force and end, until ctx
// ends.
func (s *service) followRevocations(ctx context.Context) {
	log := telemetry.RevocationLog{Log: s.log, Audit: s.audit}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	seen := s.kernel.Revocations()
	for first := true; ; first = false {
		if list, now := s.kernel.Revocations(), time.Now(); first || list != seen || log.Due(now) {
			seen = list
			var all []audit.Revocation
			for _, e := range list.Entries() {
				all = append(all, audit.Revocation{Name: e.ConfigMap + "/" + e.Name, Revokes: e.What(), Scope: e.Scope(), Reason: e.Reason, Until: e.Until})
			}
			log.Look(all, now)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
