//go:build e2e && !quick

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func gauge(t tester, a *parts.Agentauth, name string) float64 {
	t.Helper()
	text, err := a.Get(t.Context(), "/metrics")
	must(t, err)
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s", name)
	}
	var value float64
	_, err = fmt.Sscan(string(m[1]), &value)
	must(t, err)
	return value
}

func TestChecksGoOnWithoutTheAPIServer(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "outage")
	key := credential("cluster-api-key-in-an-outage")
	k.apply(t, keysOn(ns, "kept", "kept.outage.test", key))
	a, strict := k.agentauth(t, "patient"), k.agentauth(t, "strict", "--max-config-age", "1s")
	answers(t, soon, a, "kept.outage.test", key, 0)
	answers(t, soon, strict, "kept.outage.test", key, 0)
	if age := gauge(t, a, "agentauth_config_age_seconds"); age != 0 {
		t.Errorf("expected age 0 while the API server is watched, got %v", age)
	}

	k.wait(t, ns, "kept", "Ready")
	k.APIServer.Kill()
	within(t, 10*time.Second, "a growing age", func() error {
		if age := gauge(t, a, "agentauth_config_age_seconds"); age < 1.5 {
			return fmt.Errorf("got %v", age)
		}
		return nil
	})
	within(t, 30*time.Second, "the end of the lease", func() error { // and of nothing else
		var told int
		for _, one := range []*parts.Agentauth{a, strict} {
			log, err := os.ReadFile(one.Log)
			must(t, err)
			told += strings.Count(string(log), "writes no status any more")
		}
		if told != 1 {
			return fmt.Errorf("expected one replica to lose it, got %d", told)
		}
		return nil
	})
	answers(t, soon, a, "kept.outage.test", key, 0)
	answers(t, soon, a, "kept.outage.test", othersKey, 401)
	if _, err := a.Get(t.Context(), "/readyz"); err != nil {
		t.Errorf("expected ready, got %v", err)
	}
	answers(t, soon, strict, "kept.outage.test", key, 503)
	if _, err := strict.Get(t.Context(), "/readyz"); err == nil || !strings.Contains(err.Error(), "--max-config-age") {
		t.Errorf("expected not ready and why, got %v", err)
	}

	must(t, k.StartAPIServer(t.Context()))
	within(t, time.Minute, "age 0", func() error {
		if age := gauge(t, a, "agentauth_config_age_seconds"); age != 0 {
			return fmt.Errorf("got %v", age)
		}
		return nil
	})
	answers(t, time.Minute, strict, "kept.outage.test", key, 0)
	k.apply(t, publicOn(ns, "new", "new.outage.test", ""))
	answers(t, soon, a, "new.outage.test", "", 0)
	k.wait(t, ns, "new", "Ready")
}

func TestWithoutAnAPIServerAReplicaIsNotReady(t *testing.T) {
	k := useKube(t)
	nowhere := filepath.Join(parts.TestDir(t), "nowhere.kubeconfig")
	port, err := parts.FreePort()
	must(t, err)
	content, err := os.ReadFile(k.account)
	must(t, err)
	write(t, nowhere, strings.Replace(string(content), k.URL, "https://127.0.0.1:"+itoa(port), 1))
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: subdir(t, filepath.Dir(nowhere), "one"), Binary: binary, Args: []string{"--kubeconfig", nowhere}})
	must(t, err)
	t.Cleanup(func() { must(t, a.Stop()) })
	within(t, 10*time.Second, "a refusal", func() error {
		d, err := ask(t, a, "any.test", "")
		if err != nil || d.Status != 503 {
			return fmt.Errorf("expected 503, got %d, %v", d.Status, err)
		}
		if _, err := a.Get(t.Context(), "/readyz"); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("expected not ready, got %v", err)
		}
		return nil
	})
}

func TestACRDThatComesLaterIsWaitedFor(t *testing.T) {
	dir := parts.TestDir(t)
	c, err := parts.StartCluster(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: subdir(t, dir, "one"), Binary: binary, Args: []string{"--kubeconfig", c.Kubeconfig}})
	must(t, err)
	t.Cleanup(func() { must(t, a.Stop()) })
	k := &kube{Cluster: c}
	within(t, 10*time.Second, "a try", func() error {
		log, err := os.ReadFile(a.Log)
		if err == nil && !strings.Contains(string(log), "agentauthpolicies") {
			err = fmt.Errorf("got %s", log)
		}
		return err
	})
	if _, err := a.Get(t.Context(), "/readyz"); err == nil {
		t.Error("expected not ready")
	}
	k.follow(t, documented(t, "sh")[0])
	k.kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev")
	k.apply(t, publicOn("default", "late", "late.test", ""))
	answers(t, time.Minute, a, "late.test", "", 0)
	within(t, soon, "readiness", func() error {
		_, err := a.Get(t.Context(), "/readyz")
		return err
	})
}
