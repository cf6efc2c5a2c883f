//go:build e2e && !quick

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
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
	soakRound = 45 * time.Second // what a round of all that happens has, at least; so two of each need a minute and a half
	soakRest  = 6 * time.Minute  // the end of a long soak, in which a key that was withdrawn is forgotten without being missed
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

// memory is what a replica takes.
type memory struct{ resident, live, goroutines int64 }

var residentLine = regexp.MustCompile(`VmRSS:\s*(\d+) kB`)

// memoryOf collects garbage first, so that what is live is what is needed.
func (s *soaking) memoryOf(replica int) (m memory) {
	s.t.Helper()
	r := s.replicas[replica]
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Pid()))
	must(s.t, err)
	if found := residentLine.FindSubmatch(text); found != nil {
		m.resident, err = strconv.ParseInt(string(found[1]), 10, 64)
		must(s.t, err)
	}
	resp, err := http.Get("http://" + s.pprof[replica] + "/debug/pprof/heap?gc=1")
	must(s.t, err)
	readAll(s.t, resp.Body)
	must(s.t, resp.Body.Close())
	m.live = int64(metric(s.t, r.Agentauth, "go_memstats_heap_alloc_bytes")) >> 10
	m.goroutines = int64(metric(s.t, r.Agentauth, "go_goroutines"))
	return m
}

// sample adds a line to the table.
func (s *soaking) sample() {
	s.t.Helper()
	if s.table == nil {
		s.table = []string{"after     requests   replica 1: resident, live heap, goroutines   replica 2 (restarted)"}
	}
	line := fmt.Sprintf("%-9s %8d ", time.Since(s.began).Round(time.Second), s.load.sent())
	for i := range s.replicas {
		m := s.memoryOf(i)
		s.memories[i] = append(s.memories[i], m)
		line += fmt.Sprintf("  %6.1f MiB %6.1f MiB %5d", float64(m.resident)/1024, float64(m.live)/1024, m.goroutines)
	}
	s.table, s.sampled = append(s.table, line), time.Now()
}

const memoryLimit = 1 << 20 // KiB: of the chart

// settles asserts that what the soak took is given back.
func (s *soaking) settles() {
	s.t.Helper()
	for i := range s.replicas {
		first := s.memories[i][0]
		within(s.t, 20*time.Second, "goroutines end", func() error {
			if m := s.memoryOf(i); m.goroutines > first.goroutines+10 {
				return fmt.Errorf("replica %d: %d at begin, %d now", i, first.goroutines, m.goroutines)
			}
			return nil
		})
	}
	s.sample()
	for i, all := range s.memories {
		first, last := all[0], all[len(all)-1]
		if last.live > 2*first.live+16<<10 {
			s.t.Errorf("replica %d: a live heap of %d KiB became %d KiB", i, first.live, last.live)
		}
		for _, m := range all {
			if m.resident > memoryLimit {
				s.t.Errorf("replica %d: %d KiB are more than a pod of the chart may take", i, m.resident)
			}
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
