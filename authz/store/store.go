// Package store remembers what may be accepted once only: proofs of possession.
// [Memory] is the store of one replica; package store/redis is one that replicas
// share.
package store

import (
	"context"
	"errors"
	"time"
)

// Replay remembers what was seen. What it forgets too early may be used again, so a
// store that has no place, or does not answer, is an error and never a no.
type Replay interface {
	// Seen says whether the key was seen before, and remembers it for so long. The
	// tenant is the namespace whose place it takes. Of many that ask about one key at
	// one time, one hears that it was not seen.
	Seen(ctx context.Context, tenant string, key [32]byte, keep time.Duration) (seen bool, err error)
}

// ErrFull says that the tenant has no place left, ErrBusy that too many of its checks
// wait for the store. Places come back by themselves as time passes.
var (
	ErrFull = errors.New("as many proofs are remembered for the namespace as may be: no place for another one")
	ErrBusy = errors.New("as many checks of the namespace wait for the replay store as may")
)
