package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// validated runs validate on a policy whose method jwt has these further lines.
func validated(t *testing.T, jwt string, flags ...string) (code int, out string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	policy := `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication:
    methods:
    - name: token
      jwt:
        audiences: [orders]
        ` + jwt + "\n"
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code = run(append([]string{"validate", path}, flags...), strings.NewReader(""), &stdout, &stderr)
	return code, strings.ReplaceAll(stdout.String(), path, "policy.yaml") + strings.ReplaceAll(stderr.String(), path, "policy.yaml")
}

func TestValidateWarnsOfURLsThatAreNotFetchedWithItsFlags(t *testing.T) {
	for _, c := range []struct {
		jwt   string
		flags []string
		want  string // in the warning; "" for none
	}{
		{"issuer: http://idp.example.com", nil, "policy.yaml:11: warning: AgentAuthPolicy shop/orders: spec.authentication.methods[0].jwt.issuer: EgressRefused: no keys can be fetched: an http URL: use https, or let the operator allow it with --egress-allow-http"},
		{"issuer: http://idp.example.com", []string{"--egress-allow-http"}, ""},
		{"issuer: https://10.1.2.3", nil, "address 10.1.2.3 is private and not dialled"},
		{"issuer: https://10.1.2.3", []string{"--egress-allow-cidr=10.0.0.0/8"}, ""},
		{"issuer: https://10.1.2.3", []string{"--egress-proxy=http://proxy.example.com:3128"}, ""},
		{"issuer: http://10.1.2.3", []string{"--egress-proxy=http://proxy.example.com:3128"}, "--egress-allow-http"},
		{`issuer: "https://[::1]:8443"`, nil, "address ::1 is loopback"},
		{"issuer: https://localhost:8443/realm", nil, "address 127.0.0.1 is loopback"},
		{"issuer: https://idp.localhost", nil, "loopback"},
		{"issuer: https://localhost.example.com", nil, ""},
		{"issuer: https://localhost", []string{"--egress-allow-cidr=127.0.0.0/8"}, ""},
		{"issuer: https://localhost", []string{"--egress-allow-cidr=::1/128"}, ""},
		{"issuer: https://idp.example.com", nil, ""},
		{"issuer: https://idp.example.com\n        jwks: {uri: 'http://idp.example.com/keys'}", nil, "jwt.jwks.uri: EgressRefused: no keys can be fetched: an http URL"},
	} {
		code, out := validated(t, c.jwt, c.flags...)
		if code != 0 || !strings.Contains(out, c.want) || c.want == "" && strings.Contains(out, "warning") {
			t.Errorf("%s %v: want %q, got %d:\n%s", c.jwt, c.flags, c.want, code, out)
		}
	}
	for flag, want := range map[string]string{
		"--egress-allow-cidr=10.0.0.0":                "--egress-allow-cidr 10.0.0.0: expected an address range",
		"--egress-proxy=agent:s3cret@proxy.example":   "--egress-proxy: expected a URL",
		"--egress-proxy=http://agent:s3cret@a.test:x": "--egress-proxy: expected a URL",
	} {
		if code, out := validated(t, "issuer: https://idp.example.com", flag); code != 2 || !strings.Contains(out, want) || strings.Contains(out, "s3cret") {
			t.Errorf("%s: got %d:\n%s", flag, code, out)
		}
	}
}

func TestValidateFetchesWhatPoliciesNameIfItMay(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/good/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"http://%s/good","jwks_uri":"http://%s/keys"}`, r.Host, r.Host)
		case "/keys":
			fmt.Fprint(w, onePublicKey)
		case "/empty":
			fmt.Fprint(w, `{"keys":[]}`)
		case "/slash/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":"http://%s/slash/","jwks_uri":"http://%s/keys"}`, r.Host, r.Host)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	open := []string{"--egress-allow-http", "--egress-allow-cidr=127.0.0.0/8"}
	if code, out := validated(t, "issuer: "+s.URL+"/absent", open...); code != 0 || strings.Contains(out, "warning") || asked.Load() != 0 {
		t.Errorf("without --network: got %d after %d requests:\n%s", code, asked.Load(), out)
	}
	for jwt, want := range map[string]string{
		"issuer: " + s.URL + "/good":                                         "",
		"issuer: " + s.URL + "/absent":                                       "policy.yaml:11: warning: AgentAuthPolicy shop/orders: spec.authentication.methods[0].jwt.issuer: ",
		"issuer: " + s.URL + "/slash":                                        "differ in a trailing slash",
		"issuer: " + s.URL + "\n        jwks: {uri: '" + s.URL + "/keys'}":   "",
		"issuer: " + s.URL + "\n        jwks: {uri: '" + s.URL + "/absent'}": "policy.yaml:12: warning: AgentAuthPolicy shop/orders: spec.authentication.methods[0].jwt.jwks.uri: ",
		"issuer: " + s.URL + "\n        jwks: {uri: '" + s.URL + "/empty'}":  "the key set is empty",
		"issuer: https://idp.invalid":                                        "the host name",
	} {
		code, out := validated(t, jwt, append([]string{"--network"}, open...)...)
		if code != 0 || !strings.Contains(out, want) || (want == "") == strings.Contains(out, "warning") || want != "" && !strings.Contains(out, "cannot be fetched: ") {
			t.Errorf("%s: want %q, got %d:\n%s", jwt, want, code, out)
		}
	}
	code, out := validated(t, "issuer: "+s.URL+"/good", "--network")
	if code != 0 || strings.Count(out, "warning: ") != 1 || !strings.Contains(out, "--egress-allow-http") {
		t.Errorf("what the flags do not admit is told once, got %d:\n%s", code, out)
	}
}

const onePublicKey = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
