package main

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// load keeps one request under way on each of its connections. One thread does it all, with plain sockets: what the
// client uses of the machine, Envoy and the server lack.
type load struct {
	request []byte
	epoll   int
	conns   map[int32]*conn
	buffer  [64 << 10]byte

	done int             // answers since begin
	took []time.Duration // of each
}

// conn is a connection to Envoy.
type conn struct {
	fd      int
	sent    time.Time
	partial []byte // an answer that is not whole yet
}

func newLoad(port, connections int, request []byte) (*load, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &load{request: request, epoll: epoll, conns: map[int32]*conn{}}
	for range connections {
		if err := l.dial(port); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// dial opens one connection. It is a blocking socket: it is read when there is something to read, and Envoy reads
// what is written.
func (l *load) dial(port int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	l.conns[int32(fd)] = &conn{fd: fd} // #nosec G115 -- a file descriptor
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)} // #nosec G115 -- as above
	return syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event)
}

func (l *load) close() {
	for _, c := range l.conns {
		_ = syscall.Close(c.fd)
	}
	_ = syscall.Close(l.epoll)
}

// begin forgets the answers so far.
func (l *load) begin() { l.done, l.took = 0, l.took[:0] }

// start sends the first request of each connection.
func (l *load) start() error {
	for _, c := range l.conns {
		if err := l.send(c); err != nil {
			return err
		}
	}
	return nil
}

// run answers each answer with the next request, until the time is over.
func (l *load) run(duration time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const patience = 5000 // milliseconds without any answer
	events := make([]syscall.EpollEvent, len(l.conns))
	for end := time.Now().Add(duration); time.Now().Before(end); {
		n, err := syscall.EpollWait(l.epoll, events, patience)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("expected answers, got none in %d ms", patience)
		}
		for _, event := range events[:n] {
			if err := l.receive(l.conns[event.Fd]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *load) send(c *conn) error {
	c.sent = time.Now()
	for rest := l.request; len(rest) > 0; {
		n, err := syscall.Write(c.fd, rest)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("a request: %w", err)
		}
		rest = rest[n:]
	}
	return nil
}

func (l *load) receive(c *conn) error {
	n, err := syscall.Read(c.fd, l.buffer[:])
	if errors.Is(err, syscall.EINTR) {
		return nil
	}
	if err != nil || n == 0 {
		return fmt.Errorf("expected an answer, got the end of the connection (%v)", err)
	}
	answer := l.buffer[:n]
	if len(c.partial) > 0 {
		c.partial = append(c.partial, answer...)
		answer = c.partial
	}
	whole, err := isWhole(answer)
	if err != nil {
		return err
	}
	if !whole {
		if len(c.partial) == 0 {
			c.partial = append(c.partial, answer...)
		}
		return nil
	}
	c.partial = c.partial[:0]
	l.done++
	l.took = append(l.took, time.Since(c.sent))
	return l.send(c)
}
