package extauthz

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollAtMost is how long a connection waits in poll(2) for what comes next.
	pollAtMost = time.Millisecond
	// judgeEvery is how long a connection does as it was judged to.
	judgeEvery = 5 * time.Millisecond
	// pollAbove is the time between two reads above which a connection does not wait: what comes
	// at random is then too often later than pollAtMost, and a wait in vain costs more than it saves.
	pollAbove = time.Second / 2000
)

// polls has the connections of a door wait in poll(2) where that pays.
//
// A goroutine that parks until something can be read is woken by way of other threads, which look
// for work and fall asleep again each time. Where checks come one by one, that costs more than they
// do. A wait in poll(2) saves it, but holds a processor of Go's scheduler. If something else holds
// all others, Go looks for what came on other connections only each 10 ms. So a connection waits
// only while this process has little to do, whatever it would be doing, and one at a time.
type polls struct{ sync.Mutex }

// of is the connection with reads that may wait.
func (p *polls) of(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c := &polledConn{Conn: conn, polls: p, raw: raw}
			c.try = c.tryRead
			return c
		}
	}
	return conn
}

// polledConn is a TCP connection of Go's own, but for Read. Its reads come one after the other.
type polledConn struct {
	net.Conn
	polls *polls
	raw   syscall.RawConn
	pace  pace

	try  func(uintptr) bool // tryRead
	into []byte
	n    int
	err  error
}

// Read implements net.Conn.
func (c *polledConn) Read(b []byte) (int, error) {
	if c.pace.polls(time.Now(), processCPU) && c.polls.TryLock() {
		n, err := c.readSoon(b)
		c.polls.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
	}
	return c.Conn.Read(b)
}

// readSoon reads what there is, or comes soon. It returns 0 and no error if there is nothing, or
// nothing more: the Read of Go's own then parks, or says why.
func (c *polledConn) readSoon(b []byte) (int, error) {
	c.into, c.n, c.err = b, 0, nil
	_ = c.raw.Read(c.try) // it fails, and tries nothing, if the connection is closed or its time over
	c.into = nil
	if c.err == nil {
		return c.n, nil
	}
	return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", c.err)}
}

// tryRead never has syscall.RawConn park: it is always true.
func (c *polledConn) tryRead(fd uintptr) bool {
	_ = c.read(fd) || comesSoon(fd) && c.read(fd)
	return true
}

// read is false if nothing could be read yet.
func (c *polledConn) read(fd uintptr) bool {
	n, err := unix.Read(int(fd), c.into) // #nosec G115 -- a descriptor
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false
	}
	c.n, c.err = max(n, 0), err
	return true
}

// comesSoon waits for what can be read.
func comesSoon(fd uintptr) bool {
	// Whoever has something to do on this processor comes first. Twice, as the writer of
	// grpc-go yields once itself, to write several answers together.
	runtime.Gosched()
	runtime.Gosched()
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} // #nosec G115 -- a descriptor
	n, _ := unix.Poll(fds[:], int(pollAtMost.Milliseconds()))
	return n > 0
}

// pace is how fast a connection is read, and whether it waits.
type pace struct {
	since time.Time
	reads int           // since then
	cpu   time.Duration // of this process at that time; 0 was not looked at
	calm  bool          // it is often, in a process that does little
	waits bool
}

// polls says whether a read waits, and counts it. A connection waits if twice in a row it was
// read often while this process used less than three quarters of one processor, and may use
// more than one. Once alone is too often the pause of something that goes on.
func (p *pace) polls(now time.Time, cpu func() time.Duration) bool {
	p.reads++
	took := now.Sub(p.since)
	if took < judgeEvery {
		return p.waits
	}
	before := p.cpu
	p.cpu = 0
	if took < time.Duration(p.reads)*pollAbove {
		p.cpu = cpu()
	}
	calm := before > 0 && p.cpu > 0 && p.cpu-before < took*3/4 && runtime.GOMAXPROCS(0) > 1
	p.waits, p.calm = calm && p.calm, calm
	p.since, p.reads = now, 0
	return p.waits
}

// processCPU is the CPU time of this process, of all its threads; 0 if it cannot be had.
func processCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
