package telemetry

import (
	"log/slog"
	"strings"
	"time"
)

// StaleLog says in the log that what is in force has become too old to decide by,
// and that it is not any more: once each. Its exported fields are required.
type StaleLog struct {
	Log       *slog.Logger
	Readiness *Readiness

	stale bool
}

// Look compares with the last look. It is called every second or so, by one
// goroutine.
func (l *StaleLog) Look() {
	stale := l.Readiness.Stale()
	if stale == l.stale {
		return
	}
	l.stale = stale
	if !stale {
		l.Log.Info("what is in force is no longer older than --max-config-age; requests are decided again")
		return
	}
	about := []any{"age", l.Readiness.Behind().Round(time.Second).String(), "maxConfigAge", l.Readiness.MaxAge.String()}
	if l.Readiness.Causes != nil {
		causes := l.Readiness.Causes()
		about = append(about, "because", strings.Join(causes[:min(len(causes), 3)], "; "))
	}
	l.Log.Error("what is in force is older than --max-config-age: every request is answered 503, and this replica is not ready", about...)
}
