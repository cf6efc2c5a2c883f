package audit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// keeper takes batches. What keeps says of one is which of its lines are kept, and
// whether it says that it has all of them.
type keeper struct {
	mu    sync.Mutex
	keeps func(n int) (lines func(i int) bool, err error)
	n     int
	kept  []string
	sizes []int
}

func (k *keeper) take(_ context.Context, lines [][]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	k.sizes = append(k.sizes, len(lines))
	which, err := func(int) bool { return true }, error(nil)
	if k.keeps != nil {
		which, err = k.keeps(k.n)
	}
	for i, line := range lines {
		if which(i) {
			k.kept = append(k.kept, string(line))
		}
	}
	return err
}

func (k *keeper) say(keeps func(int) (func(int) bool, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keeps = keeps
}

func (k *keeper) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.kept, "\n") + "\n"
}

func batching(t *testing.T, k *keeper, change func(*audit.Config)) *audit.Stream {
	return begin(t, nil, func(c *audit.Config) {
		c.Sinks = []audit.Sink{{Name: "otlp", Batches: k.take}}
		if change != nil {
			change(c)
		}
	})
}

func (k *keeper) batches() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n
}

func all(int) bool  { return true }
func none(int) bool { return false }

func decideTimes(t *testing.T, s *audit.Stream, n int) {
	t.Helper()
	raw := request()
	for range n {
		s.Decision(t.Context(), &raw, allowed(), at, 0)
	}
}

func settled(t *testing.T, s *audit.Stream, records uint64) {
	t.Helper()
	waitFor(t, func() bool { st := s.Stats()[0]; return st.Written+st.Dropped >= records })
}

func TestABatchThatFailsHasNoPlaceAndTheNextSaysWhatIsMissing(t *testing.T) {
	k := &keeper{}
	s := batching(t, k, nil)
	settled(t, s, 1)
	k.say(func(int) (func(int) bool, error) { return none, errors.New("away") })
	decideTimes(t, s, 3)
	waitFor(t, func() bool { return s.Stats()[0].Dropped == 3 })
	k.say(nil)
	decideTimes(t, s, 2)
	end(t, s)
	got := records(t, k.text())
	var what []string
	for _, r := range got {
		what = append(what, string(r.Event.Action))
	}
	if strings.Join(what, ",") != "start,dropped,decision,decision,stop" || got[1].Agentauth.Missing != 3 {
		t.Errorf("got %v, %+v", what, got[1])
	}
	var v audit.Verifier
	if err := v.File(strings.NewReader(k.text())); err != nil || v.Missing != 3 || v.Seq != 5 || s.Stats()[0].Seq != 5 {
		t.Errorf("got %v, %+v", err, v)
	}
}

func TestInABatchTheStreamSaysWhereRecordsAreMissing(t *testing.T) {
	k := &keeper{}
	begun, hold := make(chan struct{}, 20), make(chan struct{})
	s := begin(t, nil, func(c *audit.Config) {
		c.MaxWaiting = 10
		c.Sinks = []audit.Sink{{Name: "otlp", Batches: func(ctx context.Context, lines [][]byte) error {
			begun <- struct{}{}
			<-hold
			return k.take(ctx, lines)
		}}}
	})
	<-begun               // the start is being sent
	decideTimes(t, s, 12) // 9 have space beside it
	close(hold)
	settled(t, s, 13)
	waitFor(t, func() bool { return strings.Contains(k.text(), "dropped") })
	end(t, s)
	var missing uint64
	for _, r := range records(t, k.text()) {
		missing += r.Agentauth.Missing
	}
	if st := s.Stats()[0]; missing != st.Dropped || missing == 0 {
		t.Errorf("expected what was dropped to be said, got %d, %+v", missing, st)
	}
}

func TestTheEndOfAStreamIsNotHeldUpByTheWordThatRecordsAreMissing(t *testing.T) {
	var writing sync.Mutex // as the exporter has it: it ends behind the batch that is sent
	n := 0
	s := batching(t, nil, func(c *audit.Config) {
		c.Sinks[0].Batches = func(ctx context.Context, _ [][]byte) error {
			writing.Lock()
			defer writing.Unlock()
			if n++; n <= 3 { // the start, what is missing, and the stop
				return errors.New("refused")
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Second):
			}
			return errors.New("no answer")
		}
		c.Sinks[0].Close = func() error {
			writing.Lock()
			defer writing.Unlock()
			return nil
		}
	})
	waitFor(t, func() bool {
		writing.Lock()
		defer writing.Unlock()
		return n == 2
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("expected the end of a stream at the end of its ctx, got %s", took)
	}
}

func TestRecordsWaitForOthersOnlyWhereNobodyWaitsForThem(t *testing.T) {
	k := &keeper{}
	s := batching(t, k, nil)
	decideTimes(t, s, 50)
	end(t, s)
	if n := k.batches(); n > 3 {
		t.Errorf("expected records to be sent together, got %d batches %v", n, k.sizes)
	}
	k = &keeper{}
	s = batching(t, k, func(c *audit.Config) { c.Required = true })
	began := time.Now()
	const n = 100
	decideTimes(t, s, n)
	if took := time.Since(began); took > n*200*time.Millisecond/2 {
		t.Errorf("expected no decision to wait for others, %d took %s", n, took)
	}
	end(t, s)
}

// exported is what a collector has: batches that failed, of which it kept a part, among
// others.
func exported(t *testing.T) (lines []string, streams []*audit.Stream) {
	t.Helper()
	for range 2 {
		k := &keeper{}
		s := batching(t, k, nil)
		decideTimes(t, s, 3)
		settled(t, s, 4)
		for _, keeps := range []func(int) bool{all, none, func(i int) bool { return i%2 == 1 }} {
			before := s.Stats()[0].Dropped
			k.say(func(int) (func(int) bool, error) { return keeps, errors.New("no answer") })
			decideTimes(t, s, 4)
			waitFor(t, func() bool { return s.Stats()[0].Dropped == before+4 })
		}
		k.say(nil)
		decideTimes(t, s, 3)
		end(t, s)
		lines = append(lines, k.kept...)
		streams = append(streams, s)
	}
	return lines, streams
}

func unordered(lines []string) (u audit.Unordered, err error) {
	if err = u.File("lines", strings.NewReader(strings.Join(lines, "\n"))); err == nil {
		err = u.End()
	}
	return u, err
}

func TestWhatACollectorKeepsIsVerifiedInAnyOrder(t *testing.T) {
	lines, streams := exported(t)
	for range 20 {
		given := append(slices.Clone(lines), lines[3], lines[8])
		rand.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
		u, err := unordered(given)
		if err != nil {
			t.Fatal(err)
		}
		if len(u.Chains) != 2 || u.Twice != 2 || u.Beside == 0 {
			t.Fatalf("got %+v", u)
		}
		for _, c := range u.Chains {
			if c.Missing != 12 || !c.Stopped || c.Process == nil || c.Process.Host != "pod-1" {
				t.Errorf("got %+v", c)
			}
		}
		for _, s := range streams {
			st := s.Stats()[0]
			if !u.Has(st.Seq, st.Hash) || u.Has(st.Seq+1, st.Hash) {
				t.Errorf("expected the last line of %+v to be in a chain", st)
			}
		}
	}
}

func TestWhatIsChangedRemovedOrAddedAtACollectorIsFound(t *testing.T) {
	lines, streams := exported(t)
	whole, err := unordered(lines)
	if err != nil {
		t.Fatal(err)
	}
	found := func(lines []string) bool {
		u, err := unordered(lines)
		if err != nil || len(u.Chains) != len(whole.Chains) || u.Beside != whole.Beside {
			return true
		}
		for _, s := range streams {
			if st := s.Stats()[0]; !u.Has(st.Seq, st.Hash) {
				return true
			}
		}
		return false
	}
	beside := 0
	for i := range lines {
		if !found(slices.Delete(slices.Clone(lines), i, i+1)) {
			t.Errorf("without line %d: expected it to be found", i)
		}
		changed := slices.Clone(lines)
		changed[i] = strings.Replace(changed[i], `"@timestamp":"20`, `"@timestamp":"19`, 1)
		if !found(changed) {
			beside++
		}
	}
	if beside > whole.Beside {
		t.Errorf("expected each change of a line in a chain to be found, and %d were not; beside are %d", beside, whole.Beside)
	}
	other, more := &keeper{}, []string{}
	s := batching(t, other, nil)
	decideTimes(t, s, 2)
	end(t, s)
	more = append(more, lines...)
	if !found(append(more, other.kept[1])) || !found([]string{}) {
		t.Error("expected a line of another chain to be found")
	}
}

func TestOfWhatOneChainMissesNoLineOfAnotherIsTakenThatNoBatchHad(t *testing.T) {
	one, other := &keeper{}, &keeper{}
	s := batching(t, one, nil)
	decideTimes(t, s, 3)
	settled(t, s, 4)
	one.say(func(int) (func(int) bool, error) { return none, errors.New("no answer") })
	decideTimes(t, s, 5000)
	waitFor(t, func() bool { return s.Stats()[0].Dropped == 5000 })
	one.say(nil)
	decideTimes(t, s, 1)
	end(t, s)
	s = batching(t, other, nil)
	decideTimes(t, s, 2000)
	end(t, s)
	given := append(one.kept, other.kept...)
	if u, err := unordered(given); err != nil || u.Chains[0].Missing+u.Chains[1].Missing != 5000 {
		t.Fatalf("got %v, %+v", err, u.Chains)
	}
	first := len(one.kept) + 100
	if u, err := unordered(slices.Delete(given, first, first+20)); err == nil || !strings.Contains(err.Error(), "a line was changed, removed or added") {
		t.Errorf("expected it to be found that lines of a chain are gone, got %v, and %d lines beside the chains", err, u.Beside)
	}
}

func TestOfLinesWithoutTheirFirstOneNothingIsSaidToBeWhole(t *testing.T) {
	lines, _ := exported(t)
	u, err := unordered(lines[1:])
	if err == nil || !strings.Contains(err.Error(), "expected the line before line 2") {
		t.Errorf("got %v, %+v", err, u)
	}
	if _, err := unordered([]string{"no record"}); err == nil {
		t.Error("expected a line that is no record to be refused")
	}
}

func TestAStartThatWasNotAcknowledgedAndCameIsAChainOfItsOwn(t *testing.T) {
	for name, keeps := range map[string]func(int) bool{"all of it": all, "nothing": none} {
		k := &keeper{keeps: func(n int) (func(int) bool, error) {
			if n > 1 {
				return all, nil
			}
			return keeps, errors.New("no answer")
		}}
		s := batching(t, k, nil)
		decideTimes(t, s, 3)
		end(t, s)
		u, err := unordered(k.kept)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if st := s.Stats()[0]; !u.Has(st.Seq, st.Hash) || len(u.Chains) > 2 {
			t.Errorf("%s: got %+v", name, u)
		}
	}
}
