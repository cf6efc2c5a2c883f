package extauthz

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// polled is a connection that waits, if that is so, until the test ends, and its other end.
func polled(t *testing.T, waits bool) (*polledConn, *net.TCPConn) {
	return polledBy(t, newPoller(), waits)
}

func polledBy(t *testing.T, p *poller, waits bool) (*polledConn, *net.TCPConn) {
	t.Helper()
	near, far := pair(t)
	conn, trust := p.of(near)
	trust()
	c := conn.(*polledConn)
	c.pace.since, c.pace.waits = time.Now().Add(time.Hour), waits // not judged before
	return c, far
}

// pair is both ends of a connection.
func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialed.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	return accepted.(*net.TCPConn), dialed.(*net.TCPConn)
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
	const idle, busy = span / 5, span * 4 / 5 // CPU time that the process uses meanwhile
	soon, late := waitAtMost, waitAtMost+1
	often := slices.Repeat([]time.Duration{soon / 4}, 20)
	with := func(n int) []time.Duration { // n late reads of 10, in a span
		early := (span-time.Duration(n)*late)/time.Duration(10-n) + 1
		return slices.Concat(slices.Repeat([]time.Duration{early}, 10-n), slices.Repeat([]time.Duration{late}, n))
	}
	type spans = []struct {
		gaps  []time.Duration // before each read
		cpu   time.Duration
		waits bool
	}
	for name, all := range map[string]spans{
		"often, in a process that does little":  {{often, idle, false}, {often, idle, false}, {often, idle, true}, {often, idle, true}},
		"often, in a process that does much":    {{often, busy, false}, {often, busy, false}, {often, busy, false}, {often, busy, false}},
		"the process begins to do much":         {{often, idle, false}, {often, idle, false}, {often, idle, true}, {often, busy, false}},
		"the process has done it":               {{often, busy, false}, {often, busy, false}, {often, idle, false}, {often, idle, true}},
		"the process does much each other span": {{often, idle, false}, {often, idle, false}, {often, busy, false}, {often, idle, false}, {often, busy, false}, {often, idle, false}},
		"several processors are used":           {{often, idle, false}, {often, 8 * busy, false}, {often, 8 * busy, false}},
		"three quarters of a processor":         {{often, idle, false}, {often, idle, false}, {often, span * 3 / 4, false}},
		"less than three quarters":              {{often, idle, false}, {often, idle, false}, {often, span*3/4 - 1, true}},
		"each as late as a wait lasts":          {{slices.Repeat([]time.Duration{soon}, 5), idle, false}, {slices.Repeat([]time.Duration{soon}, 5), idle, false}, {slices.Repeat([]time.Duration{soon}, 5), idle, true}},
		"each later than that":                  {{slices.Repeat([]time.Duration{late}, 5), idle, false}, {slices.Repeat([]time.Duration{late}, 5), idle, false}, {slices.Repeat([]time.Duration{late}, 5), idle, false}},
		"one of five later":                     {{with(2), idle, false}, {with(2), idle, false}, {with(2), idle, true}},
		"more than one of five later":           {{with(3), idle, false}, {with(3), idle, false}, {with(3), idle, false}},
		"bursts":                                {{[]time.Duration{9 * soon / 2, soon / 4, soon / 4}, idle, false}, {[]time.Duration{9 * soon / 2, soon / 4, soon / 4}, idle, false}, {[]time.Duration{9 * soon / 2, soon / 4, soon / 4}, idle, false}},
		"many, and then none for two spans":     {{often, idle, false}, {often, idle, false}, {often, idle, true}, {append(slices.Repeat([]time.Duration{soon / 10}, 40), 2*span), idle, false}, {often, idle, false}},
		"one after a second":                    {{often, idle, false}, {often, idle, false}, {often, idle, true}, {[]time.Duration{time.Second}, idle, false}, {often, idle, false}},
		"the kernel does not tell CPU times":    {{often, -24 * time.Hour, false}, {often, idle, false}, {often, idle, false}},
	} {
		t.Run(name, func(t *testing.T) {
			now, used := time.Now(), time.Hour
			p := pace{since: now, last: now}
			for i, s := range all {
				used += s.cpu
				got, began, before := false, now, p.waits
				for _, gap := range s.gaps {
					now = now.Add(gap)
					if got = p.read(now, func() time.Duration { return max(used, 0) }); now.Sub(began) < span && got != before {
						t.Errorf("span %d: expected that it is judged each %s, got %s", i, span, now.Sub(began))
					}
				}
				if got != s.waits || !p.since.Equal(now) {
					t.Errorf("span %d: expected %v, got %v after %s", i, s.waits, got, now.Sub(began))
				}
			}
		})
	}
}

func TestAConnectionDoesNotWaitWithTheOnlyProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	now, used := time.Now(), time.Hour
	p := pace{since: now, last: now}
	for _, n := range []int{2, 1, 2} { // it may change while a process runs
		runtime.GOMAXPROCS(n)
		var waits bool
		for range 80 { // four spans
			now, used = now.Add(waitAtMost/4), used+1
			waits = p.read(now, func() time.Duration { return used })
		}
		if waits != (n > 1) {
			t.Errorf("with %d processors: expected %v, got %v", n, n > 1, waits)
		}
	}
}

func TestTheCPUTimeIsThatOfAllThreadsAndNoOther(t *testing.T) {
	runtime.LockOSThread() // so that another thread runs what follows
	defer runtime.UnlockOSThread()
	before := processCPU()
	eventually(t, "that 20ms more were used, by another thread", func() bool {
		used := make(chan struct{})
		go func() {
			defer close(used)
			for began := time.Now(); time.Since(began) < 30*time.Millisecond; {
			}
		}()
		<-used
		return before > 0 && processCPU() >= before+20*time.Millisecond
	})
	for began := time.Now(); time.Since(began) < patience; {
		before := processCPU()
		time.Sleep(50 * time.Millisecond)
		if processCPU() < before+25*time.Millisecond {
			return
		}
	}
	t.Error("expected that a sleep uses no CPU time")
}

func TestAReadIsJudgedByTheCPUTimeOfThisProcess(t *testing.T) {
	c, far := polled(t, false)
	eventually(t, "that a read is judged by what the process has used", func() bool {
		_, _ = far.Write([]byte{1})
		now := time.Now()
		c.pace = pace{since: now.Add(-span), last: now, reads: 100}
		before := processCPU()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		return before <= c.pace.cpu && c.pace.cpu <= processCPU()
	})
}

func TestTheDoorsConnectionsArePolled(t *testing.T) {
	h := newHandshake(nil, func(listen.Refusal) {}, func(*tls.ConnectionState) client { return client{} })
	var pollers []*poller
	for _, h := range []credentials.TransportCredentials{h, h, h.Clone()} {
		near, far := pair(t)
		conn, _, err := h.ServerHandshake(near)
		if err != nil {
			t.Fatal(err)
		}
		c := conn.(*preface).Conn.(*countedConn).Conn.(*polledConn)
		_, _ = io.WriteString(far, clientPreface)
		got := make([]byte, len(clientPreface))
		for i := range got { // a stranger until it has sent the last
			if c.trusted {
				t.Errorf("expected no trust after %d bytes", i)
			}
			if _, err := io.ReadFull(conn, got[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if !c.trusted {
			t.Error("expected that a client of HTTP/2 may be waited for")
		}
		pollers = append(pollers, c.poller)
	}
	if pollers[0] != pollers[1] || pollers[0] != pollers[2] {
		t.Error("expected one poller for all connections of a door")
	}
	near, far := pair(t)
	conn, _, err := h.ServerHandshake(near)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(far, "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, len(clientPreface))); err != nil {
		t.Fatal(err)
	}
	if conn.(*preface).Conn.(*countedConn).Conn.(*polledConn).trusted {
		t.Error("expected no trust in what is not HTTP/2")
	}
	if conn, _ := newPoller().of(struct{ net.Conn }{far}); conn != net.Conn(struct{ net.Conn }{far}) {
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
					time.Sleep(waitAtMost / 2)
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
		if n != 0 || !errors.Is(err, want) || !errors.As(err, &op) || op.Op != "read" || op.Net != "tcp" || op.Addr.String() != c.RemoteAddr().String() || op.Source.String() != c.LocalAddr().String() {
			t.Errorf("expected an error of package net with %v, got %d and %#v", want, n, err)
		}
		if text := "read tcp " + op.Source.String() + "->" + op.Addr.String() + ": "; err.Error() != text+want.Error() && err.Error() != text+"read: "+want.Error() {
			t.Errorf("expected the words of package net, got %s", err)
		}
	}
	bothWays(t, func(t *testing.T, waits bool) {
		t.Run("closed", func(t *testing.T) {
			for _, after := range []time.Duration{0, waitAtMost / 2, 20 * waitAtMost} { // before, in poll(2), and parked
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
			if n, err := c.Read(one); n != 0 || err != io.EOF {
				t.Errorf("expected the end of a connection that was reset, got %d and %v", n, err)
			}
		})
	})
}

// eventually repeats what a busy machine may delay once, but not each time.
func eventually(t *testing.T, expected string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); {
		if time.Since(began) > patience {
			t.Fatal("expected " + expected + ", but it never was")
		}
	}
}

// waitsNow is whether something comes soon at c.
func waitsNow(t *testing.T, c *polledConn) (soon bool) {
	t.Helper()
	if err := c.raw.Control(func(fd uintptr) { soon = c.poller.wait(fd) }); err != nil {
		t.Fatal(err)
	}
	return soon
}

func TestAConnectionWaitsForWhatComesSoon(t *testing.T) {
	c, far := polled(t, true)
	one := make([]byte, 1)
	eventually(t, "that it waits for what is sent meanwhile", func() bool {
		go func() { _, _ = far.Write([]byte{1}) }() // once the processor is given to it
		soon := waitsNow(t, c)
		if _, err := c.Conn.Read(one); err != nil {
			t.Fatal(err)
		}
		return soon
	})
	eventually(t, "that what is sent meanwhile is read", func() bool {
		go func() { _, _ = far.Write([]byte{1}) }()
		n, err := c.readSoon(one)
		if err == nil && n == 0 {
			_, err = c.Conn.Read(one)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
}

func TestAConnectionDoesNotWaitForLong(t *testing.T) {
	c, _ := polled(t, true)
	eventually(t, "a wait of about a millisecond", func() bool {
		began := time.Now()
		if n, err := c.readSoon(make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("expected nothing, got %d and %v", n, err)
		}
		took := time.Since(began)
		if took < waitAtMost {
			t.Errorf("expected that it waits for %s, got %s", waitAtMost, took)
		}
		return took < 2*waitAtMost
	})
}

func TestAWaitEndsWhenSomethingComesOnAnotherConnection(t *testing.T) {
	p := newPoller()
	c, far := polledBy(t, p, true)
	other, otherFar := polledBy(t, p, false)
	_, _ = otherFar.Write([]byte{1})
	eventually(t, "that it does not wait while another can be read", func() bool {
		began := time.Now()
		return !waitsNow(t, c) && time.Since(began) < waitAtMost
	})
	_, _ = far.Write([]byte{1})
	eventually(t, "that what has come for itself is read", func() bool { return waitsNow(t, c) })
	one := make([]byte, 1)
	for _, each := range []*polledConn{c, other} {
		if _, err := each.Read(one); err != nil {
			t.Fatal(err)
		}
	}
	_ = otherFar.Close()
	eventually(t, "that it does not wait while another has ended", func() bool {
		began := time.Now()
		return !waitsNow(t, c) && time.Since(began) < waitAtMost
	})
	_ = other.Close() // and nobody watches it any more
	if began := time.Now(); waitsNow(t, c) || time.Since(began) < waitAtMost {
		t.Errorf("expected that it waits once the other is closed")
	}
}

func TestWaitsThatEndForNothingCountAsLate(t *testing.T) {
	p := newPoller()
	c, far := polledBy(t, p, true)
	_, stalled := polledBy(t, p, true)
	_, _ = stalled.Write([]byte{1}) // which nobody reads
	_, _ = far.Write([]byte{1})
	one := make([]byte, 1)
	eventually(t, "that a byte is read", func() bool { n, err := c.Read(one); return n == 1 && err == nil })
	late := c.pace.late
	time.AfterFunc(20*time.Millisecond, func() { _, _ = far.Write(one) })
	if _, err := c.Read(make([]byte, 1)); err != nil || c.pace.late <= late {
		t.Errorf("expected more than %d late reads, got %d and %v", late, c.pace.late, err)
	}
}

func TestNoneWaitsWhereConnectionsCannotBeWatched(t *testing.T) {
	p := newPoller()
	c, far := polledBy(t, p, true)
	p.all.Store(-1)
	_, _ = far.Write([]byte{1})
	if waitsNow(t, c) {
		t.Error("expected no wait")
	}
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("expected that it is read, got %d and %v", n, err)
	}
	p = newPoller()
	near, _ := pair(t)
	p.of(near)
	if p.of(near); p.all.Load() != -1 { // the kernel refuses to watch one twice
		t.Error("expected that none waits where one cannot be watched")
	}
}

func TestWhoeverHasSomethingToDoComesBeforeAWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c, far := polled(t, true)
	_, _ = far.Write(make([]byte, 2))
	one := make([]byte, 1)
	if _, err := c.Conn.Read(one); err != nil { // so that the other byte is there
		t.Fatal(err)
	}
	before := 0
	for range 30 {
		var done atomic.Bool
		go func() {
			runtime.Gosched()
			done.Store(true)
		}()
		waitsNow(t, c)
		if done.Load() {
			before++
		}
	}
	if before < 20 { // Go takes another order now and then
		t.Errorf("expected that a goroutine that yields once is done before a wait, it was in %d of 30", before)
	}
	var done atomic.Bool
	eventually(t, "that what has come is read at once", func() bool {
		done.Store(false)
		go func() { done.Store(true) }()
		if n, err := c.readSoon(one); err != nil {
			t.Fatal(n, err)
		}
		now := done.Load()
		_, _ = far.Write(one)
		return !now
	})
}

func TestOneConnectionWaitsAtATime(t *testing.T) {
	p := newPoller()
	c, far := polledBy(t, p, true)
	one := make([]byte, 1)
	p.waiting.Lock() // as another connection does that waits
	_, _ = far.Write(one)
	if n, err := c.Read(one); n != 1 || err != nil {
		t.Errorf("expected that it is read meanwhile, got %d and %v", n, err)
	}
	p.waiting.Unlock()
	waiting := func(c *polledConn, far *net.TCPConn) (share float64) { // of the time, while a byte is read that comes later
		read := make(chan error)
		go func() {
			_, err := c.Read(one)
			read <- err
		}()
		locked, all := 0., 0.
		for began := time.Now(); time.Since(began) < waitAtMost; all++ {
			if p.waiting.TryLock() {
				p.waiting.Unlock()
			} else {
				locked++
			}
		}
		_, _ = far.Write([]byte{1})
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		return locked / all
	}
	eventually(t, "that a connection that waits is the one that does, for as long as it waits", func() bool { return waiting(c, far) > .25 })
	parks, far := polledBy(t, p, false)
	for range 20 {
		if waiting(parks, far) > 0 {
			t.Fatal("expected that a connection parks at once that is not to wait")
		}
	}
	parks.pace.waits, parks.trusted = true, false
	for range 20 {
		if waiting(parks, far) > 0 {
			t.Fatal("expected that a stranger's connection parks at once")
		}
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
