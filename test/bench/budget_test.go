package main

import (
	"runtime"
	"testing"
)

// budget is how many allocations a whole check of the main scenario may take, with a token that was verified before:
// grpc-go's, the decoder's, those of the decision and of the answer, and the client's one or two. Who lowers their
// number lowers it.
const budget = 68

func TestACheckStaysInItsBudgetOfAllocations(t *testing.T) {
	if raced {
		t.Skip("sync.Pool allocates more under the race detector")
	}
	const checks = 2000
	s := scenarios(scale{})[0]
	address := door(t, kernel(t, s.documents(), 20))
	m := encode(s.requests(1), headers, false)
	calls(t, address, m, s.want, checks/4)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	calls(t, address, m, s.want, checks)
	runtime.ReadMemStats(&after)
	if got := (after.Mallocs - before.Mallocs) / checks; got > budget {
		t.Errorf("expected at most %d allocations a check, got %d", budget, got)
	} else {
		t.Logf("%d allocations a check", got)
	}
}
