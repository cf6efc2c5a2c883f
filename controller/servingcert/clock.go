package servingcert

import (
	"net/http"
	"sync/atomic"
	"time"
)

// ServerClock is the clock of the API servers, by the Date of their answers:
// theirs is the one that certificates are verified by. Before the first answer
// it is the machine's.
type ServerClock struct{ last atomic.Pointer[tick] }

// tick is a Date, and when it came.
type tick struct{ date, came time.Time }

// Wrap is next, whose answers set the clock.
func (c *ServerClock) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil {
			if date, unreadable := http.ParseTime(response.Header.Get("Date")); unreadable == nil {
				c.last.Store(&tick{date: date, came: time.Now()})
			}
		}
		return response, err
	})
}

// Now goes on from the last Date by the monotonic clock, which never jumps.
func (c *ServerClock) Now() time.Time {
	if last := c.last.Load(); last != nil {
		return last.date.Add(time.Since(last.came))
	}
	return time.Now()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
