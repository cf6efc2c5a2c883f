package main

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// sampleIssuer stands in config/samples where the address of the demo's own provider belongs.
const sampleIssuer = "https://idp.example.com"

// stage is everything that runs, in the order it was started.
type stage struct {
	*parts.Run
	out         io.Writer
	binary      string // of agentauth
	upstream    *parts.Upstream
	provider    *parts.OIDC
	cluster     *parts.Cluster // of the demo in a cluster
	agentauth   *parts.Agentauth
	tools       tools  // of the demo with a plain Envoy
	http, https string // Envoy's URLs
	ca          *parts.CA
	caFile      string
	tls         *tls.Config  // trusts the demo's CA
	client      *http.Client // with it, over HTTP/2
	records     int          // of agentauth's log that were read
}

// open starts the parts of both demos: what calls Envoy, and what Envoy calls.
func (s *stage) open(ctx context.Context) (err error) {
	if s.upstream, err = parts.StartUpstream(); err != nil {
		return err
	}
	s.Ends(s.upstream.Stop)
	if s.provider, err = parts.StartOIDC(ctx, parts.OIDCConfig{
		Dir: s.Dir,
		Resources: []parts.OIDCResource{
			{Audience: "https://orders.example.com", Scope: "orders:read orders:write"},
			{Audience: "https://elsewhere.example.com", Scope: "orders:read"},
		},
	}); err != nil {
		return err
	}
	s.Ends(s.provider.Stop)
	if s.ca, err = parts.NewCA("agentauth demo"); err != nil {
		return err
	}
	if s.caFile, err = s.ca.Write(s.Dir, "ca"); err != nil {
		return err
	}
	s.tls = &tls.Config{RootCAs: s.ca.Pool(), MinVersion: tls.VersionTLS12}
	s.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: s.tls.Clone(), ForceAttemptHTTP2: true,
	}}
	return nil
}

// openProxy starts agentauth with a directory of policies, and a plain Envoy.
func (s *stage) openProxy(ctx context.Context, binary string) error {
	policies, err := s.copySamples()
	if err != nil {
		return err
	}
	if err := s.openTools(ctx, policies); err != nil {
		return err
	}
	if s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{
		Dir: s.Dir, Binary: binary,
		Args: []string{"--policies", policies, "--audit-file", s.auditFile(), "--explain-on-loopback", "--egress-allow-http", "--egress-allow-cidr", "127.0.0.0/8", "--log-format", "json", "--log-level", "debug"},
	}); err != nil {
		return err
	}
	s.Ends(s.agentauth.Stop)
	pair, err := s.ca.Server()
	if err != nil {
		return err
	}
	listener := new(parts.Listener)
	if listener.CertFile, listener.KeyFile, err = pair.Write(s.Dir, "server"); err != nil {
		return err
	}
	config := parts.EnvoyConfig{
		Dir: s.Dir, Upstream: s.upstream.Address, Door: parts.Door{Address: s.agentauth.GRPCAddress}, TLS: listener, StatusOnError: http.StatusServiceUnavailable,
		RequestBody: &parts.RequestBody{MaxBytes: 64 << 10, AllowPartial: true, AsBytes: true},
	}
	envoy, err := parts.StartEnvoy(ctx, config)
	if err != nil {
		return err
	}
	s.Ends(envoy.Stop)
	s.http, s.https = envoy.HTTP(), envoy.HTTPS()
	return s.serveTools(ctx, config)
}

//go:embed former.yaml
var formerKey []byte

// copySamples copies config/samples into the run directory, with the provider's address in it, and a
// key that has ended.
func (s *stage) copySamples() (dir string, err error) {
	root, err := parts.Root()
	if err != nil {
		return "", err
	}
	samples, err := filepath.Glob(filepath.Join(root, "config", "samples", "*.yaml"))
	if err != nil {
		return "", err
	}
	dir = filepath.Join(s.Dir, "policies")
	if err := os.Mkdir(dir, 0o750); err != nil {
		return "", err
	}
	replaced := 0
	for _, sample := range samples {
		content, err := os.ReadFile(sample)
		if err != nil {
			return "", err
		}
		replaced += strings.Count(string(content), sampleIssuer)
		changed := strings.ReplaceAll(string(content), sampleIssuer, s.provider.Issuer)
		if !strings.HasPrefix(s.provider.Issuer, "https:") { // metadata names no other servers
			changed = strings.ReplaceAll(changed, "authorizationServers: ["+s.provider.Issuer, "authorizationServers: ["+sampleIssuer)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(sample)), []byte(changed), 0o600); err != nil {
			return "", err
		}
	}
	if replaced == 0 {
		return "", fmt.Errorf("expected the issuer %s in config/samples, found it nowhere", sampleIssuer)
	}
	return dir, os.WriteFile(filepath.Join(dir, "former.yaml"), formerKey, 0o600)
}
