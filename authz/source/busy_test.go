package source

import (
	"log/slog"
	"testing"
	"time"
)

func TestALoadThatIsUnderWaySaysForHowLong(t *testing.T) {
	k := &Keeper{Log: slog.New(slog.DiscardHandler)}
	if k.Busy() != 0 {
		t.Error("expected a keeper that does nothing to be idle")
	}
	k.survives("it panicked", func() {
		time.Sleep(time.Millisecond)
		if k.Busy() < time.Millisecond {
			t.Errorf("got %v", k.Busy())
		}
	})
	k.survives("it panicked", func() { panic("a defect") })
	if k.Busy() != 0 {
		t.Errorf("expected it to be over, after a panic too, got %v", k.Busy())
	}
}
