package parts

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// EnvoyConfig is how Envoy asks agentauth. The zero value of a field is what Envoy does by itself,
// but for the timeout.
type EnvoyConfig struct {
	Dir      string // run directory: configuration, envoy.log, access.log
	Upstream string // host:port of the API behind it, HTTP/1.1
	Door     Door   // the ext_authz server that is asked

	// Ports on 127.0.0.1; 0 takes a free one. HTTPSPort is served only if TLS is given.
	HTTPPort, HTTPSPort, AdminPort int
	TLS                            *Listener

	EncodeRawHeaders       bool // header_map instead of headers
	RequestBody            *RequestBody
	IncludePeerCertificate bool
	ForwardCertificate     string            // forward_client_cert_details, with the certificate of the client; "": SANITIZE
	MetadataNamespaces     []string          // metadata_context_namespaces
	ContextExtensions      map[string]string // of every route that does not say otherwise
	Routes                 []Route           // tried in order; what none matches goes to the upstream too
	FailureModeAllow       bool
	StatusOnError          int           // 0: 403
	Timeout                time.Duration // of one check; 0: 2 s, for Envoy's own 200 ms are too short for bcrypt
	KeepHostPort           bool          // do not strip the port from the host
	Upgrade                string        // what a connection may be upgraded to, such as "websocket"

	// FiltersBefore is YAML, a list of HTTP filters that run before ext_authz.
	FiltersBefore string
}

// Door is where the ext_authz server listens.
type Door struct {
	Address string // host:port, the host an IP address
	TLS     *DoorTLS
}

// DoorTLS is how Envoy trusts the door and proves itself to it. Without CertFile it has no certificate.
type DoorTLS struct {
	CAFile, ServerName string
	CertFile, KeyFile  string
}

// Listener is the TLS of Envoy's https listener.
type Listener struct {
	CertFile, KeyFile string
	ClientCAFile      string // verifies client certificates if they are sent
	RequireClient     bool   // and refuses a connection without one
	AcceptUntrusted   bool   // and takes certificates that do not verify
}

// RequestBody is ext_authz's with_request_body.
type RequestBody struct {
	MaxBytes     int
	AllowPartial bool
	AsBytes      bool
}

// Route is a path prefix whose checks differ from the others'.
type Route struct {
	Prefix            string
	ContextExtensions map[string]string
	Unchecked         bool // ext_authz is not asked at all

	// Gateway is kind, namespace, name and sectionName of the Gateway API route that this one was made of,
	// as Envoy Gateway tells it with includeRouteMetadata.
	Gateway map[string]string
}

// Envoy is a running Envoy.
type Envoy struct {
	*Process
	HTTPPort, HTTPSPort, AdminPort int // HTTPSPort is 0 without TLS
	AccessLog                      string
}

//go:embed envoy.yaml.tmpl
var envoyYAML string

var envoyTemplate = template.Must(template.New("envoy.yaml").Funcs(envoyFuncs).Parse(envoyYAML))

var envoyFuncs = template.FuncMap{
	"json": func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err },
	"host": func(address string) (string, error) { return part(address, 0) },
	"port": func(address string) (string, error) { return part(address, 1) },
	"indent": func(n int, text string) string {
		pad := strings.Repeat(" ", n)
		return pad + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+pad)
	},
}

// StartEnvoy runs Envoy and returns when its listeners answer.
func StartEnvoy(ctx context.Context, config EnvoyConfig) (*Envoy, error) {
	if config.Timeout == 0 {
		config.Timeout = 2 * time.Second
	}
	accessLog := filepath.Join(config.Dir, "access.log")
	var rendered bytes.Buffer
	if err := envoyTemplate.Execute(&rendered, struct {
		EnvoyConfig
		AccessLog, Seconds string
	}{config, accessLog, fmt.Sprintf("%.3fs", config.Timeout.Seconds())}); err != nil {
		return nil, err
	}
	envoy, err := RunEnvoy(ctx, config.Dir, rendered.Bytes())
	if envoy != nil {
		envoy.AccessLog = accessLog
	}
	return envoy, err
}

// RunEnvoy runs Envoy with a whole configuration, which has an admin address and a listener named http, and returns when
// its listeners answer. Its access log is none that is known here.
func RunEnvoy(ctx context.Context, dir string, configuration []byte) (*Envoy, error) {
	binary, err := envoyBinary()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, configuration, 0o600); err != nil {
		return nil, err
	}
	adminFile := filepath.Join(dir, "envoy.admin")
	_ = os.Remove(adminFile) // a former run's
	envoy := new(Envoy)
	envoy.Process, err = start("envoy", dir, binary, "-c", file, "--disable-hot-restart", "--concurrency", "1",
		"--admin-address-path", adminFile, "--file-flush-interval-msec", "50", "--drain-time-s", "1", "--log-level", "warning")
	if err != nil {
		return nil, err
	}
	err = envoy.ready(ctx, func(ctx context.Context) error { return envoy.findPorts(ctx, adminFile) })
	return envoy, err
}

// findPorts asks Envoy which ports it took.
func (e *Envoy) findPorts(ctx context.Context, adminFile string) error {
	address, err := os.ReadFile(adminFile)
	if err != nil {
		return err
	}
	admin := "http://" + string(address)
	if _, err := get(ctx, probeClient, admin+"/ready"); err != nil {
		return err
	}
	body, err := get(ctx, probeClient, admin+"/listeners?format=json")
	if err != nil {
		return err
	}
	var listeners struct {
		Statuses []struct {
			Name  string `json:"name"`
			Local struct {
				Socket struct {
					Port int `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &listeners); err != nil {
		return err
	}
	for _, l := range listeners.Statuses {
		switch l.Name {
		case "http":
			e.HTTPPort = l.Local.Socket.Port
		case "https":
			e.HTTPSPort = l.Local.Socket.Port
		}
	}
	if e.HTTPPort == 0 {
		return fmt.Errorf("no listener named http yet: %s", body)
	}
	text, err := part(string(address), 1)
	if err != nil {
		return err
	}
	e.AdminPort, err = strconv.Atoi(text)
	return err
}

// Get fetches a path of Envoy's admin interface, such as "/stats".
func (e *Envoy) Get(ctx context.Context, path string) ([]byte, error) {
	return get(ctx, probeClient, "http://"+loopback(e.AdminPort)+path)
}

// HTTP is the base URL of the plaintext listener.
func (e *Envoy) HTTP() string { return "http://localhost:" + strconv.Itoa(e.HTTPPort) }

// HTTPS is the base URL of the TLS listener.
func (e *Envoy) HTTPS() string { return "https://localhost:" + strconv.Itoa(e.HTTPSPort) }

// envoyBinary is inside the Python package, under a directory named after Python's version.
func envoyBinary() (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	pattern := filepath.Join(dir, "venv", "lib", "python3*", "site-packages", "envoy", "_bin", "envoy")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s is not there: run `make parts`", pattern)
	}
	return found[0], nil
}
