//go:build e2e && linux

package istio

import (
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestTheSidecarOfAWorkloadAsksAndThePolicySeesWhoCallsInTheMesh(t *testing.T) {
	s := theStage
	r := parts.Get("mesh.example.test/a", key, spoof, "x-caller: spiffe://cluster.local/ns/shop/sa/batch")
	a := s.http.Becomes(t, http.StatusOK, r)
	if got := a.Echo.Headers.Get("x-caller"); got != "spiffe://cluster.local/ns/gateways/sa/ingress" {
		t.Errorf("expected the policy to see the ingress, got %q", got)
	}
	s.http.Serves(t, "robot", r)
	s.refused(t, s.http, http.StatusUnauthorized, parts.Get("mesh.example.test/a", spoof))
	s.refused(t, s.http, http.StatusForbidden, parts.Get("mesh.example.test/batch", key, "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/shop/sa/batch"))
}

func TestAMethodTakesTheWorkloadThatTheSidecarVerified(t *testing.T) {
	s := theStage
	r := parts.Get("mesh.example.test/workloads", spoof)
	s.http.Becomes(t, http.StatusOK, r)
	s.http.Serves(t, "spiffe://cluster.local/ns/gateways/sa/ingress", r)
	ours, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, "cert-chain.pem"), filepath.Join(s.Dir, "key.pem"))
	parts.Must(t, err)
	as(net.JoinHostPort("10.10.0.3", s.words["@SIDECAR@"]), ours).Serves(t, "spiffe://cluster.local/ns/agentauth-system/sa/agentauth", r)
}

// The ingress, not the caller, says to the sidecar what the caller used.
func TestAPasswordIsTakenAtTheSidecarIfItCameToTheIngressOverTLS(t *testing.T) {
	s := theStage
	s.https.Becomes(t, http.StatusOK, parts.Get("mesh.example.test/a", alice))
	s.https.Serves(t, "alice", parts.Get("mesh.example.test/a", alice, spoof))
	s.refused(t, s.http, http.StatusForbidden, parts.Get("mesh.example.test/a", alice, "x-forwarded-proto: https"))
}

func TestNobodyReachesTheWorkloadPastTheMesh(t *testing.T) {
	s := theStage
	r := parts.Get("mesh.example.test/a", key)
	s.http.Becomes(t, http.StatusOK, r)
	sidecar := net.JoinHostPort("10.10.0.3", s.words["@SIDECAR@"])
	ours, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, "cert-chain.pem"), filepath.Join(s.Dir, "key.pem"))
	parts.Must(t, err)
	pair, err := s.door.CA.Client("spiffe://cluster.local/ns/gateways/sa/ingress")
	parts.Must(t, err)
	forged, err := tls.X509KeyPair(pair.Cert, pair.Key)
	parts.Must(t, err)

	// A workload of the mesh comes as far as the policy, which wants another one.
	s.refused(t, as(sidecar, ours), http.StatusForbidden, r)
	before := s.upstream.Count()
	door := net.JoinHostPort("10.10.0.5", s.words["@SIDECARDOOR@"])
	for name, w := range map[string]parts.Way{
		"plaintext": parts.NewWay("http://"+sidecar, nil), "no certificate": as(sidecar), "a certificate of others": as(sidecar, forged),
		"plaintext to the door": parts.NewWay("http://"+door, nil), "a certificate of others to the door": as(door, forged),
	} {
		if a, err := w.Ask(t.Context(), r); err == nil {
			t.Errorf("%s: expected no connection, got %d", name, a.Status)
		}
	}
	if s.upstream.Count() != before {
		t.Error("a request reached the upstream")
	}
}

// as is the way to a sidecar with a certificate. Whom it reaches it does not check: sidecars have no DNS names.
func as(address string, certificates ...tls.Certificate) parts.Way {
	return parts.NewWay("https://"+address, &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: certificates, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, // #nosec G402
	}})
}

func TestASidecarThatDoesNotKnowAgentauthLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.http, "mesh.example.test")
	s.kubectl(t, "", "patch", "sidecar", "orders", "-n", "shop", "--type=merge", "-p", `{"spec": {"egress": [{"hosts": ["./*"]}]}}`)
	s.http.Becomes(t, http.StatusServiceUnavailable, good)
	s.apply(t, "Sidecar", "name: orders, namespace: shop")
	s.http.Becomes(t, http.StatusOK, good)
}

// The ingress has another account than those that the two doors of the mesh know.
func TestAProxyThatTheDoorDoesNotKnowLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.http, "orders.example.test")
	s.provide(t, "agentauth-mesh")
	s.http.Becomes(t, http.StatusServiceUnavailable, good)
	s.protect(t)
	s.http.Becomes(t, http.StatusOK, good)

	s.provide(t, "agentauth-sidecar")
	s.http.Becomes(t, http.StatusServiceUnavailable, good)
	s.kubectl(t, "", "patch", "authorizationpolicy", "agentauth", "-n", "agentauth-system", "--type=merge", "-p",
		`{"spec": {"rules": [{"from": [{"source": {"principals": ["cluster.local/ns/gateways/sa/ingress"]}}]}]}}`)
	s.http.Becomes(t, http.StatusOK, good)
	s.apply(t, "AuthorizationPolicy", "name: agentauth, namespace: agentauth-system")
	s.http.Becomes(t, http.StatusServiceUnavailable, good)
	s.protect(t)
	s.http.Becomes(t, http.StatusOK, good)
}
