package work

import (
	"context"
	"time"
)

// Waited learns that a check waited for what somebody else answers: what it waited
// for ("keys"), whom it asked (a URL or a name, without credentials), since when, and
// why there is no answer, if there is none. The context is that of the check. Waited
// should return soon. A nil Waited learns nothing.
type Waited func(ctx context.Context, what, whom string, since time.Time, err error)

// Tell calls w, if there is one.
func (w Waited) Tell(ctx context.Context, what, whom string, since time.Time, err error) {
	if w != nil {
		w(ctx, what, whom, since, err)
	}
}
