//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The directory of the reload test has three parts, each of which changes as a whole: a file, a mounted
// Secret, and a file that comes and goes. A history has the states of one part.

// history is what was written of one part, and how far it is known to be in force.
type history[S any] struct {
	mu        sync.Mutex
	states    []S
	confirmed int // every answer from now on is of this state or a later one
}

func (h *history[S]) latest() (int, S) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.states) - 1, h.states[len(h.states)-1]
}

// writes remembers a state that is about to be written.
func (h *history[S]) writes(s S) {
	h.mu.Lock()
	h.states = append(h.states, s)
	h.mu.Unlock()
}

func (h *history[S]) confirm(n int) {
	h.mu.Lock()
	h.confirmed = max(h.confirmed, n)
	h.mu.Unlock()
}

func (h *history[S]) oldest() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.confirmed
}

// since are the states that an answer may be of whose request was made when `from` was the oldest.
func (h *history[S]) since(from int) []S {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[from:len(h.states):len(h.states)]
}

// plain is the state of main.yaml. Its number is in what the policies set.
type plain struct {
	n      int
	second bool // the second key is valid
	closed bool // /role wants what nobody has
	moved  bool // /moved is a route
}

// mounted is the state of the mounted Secret.
type mounted struct {
	n                     int
	secret, password, key int
}

// extra is whether extra.yaml is there.
type extra bool

var (
	loadKeys      = [2]string{credential("e2e-first-key-under-load"), credential("e2e-second-key-under-load")}
	loadPasswords = [2]string{credential("e2e-password-before"), credential("e2e-password-after")}
	loadSecrets   = [2]string{"hmac", "hmac2"}
	loadSigners   = [2]string{"rsa1", "ec1"}
)

func loadPolicy(name, path, methods, rest string) string {
	return fmt.Sprintf(`---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %s, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: %s}}]}]
  authentication: {methods: [%s]}
%s`, name, apiHost, path, methods, rest)
}

func numbered(n int) string {
	return fmt.Sprintf("  response: {upstream: {headers: [{name: x-generation, value: '\"%d\"'}]}}\n", n)
}

func (s plain) manifest() string {
	keys := "{name: machines, apiKey: {selector: {matchLabels: {team: e2e}}}}"
	rule := "true"
	if s.closed {
		rule = "false"
	}
	out := loadPolicy("number", "/number/plain", "{name: all, anonymous: {}}", numbered(s.n)) +
		loadPolicy("keys", "/keys", keys, numbered(s.n)) +
		loadPolicy("role", "/role", keys, "  authorization: {rules: [{name: open, require: '"+rule+"'}]}\n"+numbered(s.n))
	if s.moved {
		out += loadPolicy("moved", "/moved", keys, numbered(s.n))
	}
	out += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: robot, namespace: e2e, labels: {agentauth.dev/use: api-key, team: e2e}, annotations: {agentauth.dev/plain-keys: \"*\"}}\nstringData:\n  first: " + loadKeys[0] + "\n"
	if s.second {
		out += "  second: " + loadKeys[1] + "\n"
	}
	return out
}

func (s mounted) manifest(t tester) string {
	secret := map[string]string{"hmac": strings.Repeat("0123456789abcdef", 4), "hmac2": strings.Repeat("fedcba9876543210", 4)}[loadSecrets[s.secret]]
	return loadPolicy("mounted", "/number/mounted", "{name: all, anonymous: {}}", numbered(s.n)) +
		loadPolicy("tokens", "/tokens", "{name: agents, jwt: {anyIssuer: true, anyAudience: true, hmac: {secretRef: {name: agents}}}}", numbered(s.n)) +
		loadPolicy("basic", "/basic", "{name: staff, basic: {users: {secretRef: {name: staff}}, allowPlaintext: true}}", numbered(s.n)) +
		loadPolicy("signed", "/signed", "{name: partners, jwt: {issuer: 'https://idp.example.com', audiences: [orders], jwks: {secretRef: {name: keys}}}}", numbered(s.n)) +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: agents, namespace: e2e, labels: {agentauth.dev/use: hmac}}\nstringData: {secret: " + secret + "}\n" +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: staff, namespace: e2e, labels: {agentauth.dev/use: basic}}\ntype: kubernetes.io/basic-auth\nstringData: {username: alice, password: " + loadPasswords[s.password] + "}\n" +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: e2e, labels: {agentauth.dev/use: jwks}}\nstringData: {jwks.json: '" +
		expand(t, "${jwks "+loadSigners[s.key]+"}") + "'}\n"
}

// loadDir writes the three parts, each in the ways in which such files change.
type loadDir struct {
	t    *testing.T
	path string
}

func (d loadDir) file(name string) string { return filepath.Join(d.path, name) }

// rename replaces a file in one step.
func (d loadDir) rename(name, content string) {
	d.t.Helper()
	write(d.t, d.file("."+name+".new"), content)
	must(d.t, os.Rename(d.file("."+name+".new"), d.file(name)))
}

// mount replaces the mounted Secret as the kubelet does.
func (d loadDir) mount(s mounted) {
	d.t.Helper()
	version := fmt.Sprintf("..version_%d", s.n)
	dir := subdir(d.t, d.file("mounted"), version)
	write(d.t, filepath.Join(dir, "secrets.yaml"), s.manifest(d.t))
	data := d.file("mounted/..data")
	old, _ := os.Readlink(data) // none at first
	must(d.t, os.Symlink(version, data+"_tmp"))
	must(d.t, os.Rename(data+"_tmp", data))
	if old == "" {
		must(d.t, os.Symlink("..data/secrets.yaml", d.file("mounted/secrets.yaml")))
		return
	}
	must(d.t, os.RemoveAll(d.file("mounted/"+old)))
}
