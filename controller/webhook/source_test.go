package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (a *asked) postFrom(source, namespace, body string) int {
	body = strings.Replace(body, `"namespace":"shop"`, `"namespace":"`+namespace+`"`, 1)
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = source
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code
}

const (
	stranger, other, apiServer = "10.0.0.9:1", "10.0.0.8:1", "10.0.0.1:1"
)

// An endless compile stands for a defect: it is given up, and those after it are
// answered.
func TestAReviewThatDoesNotEndGivesItsTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		a := askedOf(Judge{CheckURL: func(string) error { <-free; return nil }})
		endless, plain := reviewOf(t, nil, policy(idp, ""), ""), reviewOf(t, nil, policy(public, ""), "")
		expect := func(want int, source, namespace, body string) {
			t.Helper()
			if got := a.postFrom(source, namespace, body); got != want {
				t.Errorf("%s %s: expected %d, got %d", source, namespace, want, got)
			}
		}
		begun := time.Now()
		expect(503, apiServer, "evil", endless)
		if took := time.Since(begun); took != maxCompile {
			t.Errorf("expected it to be given up after %s, it took %s", maxCompile, took)
		}
		expect(200, apiServer, "bank", plain)
		expect(503, apiServer, "evil", plain) // its namespace waits until it ends
		expect(200, other, "evil", plain)     // which others may say they are of
		// A stranger may say any namespace, and uses up no more than the share of an address.
		for _, namespace := range []string{"a", "b", "c", "d", "e"} {
			a.postFrom(stranger, namespace, endless)
		}
		expect(503, stranger, "f", plain)
		expect(503, apiServer, "bank", plain) // all of maxLost are lost
		close(free)
		synctest.Wait()
		expect(200, apiServer, "bank", plain)
		expect(200, apiServer, "evil", plain)
		expect(200, stranger, "a", plain)
	})
}

func TestOneAddressLosesNoMoreThanItsShareOfReviews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		a := askedOf(Judge{CheckURL: func(string) error { <-free; return nil }})
		endless, plain := reviewOf(t, nil, policy(idp, ""), ""), reviewOf(t, nil, policy(public, ""), "")
		for _, namespace := range []string{"a", "b", "c", "d", "e"} {
			a.postFrom(stranger, namespace, endless)
		}
		if got := a.postFrom(apiServer, "bank", plain); got != 200 {
			t.Errorf("expected the API server to be answered, got %d", got)
		}
		close(free)
		synctest.Wait()
	})
}

// A review says of itself which namespace it is of: turns are of addresses first.
func TestAnAddressThatSaysManyNamespacesHasOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn, order := make(chan struct{}), make(chan string, 100)
		a := askedOf(Judge{CheckURL: func(string) error {
			<-turn
			time.Sleep(10 * time.Millisecond) // turns are shared out by time
			return nil
		}})
		body := reviewOf(t, nil, policy(idp, ""), "")
		ask := func(source, namespace string) {
			go func() {
				if a.postFrom(source, namespace, body) == 200 {
					order <- source
				}
			}()
			synctest.Wait()
		}
		for i := range 32 {
			ask(stranger, "n"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		}
		ask(apiServer, "bank")
		ask(apiServer, "shop")
		var got []string
		for range 4 {
			turn <- struct{}{}
			synctest.Wait()
			got = append(got, <-order)
		}
		if got[1] != apiServer || got[3] != apiServer {
			t.Errorf("expected every second turn to be the API server's, got %q", got)
		}
		close(turn)
		time.Sleep(time.Second) // until all are answered
		synctest.Wait()
	})
}

func TestBodiesOfOneAddressLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		enter := func(source string, bytes int64) func() {
			t.Helper()
			leave, err := s.enter(ctx, source, bytes)
			if err != nil {
				t.Fatalf("%s: %v", source, err)
			}
			return leave
		}
		var leave []func()
		for range maxBytesOfSource / maxBody {
			leave = append(leave, enter("stranger", maxBody))
		}
		enter("api server", maxBody)()
		waited := make(chan struct{})
		go func() { enter("stranger", 1)(); close(waited) }()
		synctest.Wait()
		leave[0]()
		<-waited
		if _, err := s.enter(ctx, "stranger", maxBody+1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("expected it to wait until its time is over, got %v", err)
		}
		for range maxAtOnce - (len(leave) - 1) {
			leave = append(leave, enterZero(t, s))
		}
		if _, err := s.enter(t.Context(), "stranger", 0); !errors.Is(err, errBusy) {
			t.Errorf("expected the bound on reviews of a source, got %v", err)
		}
		for _, l := range leave[1:] {
			l()
		}
		if len(s.of) != 0 || s.bytes != 0 {
			t.Errorf("expected nothing to be kept, got %v, %d", s.of, s.bytes)
		}
	})
}

func enterZero(t *testing.T, s *shares) func() {
	t.Helper()
	leave, err := s.enter(t.Context(), "stranger", 0)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestASourceIsAnAddressOrANetworkOfIPv6(t *testing.T) {
	for remote, want := range map[string]string{
		"10.0.0.1:443": "10.0.0.1", "[::ffff:10.0.0.1]:443": "10.0.0.1", "[2001:db8::1]:1": "2001:db8::/64", "[2001:db8::ffff%eth0]:2": "2001:db8::/64", "": "",
	} {
		if got := sourceOf(remote); got != want {
			t.Errorf("%s: expected %s, got %s", remote, want, got)
		}
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	s, err := Listen(Config{Address: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return nil, errors.New("none")
	}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	open := func() net.Conn {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	var conns []net.Conn
	for range maxConnectionsOfSource {
		conns = append(conns, open())
	}
	closed := open()
	_ = closed.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := closed.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("expected one more to be closed, got %v", err)
	}
	for _, conn := range conns {
		conn.Close()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
