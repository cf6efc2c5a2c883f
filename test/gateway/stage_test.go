//go:build e2e && linux

package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// theStage is what all tests share.
var theStage *stage

// stage is a cluster with the objects of testdata, the Envoy of its Gateway, agentauth and an upstream.
type stage struct {
	dir       string
	cluster   *parts.Cluster
	gateway   *parts.EnvoyGateway
	upstream  *parts.Upstream
	binary    string
	account   string // kubeconfig of agentauth's ServiceAccount
	door      string // address
	agentauth *parts.Agentauth
	ca        *parts.CA

	http, https way
	partners    string // URL of the listener that wants certificates
}

// way is how a request is sent: to a listener of the Gateway, by a client.
type way struct {
	base   string
	client *http.Client
}

func (s *stage) start(ctx context.Context) (err error) {
	if s.binary, err = parts.Build(ctx, s.dir); err != nil {
		return err
	}
	if s.upstream, err = parts.StartUpstream(); err != nil {
		return err
	}
	if s.cluster, err = parts.StartCluster(ctx, s.dir); err != nil {
		return err
	}
	root, err := parts.Root()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", filepath.Join(root, "config", "crd", "agentauth.dev_agentauthpolicies.yaml")},
		{"create", "namespace", "agentauth-system"},
		{"apply", "-f", filepath.Join(root, "config", "rbac", "rbac.yaml")},
		{"wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev"},
	} {
		if _, err = s.cluster.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	if s.account, err = s.cluster.AccountKubeconfig(ctx, "agentauth-system", "agentauth"); err != nil {
		return err
	}
	if s.gateway, err = parts.StartEnvoyGateway(ctx, s.dir, s.cluster); err != nil {
		return err
	}
	return s.open(ctx)
}

// address is none of the loopback's, which API servers take for no endpoint, but one that enter gave it.
const address = "10.10.0.1"

// open starts agentauth and applies what is in testdata.
func (s *stage) open(ctx context.Context) error {
	ports := map[string]string{}
	for _, name := range []string{"@DOOR@", "@HTTP@", "@HTTPS@", "@PARTNERS@"} {
		port, err := parts.FreePort()
		if err != nil {
			return err
		}
		ports[name] = strconv.Itoa(port)
	}
	s.door = net.JoinHostPort(address, ports["@DOOR@"])
	material, err := s.certificates()
	if err != nil {
		return err
	}
	s.http = way{"http://localhost:" + ports["@HTTP@"], plain(&http.Client{Transport: &http.Transport{}})}
	s.https = way{"https://localhost:" + ports["@HTTPS@"], plain(s.ca.HTTPClient())}
	s.partners = "https://localhost:" + ports["@PARTNERS@"]
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	_, ports["@UPSTREAM@"], err = net.SplitHostPort(s.upstream.Address)
	if err != nil {
		return err
	}
	manifests, err := os.ReadFile("testdata/gateway.yaml")
	if err != nil {
		return err
	}
	policies, err := os.ReadFile("testdata/policies.yaml")
	if err != nil {
		return err
	}
	text := string(manifests)
	for name, port := range ports {
		text = strings.ReplaceAll(text, name, port)
	}
	for _, text := range []string{string(policies), text, material} {
		if _, err := s.cluster.Kubectl(ctx, text, "apply", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

// certificates writes the files of agentauth's door, and returns the objects with those of the Gateway.
func (s *stage) certificates() (string, error) {
	ca, err := parts.NewCA("test")
	if err != nil {
		return "", err
	}
	s.ca = ca
	door, err := ca.Server("agentauth.agentauth-system.svc")
	if err != nil {
		return "", err
	}
	if _, _, err := door.Write(s.dir, "door"); err != nil {
		return "", err
	}
	if _, err := ca.Write(s.dir, "ca"); err != nil {
		return "", err
	}
	public, err := ca.Server()
	if err != nil {
		return "", err
	}
	proxy, err := ca.Issue(parts.Leaf{DNSNames: []string{proxyName}})
	if err != nil {
		return "", err
	}
	objects := ""
	for name, namespace := range map[string]string{"door-ca": "agentauth-system", "partners-ca": "gateways"} {
		objects += fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {ca.crt: %q}}\n", name, namespace, ca.PEM)
	}
	for name, pair := range map[string]parts.Pair{"door-client": proxy, "public": public} {
		objects += fmt.Sprintf("---\n{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: %s, namespace: gateways}, stringData: {tls.crt: %q, tls.key: %q}}\n", name, pair.Cert, pair.Key)
	}
	return objects, nil
}

// proxyName is in the certificate that the Gateway's Envoy shows at the door.
const proxyName = "envoy.gateways.example.test"

// startAgentauth starts one at the door that the SecurityPolicies know.
func (s *stage) startAgentauth(ctx context.Context) (err error) {
	file := func(name string) string { return filepath.Join(s.dir, name) }
	s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.dir, Binary: s.binary, Args: []string{
		"--kubeconfig", s.account, "--grpc-address", s.door,
		"--tls-cert", file("door.crt"), "--tls-key", file("door.key"), "--client-ca", file("ca.crt"), "--client-name", proxyName,
	}})
	return err
}

// partner is the way of an agent with a certificate.
func (s *stage) partner(t *testing.T, ca *parts.CA, uri string) way {
	t.Helper()
	pair, err := ca.Client(uri)
	must(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(t, err)
	return way{s.partners, plain(s.ca.HTTPClient(certificate))}
}

// plain is a client that follows nothing.
func plain(c *http.Client) *http.Client {
	c.Timeout = 10 * time.Second
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

func (s *stage) stop() error {
	var failed error
	if s.gateway != nil {
		failed = errors.Join(failed, s.gateway.Stop())
	}
	if s.agentauth != nil {
		failed = errors.Join(failed, s.agentauth.Stop())
	}
	if s.cluster != nil {
		failed = errors.Join(failed, s.cluster.Stop())
	}
	if s.upstream != nil {
		failed = errors.Join(failed, s.upstream.Stop())
	}
	return failed
}

func (s *stage) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := s.cluster.Kubectl(t.Context(), stdin, args...)
	must(t, err)
	return out
}

// request is what a client sends: a method, a host and a path, and lines of header fields.
type request struct {
	method, target string
	headers        []string
	way            *way // default: plaintext
}

func (r request) over(w way) request {
	r.way = &w
	return r
}

func get(target string, headers ...string) request {
	return request{method: http.MethodGet, target: target, headers: headers}
}

// answer is a status, and what the upstream saw if the request came so far.
type answer struct {
	status int
	body   string
	echo   parts.Echo
}

func (s *stage) try(ctx context.Context, r request) (answer, error) {
	w := s.http
	if r.way != nil {
		w = *r.way
	}
	host, path, _ := strings.Cut(r.target, "/")
	req, err := http.NewRequestWithContext(ctx, r.method, w.base+"/"+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	for _, line := range r.headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, body: string(body)}
	if err == nil && a.status == http.StatusOK {
		err = json.Unmarshal(body, &a.echo)
	}
	return a, err
}

// becomes waits until a request is answered by a status.
func (s *stage) becomes(t *testing.T, status int, r request) answer {
	t.Helper()
	var a answer
	within(t, 20*time.Second, func() (err error) {
		if a, err = s.try(t.Context(), r); err == nil && a.status != status {
			err = fmt.Errorf("%s: expected %d, got %d: %s", r.target, status, a.status, a.body)
		}
		return err
	})
	return a
}

// within polls until check has no error.
func within(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		case <-tick.C:
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
