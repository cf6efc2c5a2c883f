//go:build e2e && !quick

package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const soakHost = "api.soak.test"

// soaking is two replicas of a cluster's policies behind one Envoy, with a provider, and what was done to them.
type soaking struct {
	t        *testing.T
	kube     *kube
	ns       string
	idp      parts.OIDCConfig
	provider *parts.OIDC
	door     *doorFiles
	proxy    *tls.Config // how this process is taken for the proxy
	replicas []*replica
	pprof    []string
	envoy    *parts.Envoy
	load     *soakLoad
	hold     time.Duration // for how long something is lost

	began       time.Time
	said, table []string
	memories    [2][]memory
	sampled     time.Time
	sampleEvery time.Duration
	late        int         // changes that were in force later than promised
	asks        int         // of replicas, beside the load
	writes      sync.Mutex  // held by whoever needs the API server, or takes it away
	key         int         // number of the provider's latest key
	gone        time.Time   // when the key of the former token was withdrawn; zero once it is known to be forgotten
	back        time.Time   // when the provider came back
	before      *soakCaller // with a token of the key before that
}

// startSoak starts everything. All that a soak changes goes through the API server, the provider or the door's files.
func startSoak(t *testing.T, lasts time.Duration) *soaking {
	t.Helper()
	cases.Now = time.Now()
	dir := parts.TestDir(t)
	s := &soaking{t: t, kube: useKube(t), hold: min(max(lasts/100, 2*time.Second), 30*time.Second), began: time.Now()}
	s.ns = s.kube.namespace(t, "soak")
	t.Cleanup(func() { s.remove("/api/v1/namespaces/agentauth-system/configmaps/soak") })
	port, err := parts.FreePort()
	must(t, err)
	s.idp = parts.OIDCConfig{Dir: dir, Port: port, JWKS: parts.Keys{Keys: []jose.JSONWebKey{newKey(t, "k0")}}}
	s.provider = startProvider(t, s.idp)
	s.door = makeDoorFiles(t, subdir(t, dir, "door-files"))
	shown := s.showAsProxy()
	s.load = newSoakLoad()
	s.writePolicies()
	for i := range 2 {
		s.pprof = append(s.pprof, freeAddress(t))
		of := subdir(t, dir, fmt.Sprint("replica-of-soak-", i))
		started, _ := startReplicas(t, of, 1, append([]string{
			"--kubeconfig", s.kube.account, "--egress-allow-http", "--egress-allow-cidr", "127.0.0.0/8", "--drain-delay", "3s",
			"--audit-file", filepath.Join(of, "audit.log"), "--pprof-address", s.pprof[i],
		}, s.door.args...)...)
		s.replicas = append(s.replicas, started...)
	}
	s.envoy = startRollingEnvoy(t, subdir(t, dir, "envoy"), rollingConfig{
		Upstream: startUpstream(t).Address, Replicas: []string{s.replicas[0].address, s.replicas[1].address}, TLS: shown,
	})
	s.healthy()
	return s
}

// showAsProxy makes the proxy's certificate, which outlives the soak.
func (s *soaking) showAsProxy() *parts.DoorTLS {
	s.t.Helper()
	pair, err := s.door.ca.Issue(parts.Leaf{URIs: []string{proxyName}, Lifetime: 24 * time.Hour})
	must(s.t, err)
	shown := &parts.DoorTLS{CAFile: filepath.Join(s.door.dir, "door-ca.crt"), ServerName: "agentauth.test"}
	shown.CertFile, shown.KeyFile, err = pair.Write(s.door.dir, "proxy")
	must(s.t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(s.t, err)
	s.proxy = &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: s.door.ca.Pool(), ServerName: shown.ServerName, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	return shown
}

func (s *soaking) healthy() {
	s.t.Helper()
	parts.Within(s.t, 20*time.Second, func() error { return bothHealthy(s.t, s.envoy, 2) })
}

// note says what happened, and when.
func (s *soaking) note(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf("%7s  ", time.Since(s.began).Round(100*time.Millisecond))+fmt.Sprintf(format, args...))
}

// write makes or changes an object of the cluster.
func (s *soaking) write(path, manifest string) {
	s.t.Helper()
	status, answer, err := s.kube.Do(s.t.Context(), http.MethodPatch, path+"?fieldManager=soak&force=true", "application/apply-patch+yaml", []byte(manifest))
	if err != nil || status != http.StatusOK && status != http.StatusCreated {
		s.t.Errorf("%s: expected 200 or 201, got %d %s, %v", path, status, answer, err)
	}
}

// remove deletes an object of the cluster, which may be gone.
func (s *soaking) remove(path string) {
	s.t.Helper()
	status, answer, err := s.kube.Do(outliving{s.t, &suite}.Context(), http.MethodDelete, path, "application/json", nil)
	if err != nil || status != http.StatusOK && status != http.StatusNotFound {
		s.t.Errorf("%s: expected 200 or 404, got %d %s, %v", path, status, answer, err)
	}
}

// inForce waits until both replicas answer each caller by its latest state, and holds them to what is promised.
func (s *soaking) inForce(what string, promised time.Duration, callers ...*soakCaller) {
	s.t.Helper()
	began, slowest := time.Now(), time.Duration(0)
	for _, c := range callers {
		n, want := c.want.latest()
		within(s.t, promised+30*time.Second, what+": "+c.name, func() error {
			for i := range s.replicas {
				if got, err := s.answer(i, c); err != nil || got != want {
					return fmt.Errorf("replica %d: expected %d, got %d, %v", i, want, got, err)
				}
			}
			return nil
		})
		c.want.confirm(n)
		slowest = time.Since(began)
	}
	text := ""
	if slowest > promised {
		s.late++
		text = "  LATE"
	}
	s.note("%s: in force on both after %s, promised within %s%s", what, slowest.Round(time.Millisecond), promised, text)
}

// answer is what one replica answers a caller, without Envoy.
func (s *soaking) answer(replica int, c *soakCaller) (int, error) {
	raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: soakHost, Path: c.path + "/asked"}
	if c.header != "" {
		raw.Headers = []authz.Header{{Name: c.header, Value: c.value}}
	}
	d, err := extauthz.AskTLS(s.t.Context(), s.replicas[replica].address, s.proxy, raw)
	if err != nil {
		return 0, err
	}
	s.asks++
	if d.Outcome == authz.Allow {
		return http.StatusOK, nil
	}
	return d.Status, nil
}
