//go:build e2e && linux

package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// decision is what agentauth logs of a request.
type decision struct{ Host, Path, Policy, Reason string }

// listen returns what finds the decisions about targets that are logged from now on: agentauth logs before it answers.
func (s *stage) listen(t *testing.T) func(targets ...string) []decision {
	t.Helper()
	log, err := os.Open(s.agentauth.Log)
	parts.Must(t, err)
	_, err = log.Seek(0, io.SeekEnd)
	parts.Must(t, err)
	return func(targets ...string) (found []decision) {
		t.Helper()
		defer log.Close()
		written, err := io.ReadAll(log)
		parts.Must(t, err)
		for line := range bytes.Lines(written) {
			var d decision
			if json.Unmarshal(line, &d) == nil && slices.ContainsFunc(targets, func(target string) bool {
				path, _, _ := strings.Cut(target, "?")
				return path == d.Host+d.Path
			}) {
				found = append(found, d)
			}
		}
		return found
	}
}

// flood sends streams until what it returns is called. Whoever refuses them is one of refusers: policies as
// namespace/name, and reasons where no policy does.
func (s *stage) flood(t *testing.T, refusers []string, streams ...parts.Stream) (stop func()) {
	t.Helper()
	decisions, end := s.listen(t), parts.Flood(t, streams...)
	return func() {
		t.Helper()
		end()
		var targets []string
		for _, one := range streams {
			targets = append(targets, one.Target)
		}
		refused := map[string]int{}
		for _, d := range decisions(targets...) {
			if d.Reason != "" {
				refused[cmp.Or(d.Policy, d.Reason)]++
			}
		}
		for by, n := range refused {
			if !slices.Contains(refusers, by) {
				t.Errorf("%d requests were refused by %s, expected only %q", n, by, refusers)
			}
		}
		t.Logf("refused by %v", refused)
	}
}
