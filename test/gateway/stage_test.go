//go:build e2e && linux

package gateway

import (
	"context"
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
	base      string // URL of the Gateway
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

// open starts agentauth and applies what is in testdata.
func (s *stage) open(ctx context.Context) error {
	var ports [2]int
	for i := range ports {
		port, err := parts.FreePort()
		if err != nil {
			return err
		}
		ports[i] = port
	}
	s.door = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	s.base = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1]))
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	_, upstream, err := net.SplitHostPort(s.upstream.Address)
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
	for _, text := range []string{string(policies), strings.NewReplacer(
		"@DOOR@", strconv.Itoa(ports[0]), "@GATEWAY@", strconv.Itoa(ports[1]), "@UPSTREAM@", upstream).Replace(string(manifests))} {
		if _, err := s.cluster.Kubectl(ctx, text, "apply", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

// startAgentauth starts one at the door that the SecurityPolicies know.
func (s *stage) startAgentauth(ctx context.Context) (err error) {
	s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{
		Dir: s.dir, Binary: s.binary, Args: []string{"--kubeconfig", s.account, "--grpc-address", s.door},
	})
	return err
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
}

func get(target string, headers ...string) request { return request{http.MethodGet, target, headers} }

// answer is a status, and what the upstream saw if the request came so far.
type answer struct {
	status int
	body   string
	echo   parts.Echo
}

var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (s *stage) try(ctx context.Context, r request) (answer, error) {
	host, path, _ := strings.Cut(r.target, "/")
	req, err := http.NewRequestWithContext(ctx, r.method, s.base+"/"+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	for _, line := range r.headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
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
