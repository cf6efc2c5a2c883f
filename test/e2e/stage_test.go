//go:build e2e

package e2e

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// stage is one agentauth with the policies of testdata/stage.yaml, and three Envoys that ask it.
type stage struct {
	upstream  *parts.Upstream
	agentauth *parts.Agentauth
	ca        *parts.CA

	raw  *parts.Envoy // header_map, with the body, and routes that name policies
	text *parts.Envoy // headers, without the body
	lax  *parts.Envoy // failure_mode_allow
}

// Credentials of testdata/stage.yaml.
var (
	goodKey    = credential("e2e-api-key-of-the-robot")
	expiredKey = credential("e2e-api-key-that-has-ended")
	othersKey  = credential("e2e-api-key-of-another-namespace")
	password   = credential("e2e-password-of-alice")
	longest    = credential(strings.Repeat("0123456789", 8)[:72]) // what bcrypt reads of a password
)

func withKey(target string, headers ...string) wire {
	return get(target, "x-api-key: "+goodKey).with(headers...)
}

// token is a good one for the policies that take a shared secret. Members are those of a JSON object.
func token(t tester, members string) string {
	t.Helper()
	return credential(expand(t, `${jwt hmac HS256 {"exp":${now+3600},`+members+`}}`))
}

func expand(t tester, text string) string {
	t.Helper()
	out, err := cases.Expand(text)
	must(t, err)
	return out
}

func startStage(t tester) *stage {
	dir := parts.TestDir(t)
	manifests, err := os.ReadFile("testdata/stage.yaml")
	must(t, err)
	hash, err := bcrypt.GenerateFromPassword([]byte(longest), bcrypt.MinCost)
	must(t, err)
	port, err := parts.FreePort()
	must(t, err)
	nowhere := "http://127.0.0.1:" + itoa(port) // nobody listens there
	policies := filepath.Join(dir, "policies")
	must(t, os.Mkdir(policies, 0o750))
	text := strings.NewReplacer("@BCRYPT@", string(hash), "@NOWHERE@", nowhere).Replace(string(manifests))
	must(t, os.WriteFile(filepath.Join(policies, "stage.yaml"), []byte(expand(t, text)), 0o600))

	s := &stage{upstream: startUpstream(t)}
	s.agentauth = startAgentauth(t, dir, "--policies", policies)
	var listener *parts.Listener
	s.ca, listener = certificates(t, dir)
	config := parts.EnvoyConfig{
		Upstream: s.upstream.Address, Door: parts.Door{Address: s.agentauth.GRPCAddress}, TLS: listener,
	}
	raw := config
	raw.Dir, raw.EncodeRawHeaders = subdir(t, dir, "raw"), true
	raw.RequestBody = &parts.RequestBody{MaxBytes: 1024, AllowPartial: true, AsBytes: true}
	raw.Routes = namedRoutes
	s.raw = startEnvoy(t, raw)
	text2 := config
	text2.Dir, text2.Routes = subdir(t, dir, "text"), namedRoutes
	s.text = startEnvoy(t, text2)
	lax := config
	lax.Dir, lax.FailureModeAllow = subdir(t, dir, "lax"), true
	s.lax = startEnvoy(t, lax)
	return s
}

func named(prefix, policy string) parts.Route {
	return parts.Route{Prefix: prefix, ContextExtensions: map[string]string{"agentauth.dev/policy": policy}}
}

// namedRoutes are of policies that no host and path leads to.
var namedRoutes = []parts.Route{
	named("/named/open", "e2e/named-open"),
	named("/named/keys", "e2e/named-keys"),
	named("/named/nobody", "e2e/no-such-policy"),
	{
		Prefix: "/named/beside-a-route", ContextExtensions: map[string]string{"agentauth.dev/policy": "e2e/named-open"},
		Gateway: map[string]string{"kind": "HTTPRoute", "namespace": "e2e", "name": "orders"},
	},
}

// ways are all ways through the two strict Envoys: both wire forms, TLS and plaintext, both versions of HTTP.
func (s *stage) ways() []way {
	var all []way
	for _, e := range []struct {
		name  string
		envoy *parts.Envoy
	}{{"header_map", s.raw}, {"headers", s.text}} {
		all = append(all, s.waysOf(e.name, e.envoy)...)
	}
	return all
}

func (s *stage) waysOf(name string, envoy *parts.Envoy) []way {
	config := &tls.Config{RootCAs: s.ca.Pool(), MinVersion: tls.VersionTLS12}
	return []way{
		{name + ", TLS, HTTP/1.1", envoy, config, false},
		{name + ", TLS, HTTP/2", envoy, config, true},
		{name + ", plaintext, HTTP/1.1", envoy, nil, false},
		{name + ", plaintext, HTTP/2", envoy, nil, true},
	}
}
