package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// reloadInterval is how often the certificate files are read again: twice within the second in which new ones are promised to
// be used, since the first reading may come between a new key and its certificate.
const reloadInterval = 400 * time.Millisecond

// Certificates holds the last state of the files TLSCert, TLSKey and ClientCA
// that could be used. New handshakes use it; connections there are stay as they
// are.
type Certificates struct {
	door    Config
	files   [3][]byte
	current atomic.Pointer[tls.Config]
}

// LoadCertificates fails if the files cannot be used now.
func LoadCertificates(door Config) (*Certificates, error) {
	c := &Certificates{door: door}
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Certificate returns the current certificate; it is a tls.Config.GetCertificate.
func (c *Certificates) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &c.current.Load().Certificates[0], nil
}

// config always answers with the current state.
func (c *Certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.current.Load(), nil
		},
	}
}

// Watch reads the files each reloadInterval until ctx ends. OnError learns of a
// problem once, not each time.
func (c *Certificates) Watch(ctx context.Context) {
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
			c.report(fmt.Errorf("changed certificate files are not used, the last good ones are: %s", text))
		}
		last = text
	}
}

// report calls OnError. A panic there must not end the process.
func (c *Certificates) report(err error) {
	defer func() { _ = recover() }()
	if c.door.OnError != nil {
		c.door.OnError(err)
	}
}

// reload compares contents rather than times, which a rename, a ..data link or
// two writes within a tick of the clock can leave as they were.
func (c *Certificates) reload() error {
	var files [3][]byte
	for i, f := range [][2]string{{"tls-cert", c.door.TLSCert}, {"tls-key", c.door.TLSKey}, {"client-ca", c.door.ClientCA}} {
		if f[1] == "" {
			continue
		}
		content, err := os.ReadFile(f[1])
		if err != nil {
			return fmt.Errorf("--%s%s: %w", c.door.Flags, f[0], err)
		}
		files[i] = content
	}
	if c.current.Load() != nil && bytes.Equal(files[0], c.files[0]) &&
		bytes.Equal(files[1], c.files[1]) && bytes.Equal(files[2], c.files[2]) {
		return nil
	}
	config, err := c.door.tlsConfig(files[0], files[1], files[2])
	if err != nil {
		return err
	}
	c.files = files
	c.current.Store(config)
	if c.door.OnLoad != nil {
		c.door.OnLoad(config.Certificates[0].Leaf.NotAfter, firstEnd(files[2]))
	}
	return nil
}
