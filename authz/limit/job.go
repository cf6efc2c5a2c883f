package limit

import (
	"context"
	"errors"
)

var errUnfinished = errors.New("limit: expected the function to return, but it ended its goroutine")

// job is one function on its way through a Limiter. err and panicked are read
// only after done is closed.
type job struct {
	ctx      context.Context
	fn       func()
	done     chan struct{}
	err      error
	panicked any
}

// run holds a slot. The slot is passed on before the caller hears of the end,
// so that a caller's next Do finds it free.
func (l *Limiter) run(j *job) {
	defer close(j.done)
	defer l.passOn()
	j.call()
}

// call runs fn unless its caller gave up meanwhile. No end of fn but a plain
// return (a panic, runtime.Goexit) counts as success.
func (j *job) call() {
	if j.err = j.ctx.Err(); j.err != nil {
		return
	}
	j.err = errUnfinished
	defer func() { j.panicked = recover() }()
	j.fn()
	j.err = nil
}
