// Package redis is a store of proofs in Redis or Valkey, for replicas that share it.
package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/agentauth-dev/agentauth/authz/store"
)

// Bounds of one question. The check has a deadline of its own too.
const (
	dialTimeout = 200 * time.Millisecond
	timeout     = 100 * time.Millisecond
	connections = 32
)

// prefix is that of each key, so that a database can have others beside.
const prefix = "agentauth:replay:"

// Config says where the store is. Nothing of a token or a proof is kept there but a
// SHA-256.
type Config struct {
	// URL is redis://[USER@]HOST[:PORT][/DATABASE], or rediss:// for TLS.
	URL string
	// Password is asked for each new connection; nil is none.
	Password func() (string, error)
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
}

// Store is a [store.Replay].
type Store struct {
	client  *redis.Client
	waiting waiting
}

var _ store.Replay = (*Store)(nil)

// New makes a store. It connects when it is asked first. An error never repeats a
// password.
func New(c Config) (*Store, error) {
	options, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	if options.TLSConfig != nil {
		options.TLSConfig.MinVersion, options.TLSConfig.RootCAs = tls.VersionTLS12, c.Roots
	} else if c.Roots != nil {
		return nil, errors.New("certificates are for rediss://, and the URL has redis://")
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = dialTimeout, timeout, timeout, timeout
	options.PoolSize, options.DisableIdentity, options.ContextTimeoutEnabled = connections, true, true
	options.DialerRetries = 1
	// A question that is asked again would find what the first one left.
	options.MaxRetries = -1
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if c.Password != nil {
		user := options.Username
		options.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := c.Password()
			return user, password, err
		}
	}
	redis.SetLogger(silent{}) // whoever asked is told
	return &Store{client: redis.NewClient(options)}, nil
}

// parse reads the URL. Options of the library are no part of it.
func parse(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("expected redis://HOST:PORT/DATABASE, or rediss:// for TLS, and it is no URL")
	}
	_, password := u.User.Password()
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss", u.Hostname() == "", u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("expected redis://HOST:PORT/DATABASE, or rediss:// for TLS, without query or fragment")
	case password:
		return nil, errors.New("there is a password in the URL, which everybody sees who sees the command: put it into a file")
	}
	options, err := redis.ParseURL(text)
	if err != nil {
		return nil, errors.New("expected redis://HOST:PORT/DATABASE, where DATABASE is a number")
	}
	return options, nil
}

// silent drops what the library logs.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Seen implements [store.Replay]. The tenants share what Redis has; what waits for it
// at one time is bounded for each.
func (s *Store) Seen(ctx context.Context, tenant string, key [32]byte, keep time.Duration) (bool, error) {
	if !s.waiting.enter(tenant) {
		return false, store.ErrBusy
	}
	defer s.waiting.leave(tenant)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+timeout)
	defer cancel()
	fresh, err := s.client.SetNX(ctx, prefix+base64.RawURLEncoding.EncodeToString(key[:]), "1", max(keep, time.Second)).Result()
	if err != nil {
		return false, fmt.Errorf("the replay store: %w", err)
	}
	return !fresh, nil
}

// Close ends the connections.
func (s *Store) Close() error { return s.client.Close() }
