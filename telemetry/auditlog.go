package telemetry

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// RegisterAudit adds the metrics of the audit stream.
func (m *Metrics) RegisterAudit(stats func() []audit.Stats) {
	m.registry.MustRegister(auditCounts{stats})
}

// auditCounts collects the metrics whenever they are asked for.
type auditCounts struct{ stats func() []audit.Stats }

var (
	auditWritten = prometheus.NewDesc("agentauth_audit_records_total", "Audit records that were written, by sink.", []string{"sink"}, nil)
	auditDropped = prometheus.NewDesc("agentauth_audit_dropped_total", "Audit records that were lost, by sink: it failed, or was slower than decisions were made.", []string{"sink"}, nil)
)

func (a auditCounts) Describe(ch chan<- *prometheus.Desc) { ch <- auditWritten; ch <- auditDropped }

func (a auditCounts) Collect(ch chan<- prometheus.Metric) {
	for _, s := range a.stats() {
		ch <- prometheus.MustNewConstMetric(auditWritten, prometheus.CounterValue, float64(s.Written), s.Sink)
		ch <- prometheus.MustNewConstMetric(auditDropped, prometheus.CounterValue, float64(s.Dropped), s.Sink)
	}
}

// AuditLog says in the log that audit records are lost: at once, and then once a minute
// while it goes on. Once an hour it says where the chain is, so that the log is a witness
// of what the stream had.
type AuditLog struct {
	Log *slog.Logger

	told   map[string]uint64
	toldAt map[string]time.Time
	anchor time.Time
}

// betweenAnchors is how often the log says where the chain is.
const betweenAnchors = time.Hour

// Look compares the counts with those of the last look. It is called every second or so,
// by one goroutine.
func (l *AuditLog) Look(stats []audit.Stats, now time.Time) {
	if l.told == nil {
		l.told, l.toldAt = map[string]uint64{}, map[string]time.Time{}
	}
	for _, s := range stats {
		if lost := s.Dropped - l.told[s.Sink]; lost > 0 && now.Sub(l.toldAt[s.Sink]) >= betweenLines {
			l.Log.Error("audit records are lost: the sink fails, or is slower than decisions are made", "sink", s.Sink, "lost", lost, "cause", brief(s.Error))
			l.told[s.Sink], l.toldAt[s.Sink] = s.Dropped, now
		}
	}
	if now.Sub(l.anchor) < betweenAnchors {
		return
	}
	l.anchor = now
	l.Where(stats)
}

// Where says where the chain of each sink is.
func (l *AuditLog) Where(stats []audit.Stats) {
	for _, s := range stats {
		l.Log.Info("audit chain", "sink", s.Sink, "seq", s.Seq, "hash", s.Hash)
	}
}
