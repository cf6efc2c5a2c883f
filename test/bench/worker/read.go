package worker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/net/http2"
)

const frameHeader = 9

// read takes frames until the connection ends. Requests that answers make room for are sent when all that came
// at once has been read, as an event loop does.
func (w *Worker) read() {
	defer close(w.ended)
	for {
		frame, err := w.frames.ReadFrame()
		w.mu.Lock()
		if err != nil {
			w.failed(fmt.Errorf("expected the next frame, got %w, with %d checks in flight", err, len(w.streams)))
			w.mu.Unlock()
			return
		}
		w.failed(w.take(frame))
		if !w.more() {
			w.failed(w.flush())
		}
		w.mu.Unlock()
	}
}

// more says whether the next frame is there as a whole.
func (w *Worker) more() bool {
	if w.in.Buffered() < frameHeader {
		return false
	}
	head, err := w.in.Peek(3)
	return err == nil && w.in.Buffered() >= frameHeader+(int(head[0])<<16|int(head[1])<<8|int(head[2]))
}

func (w *Worker) take(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		w.status = ""
		return w.takeFields(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded(), f.StreamEnded())
	case *http2.ContinuationFrame:
		return errors.New("expected the fields of an answer in one frame, got CONTINUATION")
	case *http2.DataFrame:
		return w.takeData(f)
	case *http2.SettingsFrame:
		return w.takeSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			return w.frames.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		return w.takeWindow(f)
	case *http2.RSTStreamFrame:
		return w.takeReset(f)
	case *http2.GoAwayFrame:
		return fmt.Errorf("expected answers, got GOAWAY %s %q", f.ErrCode, f.DebugData())
	}
	return nil
}

func (w *Worker) takeReset(f *http2.RSTStreamFrame) error {
	s := w.streams[f.StreamID]
	if s == nil {
		return nil
	}
	var err error
	if f.ErrCode != http2.ErrCodeCancel || !w.late(time.Since(s.at)) {
		err = fmt.Errorf("expected an answer, got RST_STREAM %s", f.ErrCode)
	}
	w.done(s)
	return err
}

// late counts a check whose time is over.
func (w *Worker) late(took time.Duration) bool {
	if took < w.config.Timeout-margin {
		return false
	}
	w.tally.Late++
	w.tally.Latencies = append(w.tally.Latencies, took)
	return true
}

func (w *Worker) takeFields(id uint32, block []byte, whole, last bool) error {
	if !whole {
		return errors.New("expected the fields of an answer in one frame, got more")
	}
	if _, err := w.decode.Write(block); err != nil {
		return err
	}
	if err := w.decode.Close(); err != nil {
		return err
	}
	s := w.streams[id]
	if s == nil || !last {
		return nil
	}
	return w.answered(s)
}

func (w *Worker) takeData(f *http2.DataFrame) error {
	if w.received += f.Length; w.received >= connectionWindow/2 {
		if err := w.frames.WriteWindowUpdate(0, w.received); err != nil {
			return err
		}
		w.received = 0
	}
	s := w.streams[f.StreamID]
	if s == nil {
		return nil
	}
	s.answer = append(s.answer, f.Data()...)
	if f.StreamEnded() {
		w.done(s)
		return errors.New("expected trailers with grpc-status, got the end of the stream")
	}
	return nil
}

func (w *Worker) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	for i := range f.NumSettings() {
		switch s := f.Setting(i); s.ID {
		case http2.SettingInitialWindowSize:
			for _, open := range w.streams {
				open.window += int64(s.Val) - w.initial
			}
			w.initial = int64(s.Val)
		case http2.SettingMaxFrameSize:
			w.frame = int(min(s.Val, standardFrame)) // Envoy's are no larger
		case http2.SettingMaxConcurrentStreams:
			w.most = int(s.Val)
		case http2.SettingHeaderTableSize:
			w.encode.SetMaxDynamicTableSizeLimit(min(s.Val, 4096))
		default:
		}
	}
	if err := w.frames.WriteSettingsAck(); err != nil {
		return err
	}
	w.unblock()
	w.resume()
	return nil
}

func (w *Worker) takeWindow(f *http2.WindowUpdateFrame) error {
	if f.StreamID == 0 {
		w.window += int64(f.Increment)
	} else if s := w.streams[f.StreamID]; s != nil {
		s.window += int64(f.Increment)
	}
	w.unblock()
	return nil
}

// answered holds an answer against what is wanted, and makes room for the next check.
func (w *Worker) answered(s *stream) error {
	took := time.Since(s.at)
	err := w.judge(s)
	switch {
	case err == nil:
		w.tally.Latencies = append(w.tally.Latencies, took)
	case w.late(took):
		err = nil
	}
	w.done(s)
	return err
}

func (w *Worker) judge(s *stream) error {
	if w.status != "0" {
		return fmt.Errorf("expected grpc-status 0, got %q", w.status)
	}
	if len(s.answer) < 5 || s.answer[0] != 0 || int(binary.BigEndian.Uint32(s.answer[1:])) != len(s.answer)-5 {
		return fmt.Errorf("expected one message of gRPC, got %d bytes that are none", len(s.answer))
	}
	return w.config.Check(s.answer[5:])
}

func (w *Worker) done(s *stream) {
	delete(w.streams, s.id)
	if len(s.rest) > 0 {
		w.blocked = slices.DeleteFunc(w.blocked, func(b *stream) bool { return b == s })
	}
	s.answer, s.rest = s.answer[:0], nil
	w.free = append(w.free, s)
	if w.refill && len(w.waiting) == 0 {
		w.ask(time.Now())
	}
	w.resume()
}

// Frame puts the five bytes of gRPC before a message.
func Frame(message []byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return bytes.Join([][]byte{head, message}, nil)
}
