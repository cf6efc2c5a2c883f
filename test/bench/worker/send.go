package worker

import (
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// request is what Envoy's gRPC client sends with each check.
func request(timeout time.Duration) []hpack.HeaderField {
	ms := strconv.FormatInt(timeout.Milliseconds(), 10)
	return []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":path", Value: "/envoy.service.auth.v3.Authorization/Check"},
		{Name: ":authority", Value: "agentauth"},
		{Name: ":scheme", Value: "http"},
		{Name: "te", Value: "trailers"},
		{Name: "grpc-timeout", Value: ms + "m"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "x-envoy-internal", Value: "true"},
		{Name: "x-forwarded-for", Value: "10.12.40.9"},
		{Name: "x-envoy-expected-rq-timeout-ms", Value: ms},
	}
}

// ask opens a stream, or has it wait until the server takes one more.
func (w *Worker) ask(at time.Time) {
	if len(w.streams) >= w.most {
		w.waiting = append(w.waiting, at)
		return
	}
	message, ok := w.config.Next()
	if !ok {
		w.refill = false
		select {
		case <-w.exhausted:
		default:
			close(w.exhausted)
		}
		return
	}
	s := w.stream()
	s.id, s.at, s.rest, s.window = w.next, at, message, w.initial
	w.next += 2
	w.streams[s.id] = s
	w.fields.Reset()
	for _, f := range w.fixed {
		w.failed(w.encode.WriteField(f))
	}
	w.failed(w.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: w.fields.Bytes(), EndHeaders: true}))
	if len(w.blocked) > 0 || !w.write(s) {
		s.rest = append([]byte(nil), s.rest...) // Next may write over the message
		w.blocked = append(w.blocked, s)
	}
}

func (w *Worker) stream() *stream {
	if n := len(w.free); n > 0 {
		s := w.free[n-1]
		w.free = w.free[:n-1]
		return s
	}
	return &stream{}
}

// write sends as much of a message as the windows allow, and says whether that was all.
func (w *Worker) write(s *stream) bool {
	for len(s.rest) > 0 {
		n := int(min(w.window, s.window, int64(w.frame), int64(len(s.rest))))
		if n <= 0 {
			return false
		}
		w.failed(w.frames.WriteData(s.id, n == len(s.rest), s.rest[:n]))
		w.window, s.window, s.rest = w.window-int64(n), s.window-int64(n), s.rest[n:]
	}
	return true
}

// unblock writes what windows held back, the oldest first.
func (w *Worker) unblock() {
	held := w.blocked[:0]
	for i, s := range w.blocked {
		if w.window <= 0 {
			held = append(held, w.blocked[i:]...)
			break
		}
		if !w.write(s) {
			held = append(held, s)
		}
	}
	clear(w.blocked[len(held):])
	w.blocked = held
}

// resume asks what the limit of streams held back.
func (w *Worker) resume() {
	for len(w.waiting) > 0 && len(w.streams) < w.most {
		at := w.waiting[0]
		w.waiting = w.waiting[1:]
		w.ask(at)
	}
}

func (w *Worker) flush() error {
	if w.out.Len() == 0 {
		return nil
	}
	_, err := w.conn.Write(w.out.Bytes())
	w.out.Reset()
	return err
}
