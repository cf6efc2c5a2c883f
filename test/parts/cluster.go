package parts

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Cluster is an API server with its etcd: a Kubernetes without controllers and nodes, so a deleted
// namespace stays for ever and no pod runs.
type Cluster struct {
	Dir        string
	Kubeconfig string // of an administrator
	URL        string
	APIServer  *Process

	etcd    *Process
	kubectl string
	args    []string // of the API server
	client  *http.Client
}

const adminToken = "the-administrator-of-a-test" // #nosec G101 -- of a cluster that lives for a test

// StartCluster runs etcd and kube-apiserver (RBAC) on free loopback ports, and returns when they are ready.
func StartCluster(ctx context.Context, dir string) (*Cluster, error) {
	c := &Cluster{Dir: dir}
	var paths [3]string
	for i, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		path, err := installed(".parts", "bin", name)
		if err != nil {
			return nil, err
		}
		paths[i] = path
	}
	c.kubectl = paths[2]
	var ports [3]int
	for i := range ports {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports[i] = port
	}
	client, peer := "http://"+loopback(ports[0]), "http://"+loopback(ports[1])
	c.URL = "https://" + loopback(ports[2])
	key, public, err := accountKey(dir)
	if err != nil {
		return nil, err
	}
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(adminToken+",admin,admin,system:masters\n"), 0o600); err != nil {
		return nil, err
	}
	certs := filepath.Join(dir, "apiserver")
	c.args = []string{
		paths[1],
		"--etcd-servers", client, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(ports[2]), "--cert-dir", certs,
		"--service-account-key-file", public, "--service-account-signing-key-file", key,
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.96.0.0/16",
		"--authorization-mode", "RBAC", "--token-auth-file", tokens,
		"--disable-admission-plugins", "ServiceAccount", "--endpoint-reconciler-type", "none",
	}
	c.etcd, err = start("etcd", dir, paths[0],
		"--name", "e", "--data-dir", filepath.Join(dir, "etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "e="+peer,
		"--unsafe-no-fsync", "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	if err := c.StartAPIServer(ctx); err != nil {
		c.etcd.Kill()
		return nil, err
	}
	c.Kubeconfig, err = c.WriteKubeconfig("admin", "default", adminToken)
	if err != nil {
		_ = c.Stop()
	}
	return c, err
}

// StartAPIServer starts it, again where it was ended before: same port, same contents.
func (c *Cluster) StartAPIServer(ctx context.Context) (err error) {
	if c.APIServer, err = start("kube-apiserver", c.Dir, c.args[0], c.args[1:]...); err != nil {
		return err
	}
	return c.APIServer.ready(ctx, func(ctx context.Context) error {
		if c.client == nil {
			ca, err := os.ReadFile(c.ca())
			if err != nil {
				return err
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(ca)
			c.client = &http.Client{Timeout: readyWithin, Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
		}
		_, err := get(ctx, c.client, c.URL+"/readyz")
		return err
	})
}

// Stop ends both; that one had ended by itself is an error.
func (c *Cluster) Stop() error {
	var failed error
	select {
	case <-c.APIServer.Exited():
	default:
		// It drains for a minute where watches are open, and nobody is left who would want that.
		c.APIServer.Kill()
	}
	if err := c.etcd.Stop(); err != nil {
		failed = err
	}
	return failed
}

func (c *Cluster) ca() string { return filepath.Join(c.Dir, "apiserver", "apiserver.crt") }

// WriteKubeconfig writes a kubeconfig for a bearer token and returns its path.
func (c *Cluster) WriteKubeconfig(name, namespace, token string) (string, error) {
	path := filepath.Join(c.Dir, name+".kubeconfig")
	return path, os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: u, user: {token: %q}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: %q}}]
current-context: x
`, c.URL, c.ca(), token, namespace), 0o600)
}

// Kubectl runs kubectl as an administrator and returns what it prints; its complaints are in the error.
func (c *Cluster) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	return c.KubectlAs(ctx, c.Kubeconfig, stdin, args...)
}

// KubectlAs runs kubectl with a kubeconfig.
func (c *Cluster) KubectlAs(ctx context.Context, kubeconfig, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), "HOME="+c.Dir) // its caches
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %q: %w\n%s", args, err, complaints.String())
	}
	return out.String(), nil
}

// install makes the kinds of files, or of directories of them, known, and a namespace.
func (c *Cluster) install(ctx context.Context, namespace string, files ...string) error {
	apply := []string{"apply", "--server-side"}
	for _, file := range files {
		apply = append(apply, "-f", file)
	}
	for _, args := range [][]string{
		apply,
		{"wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"},
		{"create", "namespace", namespace},
	} {
		if _, err := c.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	return nil
}

// InstallAgentauth makes the CRD, the namespace agentauth-system and the rights of config/rbac known, and returns a
// kubeconfig of agentauth's ServiceAccount there.
func (c *Cluster) InstallAgentauth(ctx context.Context) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	if err := c.install(ctx, "agentauth-system", filepath.Join(root, "config", "crd", "agentauth.dev_agentauthpolicies.yaml")); err != nil {
		return "", err
	}
	if _, err := c.Kubectl(ctx, "", "apply", "-f", filepath.Join(root, "config", "rbac", "rbac.yaml")); err != nil {
		return "", err
	}
	return c.AccountKubeconfig(ctx, "agentauth-system", "agentauth")
}

// AccountKubeconfig makes a kubeconfig with a token of a ServiceAccount, which outlives any test.
func (c *Cluster) AccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	token, err := c.Kubectl(ctx, "", "create", "token", name, "-n", namespace, "--duration", "24h")
	if err != nil {
		return "", err
	}
	return c.WriteKubeconfig(namespace+"."+name, namespace, strings.TrimSpace(token))
}

// Do sends one request to the API server as the administrator, and returns status and body.
func (c *Cluster) Do(ctx context.Context, method, path, contentType string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", contentType)
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// accountKey makes the key that tokens of ServiceAccounts are signed with.
func accountKey(dir string) (private, public string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", err
	}
	private, public = filepath.Join(dir, "account.key"), filepath.Join(dir, "account.pub")
	for path, block := range map[string]*pem.Block{
		private: {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		public:  {Type: "PUBLIC KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return "", "", err
		}
	}
	return private, public, nil
}
