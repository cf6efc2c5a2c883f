package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// endless is a body that counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

// What waits for its turn is not held in memory: anybody may open a connection
// and send.
func TestOfABodyThatNobodyReadsYetLittleIsTaken(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Listen(Config{Address: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	waiting, release := make(chan struct{}), make(chan struct{})
	s.http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Path {
			close(waiting)
			<-release
		}
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	post := func(path string, body io.Reader) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Addr().String()+path, body)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		if resp.Body.Close(); resp.ProtoMajor != 2 {
			t.Errorf("expected HTTP/2, got %s", resp.Proto)
		}
	}
	body, done := &endless{}, make(chan struct{})
	go func() { defer close(done); post(Path, body) }()
	<-waiting
	for range 200 { // on the same connection: meanwhile all would be sent that may
		post("/other", strings.NewReader(""))
	}
	if got := body.taken.Load(); got > 4*maxUnread {
		t.Errorf("expected about %d bytes to be taken, got %d", maxUnread, got)
	}
	close(release)
	<-done
	client.CloseIdleConnections()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
