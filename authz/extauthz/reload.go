package extauthz

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// reloadInterval is how often the certificate files are read again.
const reloadInterval = time.Second

// certificates holds the last state of the files that could be used. New
// handshakes use it; connections there are stay as they are.
type certificates struct {
	door    *Config
	files   [3][]byte
	current atomic.Pointer[tls.Config]
}

// loadCertificates fails if the files cannot be used now.
func loadCertificates(door *Config) (*certificates, error) {
	c := &certificates{door: door}
	return c, c.reload()
}

// config always answers with the current state.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.current.Load(), nil
		},
	}
}

func (c *certificates) watch(ctx context.Context) {
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	for last := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		text := ""
		if err := c.reload(); err != nil {
			text = err.Error()
		}
		if text != "" && text != last {
			c.door.OnError(fmt.Errorf("changed certificate files are not used, the last good ones are: %s", text))
		}
		last = text
	}
}

// reload compares contents rather than times, which a rename, a ..data link or
// two writes within a tick of the clock can leave as they were.
func (c *certificates) reload() error {
	var files [3][]byte
	for i, name := range []string{c.door.TLSCert, c.door.TLSKey, c.door.ClientCA} {
		if name == "" {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files[i] = content
	}
	if c.current.Load() != nil && bytes.Equal(files[0], c.files[0]) &&
		bytes.Equal(files[1], c.files[1]) && bytes.Equal(files[2], c.files[2]) {
		return nil
	}
	config, err := tlsConfig(files[0], files[1], files[2], c.door.ClientNames, c.door.Clock)
	if err != nil {
		return err
	}
	c.files = files
	c.current.Store(config)
	return nil
}
