package redis

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/store"
)

// server is as much of Redis as the store asks for.
type server struct {
	listener net.Listener
	mu       sync.Mutex
	keys     map[string]bool
	seen     [][]string
}

func start(t *testing.T, answer func(s *server, words []string) string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: l, keys: map[string]bool{}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c, answer)
		}
	}()
	return s
}

func (s *server) talk(c net.Conn, answer func(*server, []string) string) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for {
		var n int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
			return
		}
		words := make([]string, n)
		for i := range words {
			var size int
			if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
				return
			}
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			words[i] = strings.TrimSuffix(line, "\r\n")
		}
		s.mu.Lock()
		s.seen = append(s.seen, words)
		text := answer(s, words)
		s.mu.Unlock()
		if _, err := c.Write([]byte(text)); err != nil {
			return
		}
	}
}

// sets answers SET key 1 … NX as Redis does.
func sets(s *server, words []string) string {
	if !strings.EqualFold(words[0], "set") {
		return "-ERR unknown command\r\n"
	}
	if s.keys[words[1]] {
		return "$-1\r\n"
	}
	s.keys[words[1]] = true
	return "+OK\r\n"
}

func of(t *testing.T, address string) *Store {
	t.Helper()
	s, err := New(Config{URL: "redis://" + address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestWhatOneReplicaSawAnotherOneKnows(t *testing.T) {
	server := start(t, sets)
	first, second := of(t, server.listener.Addr().String()), of(t, server.listener.Addr().String())
	key := [32]byte{1}
	if seen, err := first.Seen(t.Context(), "shop", key, time.Minute); err != nil || seen {
		t.Fatalf("at first: %v, %v", seen, err)
	}
	for _, s := range []*Store{first, second} {
		if seen, err := s.Seen(t.Context(), "shop", key, time.Minute); err != nil || !seen {
			t.Errorf("then: %v, %v", seen, err)
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	for _, words := range server.seen {
		if strings.EqualFold(words[0], "set") && (!strings.HasPrefix(words[1], prefix) || !strings.Contains(strings.ToLower(strings.Join(words, " ")), "nx")) {
			t.Errorf("asked %q", words)
		}
	}
}

func TestAStoreThatIsDownSlowOrWrongIsAnErrorAndNeverANo(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for name, address := range map[string]string{
		"down":        closed.Addr().String(),
		"silent":      start(t, func(*server, []string) string { return "" }).listener.Addr().String(),
		"full":        start(t, func(*server, []string) string { return "-OOM command not allowed when used memory > 'maxmemory'.\r\n" }).listener.Addr().String(),
		"no password": start(t, func(*server, []string) string { return "-NOAUTH Authentication required.\r\n" }).listener.Addr().String(),
		"no Redis":    start(t, func(*server, []string) string { return "HTTP/1.1 400 Bad Request\r\n\r\n" }).listener.Addr().String(),
	} {
		s := of(t, address)
		if seen, err := s.Seen(t.Context(), "shop", [32]byte{1}, time.Minute); err == nil {
			t.Errorf("%s: expected an error, got %v", name, seen)
		}
	}
}

func TestAPasswordIsAskedForEachConnectionAndNeverTold(t *testing.T) {
	asked := 0
	server := start(t, func(s *server, words []string) string {
		if strings.EqualFold(words[0], "hello") {
			return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		}
		return sets(s, words)
	})
	s, err := New(Config{URL: "redis://" + server.listener.Addr().String(), Password: func() (string, error) { asked++; return "s3cr3t-s3cr3t", nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	_, err = s.Seen(t.Context(), "shop", [32]byte{1}, time.Minute)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || asked == 0 {
		t.Errorf("asked %d times, got %v", asked, err)
	}
}

func TestAURLThatIsNoneSaysWhatWasExpected(t *testing.T) {
	for _, text := range []string{"", "localhost:6379", "http://localhost", "redis://", "redis://h/x", "redis://h/0?pool_size=1", "redis://:s3cr3t@h", "redis://u:s3cr3t@h/1", "redis://h/0#x", "unix:///tmp/x", "redis://h:%zz"} {
		if _, err := New(Config{URL: text}); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := New(Config{URL: "redis://h", Roots: x509.NewCertPool()}); err == nil {
		t.Error("certificates for a connection without TLS are accepted")
	}
}

func TestTheFloodOfOneTenantLeavesRoomForOthers(t *testing.T) {
	var w waiting
	n := 0
	for w.enter("flood") {
		n++
	}
	if n != maxWaiting/3 || !w.enter("quiet") {
		t.Errorf("a flood has %d of %d places", n, maxWaiting)
	}
	for range n {
		w.leave("flood")
	}
	w.leave("quiet")
	if w.all != 0 || len(w.by) != 0 {
		t.Errorf("left: %+v", w.by)
	}
	s := &Store{waiting: waiting{all: maxWaiting}}
	if _, err := s.Seen(t.Context(), "shop", [32]byte{}, 0); !errors.Is(err, store.ErrBusy) {
		t.Errorf("expected ErrBusy, got %v", err)
	}
}
