package extauthz_test

import (
	"context"
	"fmt"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/listen"
)

// readers lets everybody read and nobody write. An engine.Engine is a Decider
// that decides by policies.
type readers struct{}

func (readers) Decide(_ context.Context, raw authz.Raw) authz.Decision {
	if raw.Method == "GET" {
		return authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed}
	}
	return authz.Decision{Outcome: authz.Deny, Reason: authz.RuleDenied, Status: 403}
}

// A door listens, answers with what a Decider decides, and is closed. On a
// loopback address it needs no client certificates.
func ExampleListen() {
	door, err := extauthz.Listen(extauthz.Config{Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: readers{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	go door.Serve()
	door.SetReady(true)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, method := range []string{"GET", "POST"} {
		d, err := extauthz.Ask(ctx, door.Addr().String(), authz.Raw{Method: method, Scheme: "http", Host: "api.example.com", Path: "/"})
		fmt.Println(method, d.Outcome, d.Status, err)
	}
	fmt.Println(door.Shutdown(ctx))
	// Output:
	// GET allow 0 <nil>
	// POST deny 403 <nil>
	// <nil>
}
