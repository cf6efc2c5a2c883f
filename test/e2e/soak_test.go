//go:build e2e && !quick

package e2e

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakFor is how long the soak lasts: SOAK_DURATION (`make soak DURATION=10m`), else half a minute.
func soakFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK_DURATION")
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	must(t, err)
	return d
}

const (
	soakRound = time.Minute     // what a round of all that happens has, at least
	soakRest  = 6 * time.Minute // the end of a long soak, in which a key that was withdrawn is forgotten without being missed
)

// While a hundred requests a second are decided by two replicas, keys, Secrets, policies and certificates change, the provider
// and the API server are lost, and a replica is restarted: once in half a minute, at most twenty times in a longer soak. No
// answer is wrong and none is missing, each change is in force when that is promised, each decision is in the audit stream, and
// neither memory nor goroutines grow.
func TestASoakOfChangesLossesAndRestartsDecidesEveryRequestRightly(t *testing.T) {
	lasts := soakFor(t)
	s := startSoak(t, lasts)
	s.load.run(s.envoy.HTTP())
	t.Cleanup(s.load.end)
	stop := s.churns()
	s.pause(2 * time.Second) // until all is warm
	s.began = time.Now()
	s.sample()
	s.sampleEvery = lasts / 10
	busy := lasts
	if lasts > 5*soakRest {
		busy -= soakRest
	}
	for n, every := 0, max(soakRound, busy/20); n == 0 || time.Duration(n)*every+soakRound <= busy; n++ {
		s.pause(time.Until(s.began.Add(time.Duration(n) * every)))
		s.round()
	}
	s.pause(time.Until(s.began.Add(lasts)))
	stop()
	s.load.end()
	s.settles()
	told := s.endReplicas()
	t.Logf("%s, %v\n%d changes were in force later than promised\n%s\n%s\n\n%s", time.Since(s.began).Round(time.Second), s.load, s.late, told, strings.Join(s.table, "\n"), strings.Join(s.said, "\n"))
	if s.load.wrong > 0 || s.load.dropped > 0 || len(s.load.got) < 1000 {
		t.Errorf("expected no wrong and no missing answer of 1000 or more, got %v", s.load)
	}
	if s.late > 0 {
		t.Errorf("%d changes were in force later than promised", s.late)
	}
}

// round does everything once. The keys that the provider came back with are known by the time the API server is back.
func (s *soaking) round() {
	s.t.Helper()
	for _, event := range []func(){
		s.rotateKeys, s.rotateSecrets, s.revoke, s.dropPolicy, s.renewDoor, s.loseProvider, s.loseAPIServer, s.providerIsBack, s.withdrawKey, s.restart,
	} {
		event()
	}
}

// churns lets policies come and go until it is stopped.
func (s *soaking) churns() (stop func()) {
	ends, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ends:
				return
			case <-tick.C:
				s.churn(n)
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(ends); <-done })
	s.t.Cleanup(stop)
	return stop
}

// pause lets the load go on, and looks after what takes its time.
func (s *soaking) pause(d time.Duration) {
	s.t.Helper()
	for ends := time.Now().Add(d); time.Now().Before(ends); {
		time.Sleep(min(time.Second, time.Until(ends)))
		s.followKeys()
		if s.sampleEvery > 0 && time.Since(s.sampled) > s.sampleEvery {
			s.sample()
		}
	}
}

// endReplicas ends both, and tells what their audit streams say.
func (s *soaking) endReplicas() (told string) {
	s.t.Helper()
	for i, r := range s.replicas {
		for _, name := range []string{"agentauth_audit_dropped_total", "agentauth_panics_total"} {
			if n := metric(s.t, r.Agentauth, name); n != 0 {
				s.t.Errorf("replica %d: %s is %v", i, name, n)
			}
		}
		r.end(s.t)
		told += auditIsWhole(s.t, r)
	}
	return told + s.auditTellsAll()
}
