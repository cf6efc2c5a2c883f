package audit_test

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// maxAllocations is what a record may cost the decision that it is about.
const maxAllocations = 30

func TestARecordCostsADecisionFewAllocationsAndNoStreamNone(t *testing.T) {
	raw, d := request(), allowed()
	s := begin(t, &sink{}, nil)
	defer end(t, s)
	if n := testing.AllocsPerRun(200, func() { s.Decision(t.Context(), &raw, d, at, time.Millisecond) }); n > maxAllocations {
		t.Errorf("expected at most %d allocations for a record, got %v", maxAllocations, n)
	}
	var none *audit.Stream
	if n := testing.AllocsPerRun(200, func() { none.Decision(t.Context(), &raw, d, at, time.Millisecond) }); n > 0 {
		t.Errorf("expected none where nothing is recorded, got %v", n)
	}
	left := begin(t, &sink{}, func(c *audit.Config) { c.Allows = 0 })
	defer end(t, left)
	if n := testing.AllocsPerRun(200, func() { left.Decision(t.Context(), &raw, d, at, time.Millisecond) }); n > 0 {
		t.Errorf("expected none for an allowance that is left out, got %v", n)
	}
}
