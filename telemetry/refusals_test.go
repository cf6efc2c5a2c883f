package telemetry_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/telemetry"
)

func TestAClientThatIsRefusedHasALineForEachCauseAndMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logger := logTo(slog.LevelWarn)
		m := telemetry.NewMetrics(never)
		r := &telemetry.Refusals{Log: logger, Metrics: m}
		name := listen.Refusal{Peer: "10.1.2.3", Cause: listen.CauseName, Problem: "its certificate has door.test, expected one of envoy.test"}
		lines := func() int { return strings.Count(log.String(), "a client was refused at the door") }
		for range 5 {
			r.Refused(name)
		}
		if lines() != 1 {
			t.Errorf("got %d lines\n%s", lines(), log)
		}
		expect(t, log.String(), "level=WARN", "peer=10.1.2.3", "cause=certificate_name", "its certificate has door.test, expected one of envoy.test")
		r.Refused(listen.Refusal{Peer: "10.1.2.3", Cause: listen.CausePlaintext})
		r.Refused(listen.Refusal{Peer: "10.1.2.4", Cause: listen.CauseName})
		if lines() != 3 {
			t.Errorf("got %d lines\n%s", lines(), log)
		}
		time.Sleep(time.Minute)
		r.Refused(name)
		if lines() != 4 {
			t.Errorf("got %d lines\n%s", lines(), log)
		}
		_, body := get(m.Handler(), "/metrics")
		expect(t, body, `agentauth_door_refused_total{cause="certificate_name"} 7`, `agentauth_door_refused_total{cause="plaintext"} 1`,
			`agentauth_door_refused_total{cause="too_slow"} 0`)
	})
}

func TestAFloodOfClientsFloodsNeitherLogNorMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logger := logTo(slog.LevelWarn)
		m := telemetry.NewMetrics(never)
		r := &telemetry.Refusals{Log: logger, Metrics: m}
		for i := range 20_000 {
			r.Refused(listen.Refusal{Peer: fmt.Sprintf("10.1.%d.%d", i/256, i%256), Cause: listen.CauseHTTP1})
			r.Refused(listen.Refusal{Peer: fmt.Sprintf("2001:db8::%x", i), Cause: listen.CauseHTTP1}) // one network
		}
		if n := strings.Count(log.String(), "\n"); n != 201 {
			t.Errorf("got %d lines", n)
		}
		expect(t, log.String(), "more clients are refused at the door than are logged")
		_, body := get(m.Handler(), "/metrics")
		expect(t, body, `agentauth_door_refused_total{cause="http1"} 40000`)
		time.Sleep(time.Minute)
		r.Refused(listen.Refusal{Peer: "192.0.2.7", Cause: listen.CauseHTTP1})
		expect(t, log.String(), "192.0.2.7")
	})
}
