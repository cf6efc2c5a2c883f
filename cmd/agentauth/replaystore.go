package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/certs"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/store/redis"
)

// replayFlags say where replicas share the proofs of possession that were used.
type replayFlags struct{ url, passwordFile, ca string }

func (f *replayFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "replay-store", "", "Redis or Valkey where replicas share the proofs (DPoP) that were used: redis://[USER@]HOST[:PORT][/DATABASE], or rediss:// for TLS; without it each replica has its own, in memory")
	cmd.Flags().StringVar(&f.passwordFile, "replay-store-password-file", "", "file with the password for --replay-store, read for each new connection")
	cmd.Flags().StringVar(&f.ca, "replay-store-ca", "", "certificates in PEM that verify --replay-store; default the system's")
}

// open makes the store. close ends its connections.
func (f *replayFlags) open() (replay store.Replay, end func(), err error) {
	if f.url == "" {
		if f.passwordFile != "" || f.ca != "" {
			return nil, nil, usage("--replay-store-password-file and --replay-store-ca are for --replay-store, which is not given")
		}
		return store.NewMemory(replayMemory(), nil), func() {}, nil
	}
	config := redis.Config{URL: f.url}
	if f.passwordFile != "" {
		if _, err := f.password(); err != nil {
			return nil, nil, usage("--replay-store-password-file: %v", err)
		}
		config.Password = f.password
	}
	if f.ca != "" {
		data, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, nil, usage("--replay-store-ca: %v", err)
		}
		if config.Roots, err = certs.Pool(data); err != nil {
			return nil, nil, usage("--replay-store-ca %s: %v", f.ca, err)
		}
	}
	s, err := redis.New(config)
	if err != nil {
		return nil, nil, usage("--replay-store: %v", err)
	}
	return s, func() { _ = s.Close() }, nil
}

// password reads the file. A line break at its end is no part of the password.
func (f *replayFlags) password() (string, error) {
	data, err := os.ReadFile(f.passwordFile)
	if err != nil {
		return "", fmt.Errorf("the file cannot be read: %w", err)
	}
	data = bytes.TrimRight(data, "\r\n")
	if len(data) == 0 {
		return "", errors.New("the file is empty, expected a password")
	}
	return string(data), nil
}
