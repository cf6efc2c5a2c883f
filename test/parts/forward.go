package parts

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
)

// ForwardProxy is a running proxy that asks agentauth over HTTP.
type ForwardProxy struct {
	*Process
	Address string // host:port
}

// StartNginx runs nginx with a whole configuration that listens at address, and returns when it answers.
func StartNginx(ctx context.Context, dir, address, configuration string) (*ForwardProxy, error) {
	binary, err := installed(".parts", "nginx", "nginx")
	if err != nil {
		return nil, err
	}
	// Whatever it writes stays in dir; the master process stays in front.
	own := "daemon off;\npid " + filepath.Join(dir, "nginx.pid") + ";\nerror_log stderr;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o750); err != nil {
			return nil, err
		}
		configuration = insertAfter(configuration, "http {", "\n    "+kind+"_temp_path "+filepath.Join(dir, kind)+";")
	}
	configuration = insertAfter(configuration, "http {", "\n    access_log off;")
	file, err := writeConfiguration(dir, "nginx.conf", own+configuration)
	if err != nil {
		return nil, err
	}
	return startForward(ctx, "nginx", dir, address, binary, "-e", "stderr", "-p", dir, "-c", file)
}

// StartCaddy runs Caddy with a whole Caddyfile.
func StartCaddy(ctx context.Context, dir, address, configuration string) (*ForwardProxy, error) {
	binary, err := installed(".parts", "bin", "caddy")
	if err != nil {
		return nil, err
	}
	file, err := writeConfiguration(dir, "Caddyfile", configuration)
	if err != nil {
		return nil, err
	}
	return startForward(ctx, "caddy", dir, address, binary, "run", "--config", file, "--adapter", "caddyfile")
}

// StartTraefik runs Traefik with a whole dynamic configuration, whose entry point is web.
func StartTraefik(ctx context.Context, dir, address, configuration string) (*ForwardProxy, error) {
	binary, err := installed(".parts", "traefik", "bin", "traefik")
	if err != nil {
		return nil, err
	}
	file, err := writeConfiguration(dir, "dynamic.yaml", configuration)
	if err != nil {
		return nil, err
	}
	return startForward(ctx, "traefik", dir, address, binary, "--providers.file.filename="+file, "--entryPoints.web.address="+address,
		"--entryPoints.web.http.aliasHeadersStrategy=delete", "--global.checkNewVersion=false", "--global.sendAnonymousUsage=false")
}

func writeConfiguration(dir, name, text string) (string, error) {
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(text), 0o600)
}

func insertAfter(text, mark, inserted string) string {
	for i := 0; i+len(mark) <= len(text); i++ {
		if text[i:i+len(mark)] == mark {
			return text[:i+len(mark)] + inserted + text[i+len(mark):]
		}
	}
	return text
}

func startForward(ctx context.Context, name, dir, address, binary string, args ...string) (*ForwardProxy, error) {
	process, err := start(name, dir, binary, args...)
	if err != nil {
		return nil, err
	}
	p := &ForwardProxy{process, address}
	return p, p.ready(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			return err
		}
		resp, err := probeClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusNotFound {
			return errors.New("it has no configuration yet")
		}
		return nil
	})
}
