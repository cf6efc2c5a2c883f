//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// reloading is a directory that changes under load. It goes on for RELOAD_SECONDS, 60 if not given.
type reloading struct {
	t         *testing.T
	dir       loadDir
	agentauth *parts.Agentauth
	provider  *parts.OIDC
	watch     way // confirms what is in force
	asked     atomic.Int64

	plain   history[plain]
	mounted history[mounted]
	extra   history[extra]
	token   atomic.Pointer[string] // of the provider's latest key
	rotated time.Time

	changes, refusals, rotations int
}

func TestEveryAnswerUnderLoadIsRightWhilePoliciesSecretsAndKeysChange(t *testing.T) {
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv("RELOAD_SECONDS"), "60"))
	must(t, err)
	r := startReloading(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l := &load{probes: r.probes(), ways: r.ways()}
	start := time.Now()
	l.run(ctx, t)
	for end := start.Add(time.Duration(seconds) * time.Second); time.Now().Before(end) && !t.Failed(); {
		r.round()
	}
	stop()
	l.group.Wait()
	took := time.Since(start)

	t.Logf("%d requests in %s (%.0f a second), of which %d wrong; %d changes came into force, %d were refused, keys rotated %d times",
		l.sent.Load(), took.Round(time.Second), float64(l.sent.Load())/took.Seconds(), l.wrong.Load(), r.changes, r.refusals, r.rotations)
	l.by.Range(func(status, n any) bool { t.Logf("status %v: %d", status, n.(*atomic.Int64).Load()); return true })
	if l.wrong.Load() > 0 {
		t.Errorf("%d of %d answers were wrong", l.wrong.Load(), l.sent.Load())
	}
	if rate := float64(l.sent.Load()) / took.Seconds(); rate < 50 {
		t.Errorf("only %.0f requests a second were made", rate)
	}
	asked := float64(l.sent.Load() + r.asked.Load())
	if decided := r.metric("agentauth_decisions_total"); decided != asked {
		t.Errorf("%v requests were made, and %v decisions counted", asked, decided)
	}
	if ok := r.metric("agentauth_config_reloads_total", `result="ok"`); ok < float64(r.changes) {
		t.Errorf("%d changes came into force, and %v loads were counted", r.changes, ok)
	}
	if refused := r.metric("agentauth_config_reloads_total", `result="refused"`); refused < float64(r.refusals) {
		t.Errorf("%d changes were refused, and %v counted", r.refusals, refused)
	}
	if panics := r.metric("agentauth_panics_total"); panics != 0 {
		t.Errorf("%v checks panicked", panics)
	}
}

func startReloading(t *testing.T) *reloading {
	t.Helper()
	dir := parts.TestDir(t)
	r := &reloading{t: t, dir: loadDir{t, subdir(t, dir, "policies")}, rotated: time.Now()}
	r.provider = startProvider(t, parts.OIDCConfig{Dir: dir, JWKS: parts.Keys{Keys: []jose.JSONWebKey{newKey(t, "k0")}}})
	r.fetchToken()
	r.plain.states, r.mounted.states, r.extra.states = []plain{{}}, []mounted{{}}, []extra{false}
	r.dir.rename("orders.yaml", ordersPolicy("orders", "/orders", r.provider.Issuer, ""))
	r.dir.rename("main.yaml", plain{}.manifest())
	subdir(t, r.dir.path, "mounted")
	r.dir.mount(mounted{})
	r.agentauth = startAgentauth(t, dir, "--policies", r.dir.path, "--log-level", "info")
	ca, listener := certificates(t, dir)
	envoy := startEnvoy(t, parts.EnvoyConfig{
		Dir: dir, Upstream: startUpstream(t).Address, Door: parts.Door{Address: r.agentauth.GRPCAddress}, TLS: listener,
		EncodeRawHeaders: true, Timeout: 5 * time.Second,
	})
	r.watch = way{name: "TLS, HTTP/2", envoy: envoy, tls: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}, http2: true}
	return r
}

func (r *reloading) ways() []way {
	all := make([]way, 4)
	for i := range all {
		w := r.watch
		w.http2 = i&1 != 0
		if i&2 != 0 {
			w.tls = nil
		}
		all[i] = way{fmt.Sprintf("TLS: %t, HTTP/2: %t", w.tls != nil, w.http2), w.envoy, w.tls, w.http2}
	}
	return all
}

func (r *reloading) metric(name string, labels ...string) float64 {
	r.t.Helper()
	return metric(r.t, r.agentauth, name, labels...)
}

// when is a reply that is an allowance only in some states.
func when(ok bool, number, otherwise int) reply {
	if ok {
		return reply{200, number}
	}
	return reply{otherwise, -1}
}

func (r *reloading) probes() []probe {
	first, second := get("/keys", "x-api-key: "+loadKeys[0], "x-agent_generation: mallory"), get("/keys", "x-api-key: "+loadKeys[1])
	at := func(path string) wire {
		return get(path, "x-api-key: "+loadKeys[0], "x-generation: 999999", "x_generation: 999999")
	}
	all := []probe{
		steady("the number of main.yaml", &r.plain, get("/number/plain"), func(s plain) reply { return reply{200, s.n} }),
		steady("a key", &r.plain, first, func(s plain) reply { return reply{200, s.n} }),
		steady("a key that comes and goes", &r.plain, second, func(s plain) reply { return when(s.second, s.n, 401) }),
		steady("a key of nobody", &r.plain, get("/keys", "x-api-key: e2e-key-of-nobody-at-all"), func(plain) reply { return reply{401, -1} }),
		steady("a rule that changes", &r.plain, at("/role"), func(s plain) reply { return when(!s.closed, s.n, 403) }),
		steady("a route that comes and goes", &r.plain, at("/moved"), func(s plain) reply { return when(s.moved, s.n, 403) }),
		steady("the number of the mounted Secret", &r.mounted, get("/number/mounted"), func(s mounted) reply { return reply{200, s.n} }),
		steady("a file that comes and goes", &r.extra, get("/extra"), func(s extra) reply { return when(bool(s), -1, 403) }),
		steady("nothing at all", &r.plain, get("/keys"), func(plain) reply { return reply{401, -1} }),
		{"a token of the provider", func() wire { return get("/orders", "authorization: Bearer "+*r.token.Load()) },
			func() func(reply) bool { return func(got reply) bool { return got == reply{200, -1} } }},
	}
	for i := range 2 {
		shared := expand(r.t, `${jwt `+loadSecrets[i]+` HS256 {"exp":${now+3600}}}`)
		signed := expand(r.t, `${jwt `+loadSigners[i]+` `+[]string{"RS256", "ES256"}[i]+` ${good}}`)
		all = append(all,
			steady("a shared secret that changes", &r.mounted, get("/tokens", "authorization: "+bearer(shared)), func(s mounted) reply { return when(s.secret == i, s.n, 401) }),
			steady("a password that changes", &r.mounted, get("/basic", "authorization: "+basic("alice", loadPasswords[i])), func(s mounted) reply { return when(s.password == i, s.n, 401) }),
			steady("a key set that changes", &r.mounted, get("/signed", "authorization: "+bearer(signed)), func(s mounted) reply { return when(s.key == i, s.n, 401) }),
		)
	}
	return all
}

// round makes each kind of change once.
func (r *reloading) round() {
	r.changePlain(r.byRename, func(s *plain) { s.second = !s.second })
	r.changeMounted(func(s *mounted) { s.secret = 1 - s.secret })
	r.changePlain(r.byRename, func(s *plain) { s.closed = !s.closed })
	r.changePlain(r.inPieces, func(s *plain) { s.moved = !s.moved })
	r.changeExtra()
	r.breakPlain("no YAML at all: [", func() {
		// While one file is broken, a change of another is not in force either.
		r.writeMounted(func(s *mounted) { s.password = 1 - s.password })
	})
	r.confirmMounted()
	r.breakPlain("---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\nunknownField: 1\n", nil)
	_, now := r.plain.latest()
	r.breakPlain(regexp.MustCompile("require: '(true|false)'").ReplaceAllString(now.manifest(), "require: '1 + 1'"), nil)
	r.breakPlain("", nil)
	r.changePlain(r.byHalves, func(s *plain) { s.second = !s.second })
	r.changeMounted(func(s *mounted) { s.key = 1 - s.key })
	r.rotate()
	r.bothAtOnce()
}

func (r *reloading) byRename(content string) { r.dir.rename("main.yaml", content) }

// inPieces overwrites the file in pieces that follow each other faster than a file counts as settled.
func (r *reloading) inPieces(content string) {
	f, err := os.Create(r.dir.file("main.yaml"))
	must(r.t, err)
	defer f.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(content) > 0 {
		n := min(len(content), 200)
		_, err := f.WriteString(content[:n])
		must(r.t, err)
		content = content[n:]
		<-tick.C
	}
}

// byHalves writes so little of the file that it cannot be read, until that was refused, and then the rest.
func (r *reloading) byHalves(content string) {
	half := strings.LastIndex(content[:len(content)/2], "{") + 1
	r.refused("half a file", func() { write(r.t, r.dir.file("main.yaml"), content[:half]) })
	f, err := os.OpenFile(r.dir.file("main.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	must(r.t, err)
	_, err = f.WriteString(content[half:])
	must(r.t, err)
	must(r.t, f.Close())
}

func (r *reloading) changePlain(writes func(string), change func(*plain)) {
	r.t.Helper()
	_, s := r.plain.latest()
	change(&s)
	s.n++
	r.plain.writes(s)
	writes(s.manifest())
	r.confirmPlain()
	r.changes++
}

func (r *reloading) writeMounted(change func(*mounted)) {
	r.t.Helper()
	_, s := r.mounted.latest()
	change(&s)
	s.n++
	r.mounted.writes(s)
	r.dir.mount(s)
}

func (r *reloading) changeMounted(change func(*mounted)) {
	r.t.Helper()
	r.writeMounted(change)
	r.confirmMounted()
	r.changes++
}

func (r *reloading) changeExtra() {
	r.t.Helper()
	_, s := r.extra.latest()
	r.extra.writes(!s)
	if s {
		must(r.t, os.Remove(r.dir.file("extra.yaml")))
	} else {
		r.dir.rename("extra.yaml", loadPolicy("extra", "/extra", "{name: all, anonymous: {}}", ""))
	}
	i, s := r.extra.latest()
	r.confirmed("extra.yaml", "/extra", func(got reply) bool { return got.status == when(bool(s), 0, 403).status })
	r.extra.confirm(i)
	r.changes++
}

// bothAtOnce changes two parts without waiting in between.
func (r *reloading) bothAtOnce() {
	r.t.Helper()
	_, s := r.plain.latest()
	s.n++
	s.closed = !s.closed
	r.plain.writes(s)
	r.byRename(s.manifest())
	r.changeMounted(func(s *mounted) { s.secret = 1 - s.secret })
	r.confirmPlain()
}

// breakPlain makes main.yaml unusable, which must change nothing, and then repairs it.
func (r *reloading) breakPlain(content string, meanwhile func()) {
	r.t.Helper()
	r.refused(content, func() { r.dir.rename("main.yaml", content) })
	if meanwhile != nil {
		before := r.number("/number/mounted")
		r.refused("another file", meanwhile)
		if after := r.number("/number/mounted"); after != before {
			r.t.Errorf("half of the directory came into force: %+v, then %+v", before, after)
		}
	}
	r.changePlain(r.byRename, func(*plain) {})
}

// refused waits until a change was refused.
func (r *reloading) refused(what string, change func()) {
	r.t.Helper()
	counted := func() float64 { return r.metric("agentauth_config_reloads_total", `result="refused"`) }
	before := counted()
	change()
	within(r.t, 10*time.Second, fmt.Sprintf("refused: %.60q", what), func() error {
		if counted() == before {
			return fmt.Errorf("not counted")
		}
		return nil
	})
	r.refusals++
}

func (r *reloading) number(path string) reply {
	r.t.Helper()
	r.asked.Add(1)
	client := r.watch.client()
	defer client.CloseIdleConnections()
	got, body, err := r.watch.call(client, get(path))
	if err != nil {
		r.t.Fatalf("%s: %v %s", path, err, body)
	}
	return got
}

func (r *reloading) confirmed(what, path string, is func(reply) bool) {
	r.t.Helper()
	within(r.t, 10*time.Second, what+" is in force", func() error {
		if got := r.number(path); !is(got) {
			return fmt.Errorf("%s answers %+v", path, got)
		}
		return nil
	})
}

func (r *reloading) confirmPlain() {
	r.t.Helper()
	i, s := r.plain.latest()
	r.confirmed("main.yaml", "/number/plain", func(got reply) bool { return got.number == s.n })
	r.plain.confirm(i)
}

func (r *reloading) confirmMounted() {
	r.t.Helper()
	i, s := r.mounted.latest()
	r.confirmed("the mounted Secret", "/number/mounted", func(got reply) bool { return got.number == s.n })
	r.mounted.confirm(i)
}

// rotate lets the provider sign with a new key, once in as long as unknown keys are asked for once.
func (r *reloading) rotate() {
	r.t.Helper()
	if time.Since(r.rotated) < 12*time.Second {
		return
	}
	r.rotations++
	fresh, old := newKey(r.t, "k"+itoa(r.rotations)), r.provider.Keys()
	must(r.t, r.provider.Rotate(r.t.Context(), append([]jose.JSONWebKey{fresh}, old[:min(2, len(old))]...)...))
	r.fetchToken()
	r.rotated = time.Now()
}

func (r *reloading) fetchToken() {
	r.t.Helper()
	token, err := r.provider.Token(r.t.Context(), orders, "orders:read")
	must(r.t, err)
	credential(token)
	r.token.Store(&token)
}
