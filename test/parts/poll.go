package parts

import (
	"testing"
	"time"
)

// Within polls until check has no error, and ends the test with its last one.
func Within(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		case <-tick.C:
		}
	}
}

// Must ends a test that has an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
