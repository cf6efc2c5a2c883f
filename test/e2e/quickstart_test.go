//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// quick is what the page starts, without Docker: the same files, with other addresses.
type quick struct {
	dir, policies string
	envoy         *parts.Envoy
	keys          map[string]string // by the page's names of variables
	fresh         string            // the key that was printed last
}

func startQuick(t *testing.T) *quick {
	t.Helper()
	q := &quick{dir: parts.TestDir(t), keys: map[string]string{}}
	q.policies = subdir(t, q.dir, "policies")
	must(t, os.CopyFS(q.policies, os.DirFS(quickstart+"policies")))
	upstream := startUpstream(t)
	a := startAgentauth(t, q.dir, q.serveArgs(t)...)
	q.envoy = runQuickEnvoy(t, q.dir, upstream.Address, a.GRPCAddress)
	return q
}

// serveArgs are those of compose.yaml behind serve, but for its addresses.
func (q *quick) serveArgs(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(quickstart + "compose.yaml")
	must(t, err)
	var compose struct {
		Services map[string]struct {
			Command []string `json:"command"`
		} `json:"services"`
	}
	must(t, yaml.Unmarshal(text, &compose))
	var out []string
	for _, arg := range compose.Services["agentauth"].Command {
		switch {
		case arg == "serve", strings.HasPrefix(arg, "--grpc-address="):
		default:
			out = append(out, strings.Replace(arg, "/policies", q.policies, 1))
		}
	}
	return out
}

// do does a line of the page, and says whether it was one that is done without Docker.
func (q *quick) do(t *testing.T, line string) bool {
	t.Helper()
	command, comment, _ := strings.Cut(line, "  #")
	command = strings.TrimSpace(command)
	issue, file, issues := strings.Cut(command, " > ")
	switch {
	case strings.HasPrefix(command, "curl "):
		q.curl(t, command, strings.TrimSpace(comment))
	case issues:
		q.issue(t, issue, file)
	case strings.HasSuffix(command, "=..."):
		q.keys[strings.TrimSuffix(command, "=...")] = q.fresh
	case strings.HasPrefix(command, "rm "):
		write(t, filepath.Join(q.policies, "mistake.yaml"), "kind: [") // the page says that this does not matter
		must(t, os.Remove(filepath.Join(q.dir, strings.TrimPrefix(command, "rm "))))
	default:
		return false
	}
	return true
}

// shell is a line of the page, with the addresses and keys that there are.
func (q *quick) shell(t *testing.T, line string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = q.dir
	cmd.Env = os.Environ()
	for name, key := range q.keys {
		cmd.Env = append(cmd.Env, name+"="+key)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", line, err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// curl asks until the answer is the one that the page says: what a line before changed is in force within a second.
func (q *quick) curl(t *testing.T, command, status string) {
	t.Helper()
	line := strings.Replace(command, "http://localhost:10000", q.envoy.HTTP(), 1)
	if line == command || status == "" {
		t.Fatalf("expected a request to localhost:10000 and its status, got %q", command)
	}
	var got string
	within(t, 10*time.Second, command, func() error {
		if got, _ = q.shell(t, line+" --silent --show-error"); !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") {
			return fmt.Errorf("expected %s, got %s", status, got)
		}
		return nil
	})
	for answer, says := range map[string]string{"401": `www-authenticate: ApiKey header="x-api-key"`, "403": "changes-need-the-scope-write", "200": `"X-Agent-Id":["`} {
		if status == answer && !strings.Contains(got, says) {
			t.Errorf("%s: expected %s in %s", command, says, got)
		}
	}
	for _, key := range q.keys {
		if status == "200" && strings.Contains(got, key) {
			t.Errorf("%s: the upstream saw the key", command)
		}
	}
}

var aKey = regexp.MustCompile(`(?m)^[0-9a-f]{64}$`)

// issue runs what the page has a container run.
func (q *quick) issue(t *testing.T, command, file string) {
	t.Helper()
	_, args, found := strings.Cut(command, " agentauth ")
	if !found || !strings.HasPrefix(command, "docker compose run ") {
		t.Fatalf("expected a command in the container of agentauth, got %q", command)
	}
	_, stderr := q.shell(t, "'"+binary+"' "+args+" > "+file)
	if q.fresh = aKey.FindString(stderr); q.fresh == "" {
		t.Fatalf("%s: expected a key alone on a line of stderr, got %d bytes", command, len(stderr))
	}
	credential(q.fresh)
}

// What the page says is done line by line with its own files, by a real Envoy and curl, but without Docker.
func TestTheQuickstartDoesWhatItsPageSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/quickstart.md")
	must(t, err)
	q := startQuick(t)
	done := 0
	steps, _, _ := strings.Cut(string(page), "\n## If something else happens")
	for _, block := range strings.Split(steps, "```sh\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(block, "\\\n", "")), "\n") {
			if q.do(t, line) {
				done++
			}
		}
	}
	if done < 10 {
		t.Errorf("expected at least 10 lines of the page to be done, did %d", done)
	}
	log, err := os.ReadFile(q.envoy.Log)
	must(t, err)
	if !strings.Contains(string(log), "GET /orders 200 agent=robot\n") {
		t.Errorf("expected the agent in Envoy's access log, got\n%s", log)
	}
}
