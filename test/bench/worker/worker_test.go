package worker

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

func allow(names ...string) *authv3.CheckResponse {
	ok := &authv3.OkHttpResponse{}
	for _, name := range names {
		ok.Headers = append(ok.Headers, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: "v"}})
	}
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}
}

func deny(code int32, http typev3.StatusCode) *authv3.CheckResponse {
	return &authv3.CheckResponse{Status: &status.Status{Code: code}, HttpResponse: &authv3.CheckResponse_DeniedResponse{
		DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: http}},
	}}
}

func TestAVerdictIsReadOfAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer *authv3.CheckResponse
		want   Verdict
		fails  bool
	}{
		"allowed with headers":                 {answer: allow("a", "b"), want: Verdict{Status: 200, Headers: 2}},
		"denied":                               {answer: deny(7, 403), want: Verdict{Status: 403}},
		"denied with the status of an allowed": {answer: deny(0, 401), fails: true},
		"denied without a status of HTTP":      {answer: deny(16, 0), fails: true},
		"nothing":                              {answer: &authv3.CheckResponse{}, fails: true},
		"allowed with the status of a denied": {answer: &authv3.CheckResponse{Status: &status.Status{Code: 7},
			HttpResponse: allow().HttpResponse}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := proto.Marshal(c.answer)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Read(text); got != c.want || (err != nil) != c.fails {
				t.Errorf("expected %+v, got %+v, %v", c.want, got, err)
			}
		})
	}
	if _, err := Read([]byte{0xff}); err == nil {
		t.Error("expected an error for what is no message")
	}
}

// settled polls until n checks came to an end, well or not.
func settled(t *testing.T, w *Worker, n int) (got Tally) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(got.Latencies)+got.Wrong < n; time.Sleep(time.Millisecond) {
		one := w.Take()
		got.Latencies, got.Wrong, got.Late = append(got.Latencies, one.Latencies...), got.Wrong+one.Wrong, got.Late+one.Late
		if got.First == nil {
			got.First = one.First
		}
		if time.Now().After(deadline) {
			t.Fatalf("expected the end of %d checks, got %d and %d wrong", n, len(got.Latencies), got.Wrong)
		}
	}
	return got
}

// sends is a Next of n times a message.
func sends(n int, message []byte) func() ([]byte, bool) {
	sent := 0
	return func() ([]byte, bool) { sent++; return Frame(message), sent <= n }
}

// counting answers by grpc-go, and counts how many checks are there at once.
type counting struct {
	authv3.UnimplementedAuthorizationServer
	now, most, seen atomic.Int64
	bytes           atomic.Int64
}

func (c *counting) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	if n := c.now.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	defer c.now.Add(-1)
	c.seen.Add(1)
	c.bytes.Add(int64(len(r.GetAttributes().GetRequest().GetHttp().GetRawBody())))
	return allow("a"), nil
}

func TestWindowsAndLimitsOfTheServerAreKept(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const checks, size, most = 20, 300_000, 3
	service := &counting{}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(most))
	authv3.RegisterAuthorizationServer(server, service)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	message, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{RawBody: bytes.Repeat([]byte{7}, size)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Dial(t.Context(), Config{Address: listener.Addr().String(), Next: sends(checks, message), Check: Want(Verdict{Status: 200, Headers: 1}), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	waitForSettings(t, w, most)
	w.Keep(10)
	got := settled(t, w, checks)
	if got.First != nil || service.seen.Load() != checks || service.bytes.Load() != checks*size || service.most.Load() > most {
		t.Errorf("expected %d whole checks, %d at once, got %d, %d: %v", checks, most, service.seen.Load(), service.most.Load(), got.First)
	}
}

func waitForSettings(t *testing.T, w *Worker, most int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		known := w.most == most
		w.mu.Unlock()
		if known {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("expected the server's settings")
		}
	}
}

// scripted is a server that does one thing to each check.
func scripted(t *testing.T, answer func(frames *http2.Framer, stream uint32) error) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		frames := http2.NewFramer(conn, conn)
		if frames.WriteSettings() != nil {
			return
		}
		for {
			frame, err := frames.ReadFrame()
			if err != nil {
				return
			}
			if data, ok := frame.(*http2.DataFrame); ok && data.StreamEnded() && answer(frames, data.StreamID) != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}

// fields writes a field block.
func fields(frames *http2.Framer, stream uint32, last bool, pairs ...string) error {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for i := 0; i < len(pairs); i += 2 {
		if err := e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			return err
		}
	}
	return frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: last})
}

func TestWhatIsNoAnswerIsCounted(t *testing.T) {
	answer, err := proto.Marshal(allow("a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		does func(*http2.Framer, uint32) error
		says string
	}{
		"a stream that is reset": {func(f *http2.Framer, s uint32) error { return f.WriteRSTStream(s, http2.ErrCodeRefusedStream) }, "RST_STREAM REFUSED_STREAM"},
		"a connection that is given up": {func(f *http2.Framer, _ uint32) error {
			return f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
		}, "GOAWAY ENHANCE_YOUR_CALM"},
		"a connection that ends": {func(*http2.Framer, uint32) error { return io.EOF }, "expected the next frame"},
		"an error of gRPC": {func(f *http2.Framer, s uint32) error {
			return fields(f, s, true, ":status", "200", "grpc-status", "14")
		}, `expected grpc-status 0, got "14"`},
		"no message": {func(f *http2.Framer, s uint32) error {
			return fields(f, s, true, ":status", "200", "grpc-status", "0")
		}, "expected one message of gRPC"},
		"no trailers": {func(f *http2.Framer, s uint32) error {
			if err := fields(f, s, false, ":status", "200"); err != nil {
				return err
			}
			return f.WriteData(s, true, Frame(answer))
		}, "expected trailers"},
		"another verdict": {func(f *http2.Framer, s uint32) error {
			if err := fields(f, s, false, ":status", "200"); err != nil {
				return err
			}
			if err := f.WriteData(s, false, Frame(answer)); err != nil {
				return err
			}
			return fields(f, s, true, "grpc-status", "0")
		}, "expected status 401 and 0 headers"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := Dial(t.Context(), Config{Address: scripted(t, c.does), Next: sends(1, []byte{}), Check: Want(Verdict{Status: 401}), Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			w.Keep(1)
			got := settled(t, w, 1)
			if len(got.Latencies) != 0 || got.First == nil || !strings.Contains(got.First.Error(), c.says) {
				t.Errorf("expected %q, got %+v", c.says, got)
			}
		})
	}
}

func TestACheckThatTheServerGivesUpInTimeIsLateAndNotWrong(t *testing.T) {
	address := scripted(t, func(f *http2.Framer, s uint32) error { return f.WriteRSTStream(s, http2.ErrCodeCancel) })
	w, err := Dial(t.Context(), Config{Address: address, Next: sends(1, nil), Check: Want(Verdict{}), Timeout: margin})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Keep(1)
	if got := settled(t, w, 1); got.Late != 1 || got.Wrong != 0 {
		t.Errorf("expected one that is late, got %+v", got)
	}
}

func TestAPingIsAnswered(t *testing.T) {
	pong := make(chan [8]byte, 1)
	address := scripted(t, func(f *http2.Framer, _ uint32) error {
		if err := f.WritePing(false, [8]byte{1, 2, 3}); err != nil {
			return err
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return err
			}
			if p, ok := frame.(*http2.PingFrame); ok && p.IsAck() {
				pong <- p.Data
				return io.EOF
			}
		}
	})
	w, err := Dial(t.Context(), Config{Address: address, Next: sends(1, nil), Check: Want(Verdict{}), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Keep(1)
	select {
	case got := <-pong:
		if got != [8]byte{1, 2, 3} {
			t.Errorf("got %v", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("expected an answer to the ping")
	}
}
