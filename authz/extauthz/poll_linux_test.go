package extauthz

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// polled is a connection that waits, if that is so, until the test ends, and its other end.
func polled(t *testing.T, waits bool) (*polledConn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	c := new(polls).of(near).(*polledConn)
	c.pace.since, c.pace.waits = time.Now().Add(time.Hour), waits // not judged before
	return c, far.(*net.TCPConn)
}

// bothWays runs a test with a connection that waits and one that does not.
func bothWays(t *testing.T, test func(t *testing.T, waits bool)) {
	t.Run("waits", func(t *testing.T) { test(t, true) })
	t.Run("parks", func(t *testing.T) { test(t, false) })
}

func TestThePaceOfAConnection(t *testing.T) {
	if before := runtime.GOMAXPROCS(0); before < 2 {
		runtime.GOMAXPROCS(2)
		defer runtime.GOMAXPROCS(before)
	}
	const often, seldom = 11, 9 // of the 10 reads of 5 ms
	type span struct {
		took  time.Duration
		reads int
		cpu   time.Duration // that the process used meanwhile
		waits bool
	}
	idle, busy := time.Millisecond, 4*time.Millisecond
	for name, spans := range map[string][]span{
		"often, in a process that does little": {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, true}, {judgeEvery, often, idle, true}},
		"often, in a process that does much":   {{judgeEvery, often, busy, false}, {judgeEvery, often, busy, false}, {judgeEvery, often, busy, false}, {judgeEvery, often, busy, false}},
		"the process begins to do much":        {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, true}, {judgeEvery, often, busy, false}},
		"the process has done it":              {{judgeEvery, often, busy, false}, {judgeEvery, often, busy, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, true}},
		"the process does much each other time": {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, busy, false},
			{judgeEvery, often, idle, false}, {judgeEvery, often, busy, false}, {judgeEvery, often, idle, false}},
		"several processors are used":        {{judgeEvery, often, idle, false}, {judgeEvery, often, 8 * busy, false}, {judgeEvery, often, 8 * busy, false}},
		"three quarters of a processor":      {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {4 * judgeEvery, 50, 3 * judgeEvery, false}},
		"less than three quarters":           {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {4 * judgeEvery, 50, 3*judgeEvery - 1, true}},
		"seldom":                             {{judgeEvery, seldom, idle, false}, {judgeEvery, seldom, idle, false}, {judgeEvery, seldom, idle, false}},
		"as often as is too seldom":          {{judgeEvery, 10, idle, false}, {judgeEvery, 10, idle, false}, {judgeEvery, 10, idle, false}},
		"it becomes seldom":                  {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, true}, {judgeEvery, seldom, idle, false}},
		"it becomes often":                   {{judgeEvery, seldom, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, true}},
		"one read after a second":            {{judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, true}, {time.Second, 1, 0, false}, {judgeEvery, often, idle, false}},
		"the kernel does not tell CPU times": {{judgeEvery, often, -24 * time.Hour, false}, {judgeEvery, often, idle, false}, {judgeEvery, often, idle, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var p pace
			now, used := time.Now(), time.Hour
			p.polls(now, func() time.Duration { return used })
			for i, s := range spans {
				before := p.waits
				for range s.reads - 1 { // soon after the span began, too early to judge
					if got := p.polls(now.Add(time.Microsecond), nil); got != before {
						t.Errorf("span %d: expected that it is not judged yet", i)
					}
				}
				now, used = now.Add(s.took), used+s.cpu
				if got := p.polls(now, func() time.Duration { return max(used, 0) }); got != s.waits {
					t.Errorf("span %d: expected %v, got %v", i, s.waits, got)
				}
			}
		})
	}
}

func TestAConnectionDoesNotWaitWithTheOnlyProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	now, used := time.Now(), time.Hour
	p := pace{since: now}
	for _, n := range []int{2, 1, 2} { // it may change while a process runs
		runtime.GOMAXPROCS(n)
		var waits bool
		for range 4 {
			for range 20 {
				p.polls(now, nil)
			}
			now, used = now.Add(judgeEvery), used+1
			waits = p.polls(now, func() time.Duration { return used })
		}
		if waits != (n > 1) {
			t.Errorf("with %d processors: expected %v, got %v", n, n > 1, waits)
		}
	}
}

func TestTheCPUTimeOfThisProcess(t *testing.T) {
	before := processCPU()
	for began := time.Now(); processCPU() < before+time.Millisecond; { // a loop uses it
		if time.Since(began) > patience {
			t.Fatalf("expected a millisecond more than %s, got %s", before, processCPU())
		}
	}
	if before <= 0 {
		t.Errorf("expected the time that was used before, got %s", before)
	}
}

func TestTheDoorsConnectionsArePolled(t *testing.T) {
	c, far := polled(t, false)
	h := newHandshake(nil, func(listen.Refusal) {}, func(*tls.ConnectionState) client { return client{} })
	for _, h := range []interface {
		ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error)
	}{h, h.Clone()} {
		conn, _, err := h.ServerHandshake(c.Conn)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := conn.(*preface).Conn.(*countedConn).Conn.(*polledConn); !ok {
			t.Errorf("expected that it may wait")
		}
	}
	if _, ok := new(polls).of(struct{ net.Conn }{far}).(*polledConn); ok {
		t.Error("expected a connection that is not TCP as it is")
	}
}

func TestAPolledConnectionReadsWhatIsSent(t *testing.T) {
	bothWays(t, func(t *testing.T, waits bool) {
		c, far := polled(t, waits)
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		go func() {
			for rest := sent; len(rest) > 0; { // in pieces, at once and later
				n := min(len(rest), 10_000+len(rest)%7)
				_, _ = far.Write(rest[:n])
				if rest = rest[n:]; len(rest)%5 == 0 {
					time.Sleep(pollAtMost / 2)
				}
			}
			_ = far.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("expected the %d bytes that were sent, got %d and %v", len(sent), len(got), err)
		}
		if n, err := c.Read(nil); n != 0 || err != nil {
			t.Errorf("expected that nothing is read into nothing, got %d and %v", n, err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("expected the end again, got %d and %v", n, err)
		}
		if _, err := c.Write([]byte("answer")); err != nil {
			t.Error(err)
		}
		answer := make([]byte, 6)
		if _, err := io.ReadFull(far, answer); err != nil || string(answer) != "answer" {
			t.Errorf("got %q and %v", answer, err)
		}
	})
}

// Errors are those of a connection of package net: the door tells by them why a client was refused.
func TestAPolledConnectionFailsAsAnyConnectionDoes(t *testing.T) {
	one := make([]byte, 1)
	fails := func(t *testing.T, c net.Conn, want error) {
		t.Helper()
		n, err := c.Read(one)
		var op *net.OpError
		if n != 0 || !errors.Is(err, want) || !errors.As(err, &op) || op.Op != "read" || op.Net != "tcp" || op.Addr == nil || op.Source == nil {
			t.Errorf("expected an error of package net with %v, got %d and %#v", want, n, err)
		}
	}
	bothWays(t, func(t *testing.T, waits bool) {
		t.Run("closed", func(t *testing.T) {
			for _, after := range []time.Duration{0, pollAtMost / 2, 20 * pollAtMost} { // before, in poll(2), and parked
				c, _ := polled(t, waits)
				time.AfterFunc(after, func() { _ = c.Close() })
				fails(t, c, net.ErrClosed)
				fails(t, c, net.ErrClosed)
			}
		})
		t.Run("its time is over", func(t *testing.T) {
			c, far := polled(t, waits)
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			fails(t, c, os.ErrDeadlineExceeded)
			_, _ = far.Write(one)
			fails(t, c, os.ErrDeadlineExceeded)
			_ = c.SetReadDeadline(time.Time{})
			if n, err := c.Read(one); n != 1 || err != nil {
				t.Errorf("expected a byte without a deadline, got %d and %v", n, err)
			}
		})
		t.Run("reset", func(t *testing.T) {
			c, far := polled(t, waits)
			_ = far.SetLinger(0)
			_ = far.Close()
			fails(t, c, syscall.ECONNRESET)
			if n, err := c.Read(one); n != 0 || err == nil {
				t.Errorf("expected no more of a connection that was reset, got %d and %v", n, err)
			}
		})
	})
}

func TestAConnectionWaitsForWhatComesSoon(t *testing.T) {
	c, far := polled(t, true)
	one := make([]byte, 1)
	// What is sent while it waits may come late on a busy machine, but not each time.
	for began := time.Now(); time.Since(began) < patience; {
		var soon bool
		if err := c.raw.Control(func(fd uintptr) {
			go func() { _, _ = far.Write([]byte{1}) }() // once the processor is given to it
			soon = comesSoon(fd)
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Conn.Read(one); err != nil {
			t.Fatal(err)
		}
		if soon {
			return
		}
	}
	t.Error("expected that it waits for what is sent meanwhile, but it never did")
}

func TestAConnectionDoesNotWaitForLong(t *testing.T) {
	c, _ := polled(t, true)
	began := time.Now()
	if n, err := c.readSoon(make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("expected nothing, got %d and %v", n, err)
	}
	if took := time.Since(began); took < pollAtMost {
		t.Errorf("expected that it waits for %s, got %s", pollAtMost, took)
	}
}

func TestOneConnectionWaitsAtATime(t *testing.T) {
	c, far := polled(t, true)
	one := make([]byte, 1)
	c.polls.Lock() // as another connection does that waits
	_, _ = far.Write(one)
	if n, err := c.Read(one); n != 1 || err != nil {
		t.Errorf("expected that it is read meanwhile, got %d and %v", n, err)
	}
	c.polls.Unlock()
	_ = c.SetReadDeadline(time.Now().Add(3 * pollAtMost))
	if _, err := c.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if !c.polls.TryLock() {
		t.Error("expected that another may wait, after it did")
	}
}

func TestAPolledReadAllocatesNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, waits bool) {
		c, far := polled(t, waits)
		one := make([]byte, 1)
		if n := testing.AllocsPerRun(200, func() {
			_, _ = far.Write(one)
			if _, err := c.Read(one); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("expected no allocation, got %.1f", n)
		}
	})
}
