// Package worker asks an ext_authz server as one worker thread of Envoy does: over one HTTP/2 connection with
// Envoy's settings and windows, HPACK with its table, and many streams at once. It looks at every answer: load
// that is refused, where it should be allowed, is no measurement.
package worker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What Envoy tells a server of its own, and what HTTP/2 has before anybody said otherwise.
const (
	streamWindow     = 16 << 20
	connectionWindow = 24 << 20
	standardWindow   = 65_535
	standardFrame    = 16 << 10
	standardStreams  = 100
	standardTimeout  = 200 * time.Millisecond
	// margin is what a server may keep of that time to answer.
	margin = 30 * time.Millisecond
)

// Config is whom a Worker asks, and what.
type Config struct {
	Address string
	// Next is the next message, with the five bytes of gRPC before it; false if there is none any more. The
	// Worker calls it under its lock, and is done with the message when Next is called again, unless a window
	// of the server holds the message back.
	Next func() ([]byte, bool)
	// Check says what is wrong with the answer to a check, a CheckResponse.
	Check func([]byte) error
	// Timeout is how long the server is given for a check; 0 is Envoy's 200 ms.
	Timeout time.Duration
	// Deaf is a client that takes no answer: it never reads, and its streams have no window.
	Deaf bool
}

// A Worker is one connection. Its methods may be called from any goroutine.
type Worker struct {
	config Config
	fixed  []hpack.HeaderField // of each request
	conn   net.Conn
	in     *bufio.Reader
	ended  chan struct{} // the reader's

	mu     sync.Mutex
	frames *http2.Framer
	out    bytes.Buffer
	fields bytes.Buffer
	encode *hpack.Encoder
	decode *hpack.Decoder
	status string // grpc-status of the field block that is read

	next     uint32
	streams  map[uint32]*stream
	free     []*stream
	waiting  []time.Time // requests that the server's limit of streams holds back
	blocked  []*stream   // messages that a window holds back
	window   int64       // of the connection
	initial  int64       // of a stream
	frame    int         // most bytes of a frame
	most     int         // streams
	received uint32      // bytes of answers since the connection's window was opened

	refill    bool // an answer makes room for the next request
	exhausted chan struct{}
	closing   bool
	tally     Tally
}

// A stream is a check under way.
type stream struct {
	id     uint32
	at     time.Time // when it was to be sent
	rest   []byte    // of the message
	window int64
	answer []byte
}

// A Tally is what came of checks.
type Tally struct {
	Latencies []time.Duration // of those that were answered as wanted, and of the late ones
	Late      int             // checks that the server gave up, or answered otherwise, when their time was over, as it must
	Wrong     int             // other answers that Check refused, streams and connections that the server gave up
	First     error           // of the wrong ones
}

// Dial connects and begins to read.
func Dial(ctx context.Context, config Config) (*Worker, error) {
	if config.Timeout == 0 {
		config.Timeout = standardTimeout
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", config.Address)
	if err != nil {
		return nil, err
	}
	w := &Worker{
		config: config, fixed: request(config.Timeout), conn: conn, in: bufio.NewReaderSize(conn, 64<<10), ended: make(chan struct{}),
		next: 1, streams: map[uint32]*stream{}, exhausted: make(chan struct{}),
		window: standardWindow, initial: standardWindow, frame: standardFrame, most: standardStreams,
	}
	w.frames = http2.NewFramer(&w.out, w.in)
	w.frames.SetReuseFrames()
	w.encode = hpack.NewEncoder(&w.fields)
	w.decode = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			w.status = f.Value
		}
	})
	w.out.WriteString(http2.ClientPreface)
	window := uint32(streamWindow)
	if config.Deaf {
		window = 0
	}
	err = errors.Join(
		w.frames.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}),
		w.frames.WriteWindowUpdate(0, connectionWindow-standardWindow),
		w.flush())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if config.Deaf {
		close(w.ended)
	} else {
		go w.read()
	}
	return w, nil
}

// Keep holds n checks in flight (a closed loop), until Next has no more.
func (w *Worker) Keep(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refill = true
	for range n {
		w.ask(time.Now())
	}
	w.failed(w.flush())
}

// Ask sends one check that was to be sent at a time: its latency counts from then.
func (w *Worker) Ask(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ask(at)
	w.failed(w.flush())
}

// Exhausted is closed when Next had no more.
func (w *Worker) Exhausted() <-chan struct{} { return w.exhausted }

// Ended is closed when the connection is not read any more.
func (w *Worker) Ended() <-chan struct{} { return w.ended }

// Take returns what came since the last Take.
func (w *Worker) Take() Tally {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tally
	w.tally = Tally{Latencies: make([]time.Duration, 0, cap(t.Latencies))}
	return t
}

// InFlight is how many checks have no answer yet, and how many of them a limit of the server holds back.
func (w *Worker) InFlight() (all, held int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.streams) + len(w.waiting), len(w.waiting) + len(w.blocked)
}

// Stop asks nothing more where Keep did.
func (w *Worker) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refill, w.waiting = false, nil
}

// Close ends the connection, and what is in flight.
func (w *Worker) Close() {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.conn.Close()
	<-w.ended
}

// failed counts what must not happen.
func (w *Worker) failed(err error) {
	if err == nil || w.closing {
		return
	}
	w.tally.Wrong++
	if w.tally.First == nil {
		w.tally.First = err
	}
}

// Idle opens a connection as a Worker does, and leaves it at that.
func Idle(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := http2.NewFramer(conn, nil).WriteSettings(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
