package telemetry_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry"
)

func TestThatWhatIsInForceIsTooOldIsLoggedOnceAndThatItIsOverToo(t *testing.T) {
	log, logger := logTo(slog.LevelInfo)
	age := time.Duration(0)
	l := telemetry.StaleLog{Log: logger, Readiness: &telemetry.Readiness{
		MaxAge: time.Minute, Behind: func() time.Duration { return age },
		Causes: func() []string { return []string{"Secret are not watched for 61s", "b", "c", "d"} },
	}}
	for range 3 {
		l.Look()
	}
	expectNot(t, log.String(), "level")
	age = 61 * time.Second
	for range 3 {
		l.Look()
	}
	expect(t, log.String(), "level=ERROR", "older than --max-config-age: every request is answered 503", "age=1m1s", "maxConfigAge=1m0s", "Secret are not watched for 61s; b; c")
	age = 0
	for range 3 {
		l.Look()
	}
	expect(t, log.String(), "level=INFO", "requests are decided again")
	if n := strings.Count(log.String(), "level="); n != 2 {
		t.Errorf("expected two lines, got %d:\n%s", n, log)
	}
}
