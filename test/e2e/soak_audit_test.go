//go:build e2e && !quick

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// soakRecord is what is read of an audit record.
type soakRecord struct {
	Event struct{ Action string }
	URL   struct{ Domain, Path string }
	HTTP  struct {
		Response struct {
			Status int `json:"status_code"`
		}
	}
	Agentauth struct{ Decision string }
}

// auditFiles are those of a replica, the oldest first.
func auditFiles(t *testing.T, r *replica) []string {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(r.dir, "..", "audit-*.log"))
	must(t, err)
	slices.Sort(old)
	return append(old, filepath.Join(r.dir, "..", "audit.log"))
}

// auditIsWhole asserts that each replica's chain is as it was written, up to where its log says that it ended.
func auditIsWhole(t *testing.T, r *replica) string {
	t.Helper()
	records, err := r.Records()
	must(t, err)
	args := append([]string{"audit", "verify"}, auditFiles(t, r)...)
	for _, line := range records {
		if line["msg"] == "audit chain" {
			args = append(args, "--anchor", fmt.Sprintf("%v:%v", line["seq"], line["hash"]))
		}
	}
	out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	if err != nil {
		t.Errorf("agentauth %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// auditTellsAll asserts that there is exactly one record of each request, which says what the caller got.
func (s *soaking) auditTellsAll() string {
	s.t.Helper()
	records, asked, lines := make([]int8, len(s.load.got)), 0, 0
	for _, r := range s.replicas {
		for _, file := range auditFiles(s.t, r) {
			s.keepAudit(file)
			eachRecord(s.t, file, func(record soakRecord) {
				lines++
				if record.Event.Action == "dropped" {
					s.t.Errorf("%s says that records are missing", file)
				}
				if record.Event.Action != "decision" || record.URL.Domain != soakHost {
					return
				}
				if path.Base(record.URL.Path) == "asked" {
					asked++
					return
				}
				n, err := strconv.Atoi(path.Base(record.URL.Path))
				if err != nil || n >= len(records) {
					s.t.Errorf("%s has a record of %s, which was not sent", file, record.URL.Path)
					return
				}
				records[n]++
				told := record.HTTP.Response.Status
				if record.Agentauth.Decision == "allow" {
					told = http.StatusOK
				}
				if got := int(s.load.got[n]); got != 0 && got != told {
					s.t.Errorf("request %d was answered %d, and its record says %d", n, got, told)
				}
			})
		}
	}
	missing, more := 0, 0
	for _, n := range records {
		if n == 0 {
			missing++
		} else if n > 1 {
			more++
		}
	}
	if missing > 0 || more > 0 || asked != s.asks {
		s.t.Errorf("audit: of %d requests %d have no record and %d several; of %d asked of a replica %d have one", len(records), missing, more, s.asks, asked)
	}
	return fmt.Sprintf("%d audit records: %d of requests have none, %d several\n", lines, missing, more)
}

func eachRecord(t *testing.T, file string, do func(soakRecord)) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var record soakRecord
		must(t, json.Unmarshal(lines.Bytes(), &record))
		do(record)
	}
	must(t, lines.Err())
}

// keepAudit keeps the begin of an audit file as evidence, which is searched for credentials.
func (s *soaking) keepAudit(file string) {
	s.t.Helper()
	f, err := os.Open(file)
	must(s.t, err)
	defer f.Close()
	begin, err := io.ReadAll(io.LimitReader(f, 8<<20))
	must(s.t, err)
	must(s.t, os.MkdirAll(evidence, 0o750))
	must(s.t, os.WriteFile(filepath.Join(evidence, filepath.Base(filepath.Dir(file))+"-"+filepath.Base(file)), begin, 0o600))
}
