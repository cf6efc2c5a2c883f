//go:build e2e && !quick

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

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

// chartLimit is how many KiB a pod of the chart may take.
func chartLimit(t *testing.T) int64 {
	t.Helper()
	var values struct {
		Resources struct {
			Limits struct{ Memory resource.Quantity }
		}
	}
	text, err := os.ReadFile("../../charts/agentauth/values.yaml")
	must(t, err)
	must(t, yaml.Unmarshal(text, &values))
	return values.Resources.Limits.Memory.Value() >> 10
}

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
	limit := chartLimit(s.t)
	for i, all := range s.memories {
		first, last := all[0], all[len(all)-1]
		if last.live > 2*first.live+16<<10 {
			s.t.Errorf("replica %d: a live heap of %d KiB became %d KiB", i, first.live, last.live)
		}
		for _, m := range all {
			if m.resident > limit {
				s.t.Errorf("replica %d: %d KiB are more than a pod of the chart may take", i, m.resident)
			}
		}
	}
}
