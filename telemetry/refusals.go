package telemetry

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// Refusals logs and counts the clients that a door refused before they could
// ask: all are counted; in the log a client has one line for each cause and
// minute.
type Refusals struct {
	Log     *slog.Logger
	Metrics *Metrics

	mu   sync.Mutex
	told map[refused]time.Time
	full time.Time // when the log last said that there are too many
}

// refused is a client and a cause. All addresses of one IPv6 network are one
// client: a host has as many as it likes.
type refused struct {
	peer  netip.Prefix
	cause string
}

const (
	// refusalEvery is how often a client has a line for a cause.
	refusalEvery = time.Minute
	// maxRefusals is how many lines there are in refusalEvery.
	maxRefusals = 200
)

// Refused is the OnRefused of a door.
func (r *Refusals) Refused(refusal listen.Refusal) {
	r.Metrics.refused.WithLabelValues(refusal.Cause).Inc()
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refused{network(refusal.Peer), refusal.Cause}
	if last, ok := r.told[key]; ok && now.Sub(last) < refusalEvery {
		return
	}
	if !r.room(now) {
		if now.Sub(r.full) >= refusalEvery {
			r.full = now
			r.Log.Warn("more clients are refused at the door than are logged; agentauth_door_refused_total counts them", "clients", len(r.told))
		}
		return
	}
	r.told[key] = now
	r.Log.Warn("a client was refused at the door", "peer", refusal.Peer, "cause", refusal.Cause, "problem", refusal.Problem)
}

// room forgets clients whose minute is over where there is no room for one more.
func (r *Refusals) room(now time.Time) bool {
	if r.told == nil {
		r.told = map[refused]time.Time{}
	}
	if len(r.told) < maxRefusals {
		return true
	}
	if now.Sub(r.full) < refusalEvery {
		return false // a flood does not go through the table for each client
	}
	for key, at := range r.told {
		if now.Sub(at) >= refusalEvery {
			delete(r.told, key)
		}
	}
	return len(r.told) < maxRefusals
}

func network(peer string) netip.Prefix {
	addr, err := netip.ParseAddr(peer)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // these lengths are possible
	return prefix
}
