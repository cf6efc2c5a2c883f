package extauthz

import (
	"time"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// Config is what a door needs.
type Config struct {
	// Listen is the address and who may ask there. Its Protocols, Clock and
	// OnError are the door's. A connection lasts at most [MaxConnectionAge]
	// after the authority of its client was removed.
	Listen listen.Config
	// Decider decides; required.
	Decider Decider
	// Clock is the time of a request and of certificates; default time.Now.
	Clock func() time.Time
	// OnPanic learns of a panic in a check, which was answered 503. The value
	// is whatever the code panicked with: log it with care.
	OnPanic func(value any, stack []byte)
	// OnError learns of what the operator should see: changed certificate
	// files that cannot be used, checks that cannot be read, decisions that
	// cannot be written. Its text holds nothing of a request.
	OnError func(error)
}

// complete puts in the defaults. A callback that panics must not end the
// process any more than a check does.
func (c *Config) complete() error {
	if c.Decider == nil {
		return &listen.UsageError{Problem: "a door needs a Decider"}
	}
	onPanic, onError := c.OnPanic, c.OnError
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.OnPanic = func(v any, stack []byte) {
		if onPanic != nil {
			defer recoverAll()
			onPanic(v, stack)
		}
	}
	c.OnError = func(err error) {
		if onError != nil {
			defer recoverAll()
			onError(err)
		}
	}
	c.Listen.Protocols, c.Listen.Clock, c.Listen.OnError = []string{"h2"}, c.Clock, c.OnError
	return nil
}

func recoverAll() { _ = recover() }
