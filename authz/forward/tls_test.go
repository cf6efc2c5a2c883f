package forward_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/forward"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const patience = 20 * time.Second

func TestOverTLSOnlyANamedClientIsAnsweredAndTheOthersAreTold(t *testing.T) {
	certified, err := parts.NewCertifiedDoor(t.TempDir(), "proxy.example.com")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := parts.NewCA("stranger")
	if err != nil {
		t.Fatal(err)
	}
	files := certified.Args // --tls-cert F --tls-key F --client-ca F --client-name N
	told := make(chan listen.Refusal, 10)
	d := &decider{d: authz.Decision{Outcome: authz.Allow}}
	s := open(t, forward.Config{
		Listen:  listen.Config{TLSCert: files[1], TLSKey: files[3], ClientCA: files[5], ClientNames: []string{files[7]}},
		Dialect: forward.Envoy, Decider: d, OnRefused: func(r listen.Refusal) { told <- r },
	})
	config := func(p parts.Pair) *tls.Config {
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: certified.CA.Pool(), ServerName: "agentauth.agentauth-system.svc",
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }, // whatever is asked for
		}
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: config(certified.Proxy), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.Addr().String()+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if by := forward.Proxy(d.ctx); by != "proxy.example.com" {
		t.Errorf("expected the name of the proxy that asked, got %q", by)
	}
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 1 || len(told) != 0 {
		t.Errorf("got %d by %s, and %d refusals", answer.StatusCode, answer.Proto, len(told))
	}

	other, err := certified.CA.Issue(parts.Leaf{DNSNames: []string{"other.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := stranger.Issue(parts.Leaf{DNSNames: []string{"proxy.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	asked := len(d.asked)
	for cause, speak := range map[string]func(net.Conn){
		listen.CauseName:      func(c net.Conn) { drain(tls.Client(c, config(other))) },
		listen.CauseAuthority: func(c net.Conn) { drain(tls.Client(c, config(unknown))) },
		listen.CausePlaintext: drain,
	} {
		refusal(t, s, told, cause, speak)
	}
	if len(d.asked) != asked {
		t.Error("a client that was refused was answered")
	}
}

func TestTLSAtAPlaintextDoorIsTold(t *testing.T) {
	told := make(chan listen.Refusal, 10)
	s := open(t, forward.Config{Dialect: forward.Caddy, Decider: &decider{}, OnRefused: func(r listen.Refusal) { told <- r }})
	refusal(t, s, told, listen.CauseTLS, func(c net.Conn) {
		_ = tls.Client(c, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "x.example.com"}).Handshake()
	})
}

func drain(c net.Conn) {
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nhost: x.example.com\r\n\r\n") // the door may close at any byte
	_, _ = io.Copy(io.Discard, c)
}

// refusal awaits what the door tells of a client.
func refusal(t *testing.T, s *forward.Server, told chan listen.Refusal, cause string, speak func(net.Conn)) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	speak(conn)
	select {
	case r := <-told:
		if r.Cause != cause || r.Peer != "127.0.0.1" {
			t.Errorf("expected %s, got %+v", cause, r)
		}
	case <-time.After(patience):
		t.Errorf("%s: nothing was told", cause)
	}
}
