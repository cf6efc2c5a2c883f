//go:build !linux

package main

import (
	"errors"
	"time"
)

// load needs epoll, which only Linux has.
type load struct {
	done int
	took []time.Duration
}

func newLoad(int, int, []byte) (*load, error) {
	return nil, errors.New("expected Linux: the client waits for its connections by epoll")
}

func (*load) close() {}

func (*load) begin() {}

func (*load) start() error { return nil }

func (*load) run(time.Duration) error { return nil }
