package extauthz

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// waitAtMost is how long a connection waits in poll(2) for what comes next.
	waitAtMost = time.Millisecond
	// span is how long a connection does as it was judged to.
	span = 5 * time.Millisecond
	// lateAtMost is how much of what was read may have come later than a wait lasts. A wait in vain
	// costs several times what one saves: Go looks every 20 us whether its processor is needed.
	lateAtMost = 1. / 5
)

// poller has the connections of a door wait in poll(2) where that pays.
//
// A goroutine that parks until something can be read is woken by way of other threads, which look
// for work and fall asleep again each time. Where checks come one by one, that costs more than they
// do. A wait in poll(2) saves it, but holds a processor of Go's scheduler. If something else holds
// all others, Go looks for what came elsewhere only each 10 ms. So a wait ends when anything comes
// on another connection that was accepted; one connection waits at a time; and none does if the
// process did much lately, whatever that was. What comes elsewhere (a new connection, another
// door) can still be late by a few milliseconds when such work begins.
type poller struct {
	waiting sync.Mutex
	// all is an epoll(7) of all connections: it can be read when one of them can. -1 is that
	// connections do not wait.
	all atomic.Int32
}

func newPoller() *poller {
	p := new(poller)
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		fd = -1
	} else {
		runtime.AddCleanup(p, func(fd int) { _ = unix.Close(fd) }, fd)
	}
	p.all.Store(int32(fd)) // #nosec G115 -- a descriptor
	return p
}

// of is the connection with reads that may wait, once trust was called.
func (p *poller) of(conn net.Conn) (polled net.Conn, trust func()) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c := &polledConn{Conn: conn, poller: p, raw: raw}
			c.try = c.tryRead
			p.watch(raw)
			return c, func() { c.trusted = true }
		}
	}
	return conn, func() {}
}

// watch has what comes on a connection end the waits of others, until it is closed.
func (p *poller) watch(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) { // which fails if it is closed already
		event := unix.EpollEvent{Events: unix.EPOLLIN}
		if unix.EpollCtl(int(p.all.Load()), unix.EPOLL_CTL_ADD, int(fd), &event) != nil { // #nosec G115 -- a descriptor
			p.all.Store(-1) // none waits where one cannot be watched
		}
	})
}

// polledConn is a TCP connection of Go's own, but for Read. Its reads come one after the other.
type polledConn struct {
	net.Conn
	poller  *poller
	raw     syscall.RawConn
	trusted bool
	pace    pace

	try  func(uintptr) bool // tryRead
	into []byte
	n    int
	err  error
}

// Read implements net.Conn.
func (c *polledConn) Read(b []byte) (int, error) {
	if c.trusted && c.pace.read(time.Now(), processCPU) && c.poller.waiting.TryLock() {
		n, err := c.readSoon(b)
		c.poller.waiting.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
		c.pace.late++ // others came first, or nothing did
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
	return 0, &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", c.err)}
}

// tryRead never has syscall.RawConn park: it is always true.
func (c *polledConn) tryRead(fd uintptr) bool {
	_ = c.read(fd) || c.poller.wait(fd) && c.read(fd)
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

// wait is whether something can be read soon, and before anything can on another connection.
func (p *poller) wait(fd uintptr) bool {
	all := p.all.Load()
	if all < 0 {
		return false
	}
	// Whoever has something to do on this processor comes first. Twice, as the writer of
	// grpc-go yields once itself, to write several answers together.
	runtime.Gosched()
	runtime.Gosched()
	fds := [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: all, Events: unix.POLLIN}} // #nosec G115 -- a descriptor
	n, _ := unix.Poll(fds[:], int(waitAtMost.Milliseconds()))
	return n > 0 && fds[0].Revents != 0
}

// pace is how a connection is read, and whether it waits.
type pace struct {
	since, last time.Time
	reads, late int           // since then; late are those long after the one before, or waited for in vain
	cpu         time.Duration // of this process at that time; 0 is unknown
	calm        bool          // a wait would have paid, in a process that did little
	waits       bool
}

// read counts a read, and says whether it waits. It does if in the last two spans at most lateAtMost
// came too late to be waited for, while this process used less than three quarters of one
// processor, and may use more than one. One span alone is too often the pause of something that
// goes on.
func (p *pace) read(now time.Time, cpu func() time.Duration) bool {
	p.reads++
	if now.Sub(p.last) > waitAtMost {
		p.late++
	}
	p.last = now
	took := now.Sub(p.since)
	if took < span {
		return p.waits
	}
	before := p.cpu
	p.cpu = 0
	if took < 2*span && float64(p.late) <= lateAtMost*float64(p.reads) {
		p.cpu = cpu()
	}
	calm := before > 0 && p.cpu > 0 && p.cpu-before < took*3/4 && runtime.GOMAXPROCS(0) > 1
	p.waits, p.calm = calm && p.calm, calm
	p.since, p.reads, p.late = now, 0, 0
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
