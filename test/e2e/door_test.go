//go:build e2e

package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// anybody lets all requests in, so that only the door can be in the way.
const anybody = `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: anybody}
spec:
  routes: [{hostnames: [api.example.test]}]
  authentication: {methods: [{name: everybody, anonymous: {}}]}
`

const proxyName = "spiffe://example.test/envoy"

// doorFiles are what a door with TLS and its proxies need.
type doorFiles struct {
	dir  string
	ca   *parts.CA // of door and proxies alike
	args []string
}

func makeDoorFiles(t *testing.T, dir string) *doorFiles {
	t.Helper()
	ca, err := parts.NewCA("door")
	must(t, err)
	d := &doorFiles{dir: dir, ca: ca}
	file := func(name string) string { return filepath.Join(dir, name) }
	d.args = []string{"--tls-cert", file("door.crt"), "--tls-key", file("door.key"), "--client-ca", file("door-ca.crt"), "--client-name", proxyName}
	_, err = ca.Write(dir, "door-ca")
	must(t, err)
	d.renew(t, ca)
	return d
}

// renew writes a new certificate of the door.
func (d *doorFiles) renew(t *testing.T, ca *parts.CA) {
	t.Helper()
	pair, err := ca.Server("agentauth.test")
	must(t, err)
	_, _, err = pair.Write(d.dir, "door")
	must(t, err)
}

// proxy is how an Envoy with a certificate of that name trusts the door; without a name it has none.
func (d *doorFiles) proxy(t *testing.T, ca *parts.CA, file, uri string) *parts.DoorTLS {
	t.Helper()
	out := &parts.DoorTLS{CAFile: filepath.Join(d.dir, "door-ca.crt"), ServerName: "agentauth.test"}
	if uri == "" {
		return out
	}
	pair, err := ca.Client(uri)
	must(t, err)
	out.CertFile, out.KeyFile, err = pair.Write(d.dir, file)
	must(t, err)
	return out
}

func TestOnlyANamedProxyMayAskTheDoor(t *testing.T) {
	dir := parts.TestDir(t)
	door := makeDoorFiles(t, dir)
	stranger, err := parts.NewCA("stranger")
	must(t, err)
	policies := subdir(t, dir, "policies")
	write(t, filepath.Join(policies, "anybody.yaml"), anybody)
	agentauth := startAgentauth(t, dir, append([]string{"--policies", policies}, door.args...)...)
	upstream := startUpstream(t)
	ask := func(name string, tls *parts.DoorTLS) way {
		t.Helper()
		return way{name: name, envoy: startEnvoy(t, parts.EnvoyConfig{
			Dir: subdir(t, dir, name), Upstream: upstream.Address, StatusOnError: 503,
			Door: parts.Door{Address: agentauth.GRPCAddress, TLS: tls},
		})}
	}
	for name, tls := range map[string]*parts.DoorTLS{
		"without-a-certificate": door.proxy(t, door.ca, "", ""),
		"of-another-name":       door.proxy(t, door.ca, "other", "spiffe://example.test/other"),
		"of-a-longer-name":      door.proxy(t, door.ca, "longer", proxyName+"/x"),
		"of-another-authority":  door.proxy(t, stranger, "stranger", proxyName),
		"in-plaintext":          nil,
		"expects-another-name":  elsewhere(door.proxy(t, door.ca, "elsewhere", proxyName)),
	} {
		if got := ask(name, tls).send(t, get("/")); got.status != 503 {
			t.Errorf("%s: expected 503 of Envoy, got %d: %s", name, got.status, got.body)
		}
	}
	if upstream.Count() != 0 {
		t.Error("a request reached the upstream")
	}
	for cause, problem := range map[string]string{
		"no_certificate": "it showed no client certificate", "certificate_name": "its certificate has spiffe://example.test/", "plaintext": "plaintext on a TLS port",
		"unknown_authority": "is of no authority in --client-ca", "server_certificate": "it does not take this door's certificate",
	} {
		within(t, 10*time.Second, cause+" is told", func() error { return refusalIsLogged(t, agentauth, cause, problem) })
	}
	named := ask("named", door.proxy(t, door.ca, "proxy", proxyName))
	if got := named.send(t, get("/")); got.status != 200 {
		t.Errorf("expected the named proxy to be answered, got %d: %s", got.status, got.body)
	}

	t.Run("certificates are changed while it serves", func(t *testing.T) {
		next, err := parts.NewCA("next")
		must(t, err)
		// The authority first, then a certificate of it: no proxy that was in order is refused meanwhile.
		write(t, filepath.Join(dir, "both.crt"), string(door.ca.PEM)+string(next.PEM))
		must(t, os.Rename(filepath.Join(dir, "both.crt"), filepath.Join(dir, "door-ca.crt")))
		late := func(name string, tls *parts.DoorTLS, want int) {
			t.Helper()
			w := ask(name, tls)
			within(t, 10*time.Second, name, func() error { return w.answers(t, get("/"), want) })
		}
		late("of-the-next-authority", door.proxy(t, next, "next", proxyName), 200)
		door.renew(t, next)
		onlyNext, err := next.Write(dir, "only-next")
		must(t, err)
		late("to-a-door-of-the-next-authority", &parts.DoorTLS{
			CAFile: onlyNext, ServerName: "agentauth.test",
			CertFile: filepath.Join(dir, "next.crt"), KeyFile: filepath.Join(dir, "next.key"),
		}, 200)
		if got := named.send(t, get("/")); got.status != 200 {
			t.Errorf("a connection there was broke: %d", got.status)
		}
		// Without its authority, a new connection of the old one is refused.
		_, err = next.Write(dir, "door-ca")
		must(t, err)
		removed := door.proxy(t, door.ca, "removed", proxyName)
		within(t, 10*time.Second, "the authority is removed", func() error {
			if greeted(t, agentauth.GRPCAddress, removed, next) {
				return errors.New("its certificate is still accepted")
			}
			return nil
		})
		removed.CAFile = onlyNext
		if got := ask("of-an-authority-that-was-removed", removed).send(t, get("/")); got.status != 503 {
			t.Errorf("of an authority that was removed: expected 503 of Envoy, got %d", got.status)
		}
		// A broken file changes nothing.
		write(t, filepath.Join(dir, "door.crt"), "half a certifi")
		again := door.proxy(t, next, "again", proxyName)
		again.CAFile = onlyNext
		within(t, 10*time.Second, "the broken file is told", func() error {
			records, err := agentauth.Records()
			must(t, err)
			for _, r := range records {
				if text, _ := r["error"].(string); strings.Contains(text, "changed certificate files are not used") {
					return nil
				}
			}
			return errors.New("not in the log")
		})
		late("after-half-a-file", again, 200)
	})
}

// elsewhere expects another name of the door.
func elsewhere(d *parts.DoorTLS) *parts.DoorTLS {
	d.ServerName = "elsewhere.test"
	return d
}

func refusalIsLogged(t *testing.T, a *parts.Agentauth, cause, problem string) error {
	t.Helper()
	records, err := a.Records()
	must(t, err)
	var seen []any
	for _, r := range records {
		if text, _ := r["problem"].(string); r["cause"] == cause && strings.Contains(text, problem) && r["peer"] == "127.0.0.1" && r["level"] == "WARN" {
			return nil
		}
		if r["cause"] != nil {
			seen = append(seen, r)
		}
	}
	return fmt.Errorf("the log has %v", seen)
}

// greeted says whether the door speaks to whoever shows this certificate.
func greeted(t *testing.T, address string, proxy *parts.DoorTLS, door *parts.CA) bool {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(proxy.CertFile, proxy.KeyFile)
	must(t, err)
	conn, err := tls.Dial("tcp", address, &tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: door.Pool(), ServerName: "agentauth.test", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return false
	}
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = conn.Read(make([]byte, 1)) // in TLS 1.3 a refusal comes after the client's handshake
	return err == nil
}
