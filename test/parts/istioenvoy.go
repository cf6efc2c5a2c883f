package parts

import (
	"bytes"
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed istioenvoy.yaml.tmpl
var istioEnvoyYAML string

var istioEnvoyTemplate = template.Must(template.New("istioenvoy.yaml").Funcs(envoyFuncs).Parse(istioEnvoyYAML))

// IstioEnvoy is a running Envoy without an agent that istiod configures.
type IstioEnvoy struct{ *Process }

// StartEnvoy runs an Envoy that asks istiod itself, as a router, and returns when it has its listeners. It gives
// istiod the token of its ServiceAccount, which lets it have the Secrets that a credentialName names, but no
// certificate of the mesh: a cluster that wants one would never be ready, and the Envoy neither. It listens on every
// address. Mode and OutputCerts of the config are not for it.
func (i *Istiod) StartEnvoy(ctx context.Context, config IstioAgentConfig) (*IstioEnvoy, error) {
	binary, err := envoyBinary()
	if err != nil {
		return nil, err
	}
	dir, err := i.mount(ctx, config)
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(dir, "var/run/secrets/tokens/istio-token"))
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer
	if err := istioEnvoyTemplate.Execute(&rendered, struct {
		IstioAgentConfig
		Name, Token, Root, Istiod, Port string
	}{config, filepath.Base(dir) + "-0", string(token), filepath.Join(dir, "var/run/secrets/istio/root-cert.pem"), IstiodHost, istiodPort}); err != nil {
		return nil, err
	}
	file, adminFile := filepath.Join(dir, "envoy.yaml"), filepath.Join(dir, "envoy.admin")
	if err := os.WriteFile(file, rendered.Bytes(), 0o600); err != nil {
		return nil, err
	}
	e := &IstioEnvoy{}
	if e.Process, err = start("envoy", dir, binary, "-c", file, "--disable-hot-restart", "--concurrency", "1",
		"--admin-address-path", adminFile, "--drain-time-s", "1", "--log-level", "warning"); err != nil {
		return nil, err
	}
	return e, e.ready(ctx, func(ctx context.Context) error {
		admin, err := os.ReadFile(adminFile)
		if err != nil {
			return err
		}
		_, err = get(ctx, probeClient, "http://"+string(admin)+"/ready")
		return err
	})
}
