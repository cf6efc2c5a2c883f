package telemetry

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// maxRevocationLines is how many revocations of one change are logged one by one.
const maxRevocationLines = 20

// RevocationLog says which revocations came in force, ended or were removed.
type RevocationLog struct {
	Log *slog.Logger
	// Audit has a record of each, too; nil: none.
	Audit *audit.Stream

	known map[audit.Revocation]bool // whether it has ended; two of one name are two versions
	next  time.Time                 // when the next one ends; zero: none will
}

// Due says whether one has ended that was not said to.
func (l *RevocationLog) Due(now time.Time) bool { return !l.next.IsZero() && !now.Before(l.next) }

// Look compares what is in force with what was.
func (l *RevocationLog) Look(all []audit.Revocation, now time.Time) {
	before := l.known
	l.known, l.next = make(map[audit.Revocation]bool, len(all)), time.Time{}
	lines := 0
	say := func(message, change string, r audit.Revocation) {
		l.Audit.Revocation(change, r)
		if lines++; lines > maxRevocationLines {
			return
		}
		about := []any{"revocation", r.Name, "revokes", r.Revokes, "for", r.Scope, "until", r.Until.UTC().Format(time.RFC3339)}
		if r.Reason != "" {
			about = append(about, "reason", r.Reason)
		}
		l.Log.Info(message, about...)
	}
	for _, r := range all {
		ended := !now.Before(r.Until)
		hadEnded, was := before[r]
		l.known[r] = ended
		switch {
		case ended && was && !hadEnded:
			say("revocation ended", "ended", r)
		case !ended && !was:
			say("revocation in force", "added", r)
		}
		if !ended && (l.next.IsZero() || r.Until.Before(l.next)) {
			l.next = r.Until
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(before), func(a, b audit.Revocation) int { return cmp.Compare(a.Name, b.Name) }) {
		if _, is := l.known[r]; !is && !before[r] {
			say("revocation removed", "removed", r)
		}
	}
	if lines > maxRevocationLines {
		l.Log.Info("more revocations changed than are logged one by one", "notLogged", lines-maxRevocationLines)
	}
}

// RegisterRevocations adds the metric of revocations. counts are how many there are in
// each state.
func (m *Metrics) RegisterRevocations(counts func() map[string]int) {
	m.registry.MustRegister(revocationCollector{prometheus.NewDesc("agentauth_revocations",
		"Revocations by state: in_force; ended; unreadable, which cannot be read as a whole; not_in_force, which are over a bound.", []string{"state"}, nil), counts})
}

type revocationCollector struct {
	desc   *prometheus.Desc
	counts func() map[string]int
}

// Describe implements [prometheus.Collector].
func (c revocationCollector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements [prometheus.Collector].
func (c revocationCollector) Collect(out chan<- prometheus.Metric) {
	for state, n := range c.counts() {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n), state)
	}
}
