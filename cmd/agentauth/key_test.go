package main

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// header writes header.txt, which sends the key of a file.
func header(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs("header.txt"), []byte("x-api-key: "+ts.ReadFile(args[0])), 0o600))
}

func TestADurationMayHaveWeeksAndDays(t *testing.T) {
	const day = 24 * time.Hour
	for given, want := range map[string]time.Duration{"90d": 90 * day, "12h": 12 * time.Hour, "1d12h": 36 * time.Hour, "2w": 14 * day, "1w1d": 8 * day, "0s": 0, "30m": 30 * time.Minute} {
		if got, err := parseSpan(given); err != nil || got != want {
			t.Errorf("%s: got %s, %v", given, got, err)
		}
	}
	for _, given := range []string{"", "d", "-1h", "+1h", "1d-1h", "-1d", "90", "1y", "999999d", "36500d36500d", "soon", "9999999h", "1.5d"} {
		if got, err := parseSpan(given); err == nil {
			t.Errorf("%q: got %s", given, got)
		}
	}
}
