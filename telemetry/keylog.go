package telemetry

import (
	"cmp"
	"log/slog"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// KeyLog says in the log that the keys of a provider cannot be fetched: when it
// begins, when its cause changes, when the last keys are too old to serve, and when
// it is over.
type KeyLog struct {
	Log *slog.Logger

	failing map[[32]byte]keyFailure
}

type keyFailure struct {
	cause string
	held  bool
}

// Look compares the key sets in force with those of the last look, and says
// whether the state of one changed. It is called every second or so, by one goroutine.
func (l *KeyLog) Look(sets []engine.RemoteStatus) (changed bool) {
	failing := map[[32]byte]keyFailure{}
	for _, s := range sets {
		before, failed := l.failing[s.ID]
		now := keyFailure{s.Error, s.Usable > 0}
		switch {
		case s.Error == "" && failed:
			l.Log.Info("the keys of a provider are fetched again", append(about(s), "keys", s.Keys)...)
			changed = true
		case s.Error != "" && now != before:
			l.Log.Warn("the keys of a provider cannot be fetched", append(about(s), "cause", s.Error, "serving", serving(s))...)
			changed = true
		}
		if s.Error != "" {
			failing[s.ID] = now
		}
	}
	l.failing = failing
	return changed
}

func about(s engine.RemoteStatus) []any {
	policies := strings.Join(s.Policies, " ")
	if len(s.Policies) == engine.MaxNamed {
		policies += " …"
	}
	return []any{"source", brief(cmp.Or(s.Issuer, s.URL)), "policies", policies}
}

// serving says what becomes of tokens meanwhile.
func serving(s engine.RemoteStatus) string {
	if s.Usable == 0 {
		return "no keys are held: tokens that need them are answered 503"
	}
	return "the keys of " + s.Success.UTC().Format(time.RFC3339) + " serve for a day"
}
