package extauthz

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/test/parts"
)

var forClients = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}

// stranger is a client that a door refuses.
type stranger func(t *testing.T, address string)

func sends(text string) stranger {
	return func(t *testing.T, address string) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, text) // the door may close at any byte
		_, _ = io.Copy(io.Discard, conn)
	}
}

func speaksTLS(config *tls.Config) stranger {
	return func(t *testing.T, address string) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		c := tls.Client(conn, config)
		if c.Handshake() == nil {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nhost: x.example.com\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}
	}
}

// refusals opens a door that tells of refusals.
func refusals(t *testing.T, c listen.Config) (*Server, chan listen.Refusal) {
	told := make(chan listen.Refusal, 10)
	return open(t, Config{Listen: c, OnRefused: func(r listen.Refusal) { told <- r }}), told
}

// expectRefusal awaits what a door tells of a client.
func expectRefusal(t *testing.T, told chan listen.Refusal, cause, problem string) {
	t.Helper()
	select {
	case r := <-told:
		if r.Cause != cause || !strings.Contains(r.Problem, problem) || r.Peer != "127.0.0.1" {
			t.Errorf("got %+v, want %s: %s", r, cause, problem)
		}
	case <-time.After(patience):
		t.Errorf("nothing was told, want %s: %s", cause, problem)
	}
}

func TestTheDoorTellsWhyItRefusedAClientOfTLS(t *testing.T) {
	ca, err := parts.NewCA("ca")
	if err != nil {
		t.Fatal(err)
	}
	other, err := parts.NewCA("other")
	if err != nil {
		t.Fatal(err)
	}
	s, told := refusals(t, certified(t, ca, "envoy.test"))
	shows := func(ca *parts.CA, leaf parts.Leaf) *tls.Config {
		pair, err := ca.Issue(leaf)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"},
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
	}
	with := func(c *tls.Config, change func(*tls.Config)) *tls.Config {
		change(c)
		return c
	}
	named := func(names ...string) parts.Leaf { return parts.Leaf{Usage: forClients, DNSNames: names} }
	for name, c := range map[string]struct {
		client         stranger
		cause, problem string
	}{
		"no certificate": {speaksTLS(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}), listen.CauseNoCertificate, "it showed no client certificate"},
		"no certificate in TLS 1.2": {speaksTLS(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12}),
			listen.CauseNoCertificate, "it showed no client certificate"},
		"another authority": {speaksTLS(shows(other, named("envoy.test"))), listen.CauseAuthority, "its certificate (envoy.test) is of no authority in --client-ca"},
		"another name":      {speaksTLS(shows(ca, named("door.test"))), listen.CauseName, "its certificate has door.test, expected one of envoy.test"},
		"no name":           {speaksTLS(shows(ca, named())), listen.CauseName, "its certificate has no DNS or URI name, expected one of envoy.test"},
		"an ended certificate": {speaksTLS(shows(ca, parts.Leaf{Usage: forClients, DNSNames: []string{"envoy.test"}, NotBefore: time.Now().Add(-2 * time.Hour), Lifetime: time.Hour})),
			listen.CauseExpired, "is not valid now"},
		"a server's certificate": {speaksTLS(shows(ca, parts.Leaf{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"envoy.test"}})), listen.CauseCertificate, "expected the extended key usage clientAuth"},
		"who expects another server name": {speaksTLS(with(shows(ca, named("envoy.test")), func(c *tls.Config) {
			c.InsecureSkipVerify, c.RootCAs, c.ServerName = false, ca.Pool(), "elsewhere.test"
		})), listen.CauseServerCertificate, "it does not take this door's certificate (bad certificate)"},
		"who does not know the server's authority": {speaksTLS(with(shows(ca, named("envoy.test")), func(c *tls.Config) {
			c.InsecureSkipVerify, c.RootCAs, c.ServerName = false, other.Pool(), "localhost"
		})), listen.CauseServerCertificate, "it does not take this door's certificate"},
		"without h2":                 {speaksTLS(with(shows(ca, named("envoy.test")), func(c *tls.Config) { c.NextProtos = nil })), listen.CauseHTTP1, "http2_protocol_options"},
		"who negotiates HTTP/1.1":    {speaksTLS(with(shows(ca, named("envoy.test")), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })), listen.CauseHTTP1, "http2_protocol_options"},
		"HTTP/1.1 after h2":          {speaksTLS(shows(ca, named("envoy.test"))), listen.CauseHTTP1, "http2_protocol_options"},
		"HTTP/2 without TLS":         {sends(clientPreface), listen.CausePlaintext, "plaintext on a TLS port"},
		"HTTP/1.1 without TLS":       {sends("POST /envoy.service.auth.v3.Authorization/Check HTTP/1.1\r\n"), listen.CausePlaintext, "plaintext on a TLS port"},
		"something else without TLS": {sends("\x00\x01\x02\x03\x04\x05\x06\x07"), listen.CauseHandshake, "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			c.client(t, s.Addr().String())
			expectRefusal(t, told, c.cause, c.problem)
		})
	}
}

// certified are the options of a door that wants client certificates of ca.
func certified(t *testing.T, ca *parts.CA, names ...string) listen.Config {
	t.Helper()
	dir := t.TempDir()
	authority, err := ca.Write(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Server("localhost")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := server.Write(dir, "tls")
	if err != nil {
		t.Fatal(err)
	}
	return listen.Config{TLSCert: cert, TLSKey: key, ClientCA: authority, ClientNames: names}
}

func TestTheDoorTellsWhatIsSpokenOnAPlaintextPort(t *testing.T) {
	s, told := refusals(t, loopback)
	for name, c := range map[string]struct {
		client         stranger
		cause, problem string
	}{
		"TLS":            {speaksTLS(&tls.Config{InsecureSkipVerify: true}), listen.CauseTLS, "TLS on a plaintext port"},
		"HTTP/1.1":       {sends("POST /secret-of-a-caller HTTP/1.1\r\nhost: x\r\n\r\n"), listen.CauseHTTP1, "HTTP/1.1, expected HTTP/2: the cluster lacks http2_protocol_options"},
		"HTTP/1.1 GET":   {sends("GET / HTTP/1.1\r\nhost: x\r\n\r\n"), listen.CauseHTTP1, "http2_protocol_options"},
		"HTTP/1.1 PRI":   {sends("PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n"), listen.CauseHTTP1, "http2_protocol_options"},
		"something else": {sends("\x00\x01\x02\x03\x04\x05\x06\x07\x00\x01\x02\x03\x04\x05\x06\x07\x00\x01\x02\x03\x04\x05\x06\x07"), listen.CauseProtocol, "neither HTTP/2 nor TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			c.client(t, s.Addr().String())
			expectRefusal(t, told, c.cause, c.problem)
		})
	}
}

func TestTheDoorSaysNothingOfWhoAsksOrProbesThePort(t *testing.T) {
	ca, err := parts.NewCA("ca")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]listen.Config{"plaintext": loopback, "TLS": certified(t, ca, "envoy.test")} {
		s, told := refusals(t, c)
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		// The next client is told of, the one before was not.
		sends("GET / HTTP/1.1\r\nhost: x.example.com\r\n\r\n")(t, s.Addr().String())
		if r := <-told; r.Cause != listen.CauseHTTP1 && r.Cause != listen.CausePlaintext {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	s, told := refusals(t, loopback)
	if _, err := authv3.NewAuthorizationClient(plain(t, s)).Check(within(t), parse(t, plaintextCheck)); err != nil {
		t.Fatal(err)
	}
	if len(told) != 0 {
		t.Errorf("got %+v", <-told)
	}
}

func TestAHandshakeThatTakesTooLongIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		config *tls.Config
		sends  string
	}{
		"TLS, with nothing":        {&tls.Config{}, ""},
		"TLS, in the midst":        {&tls.Config{}, "\x16\x03\x01"},
		"plaintext, with nothing":  {nil, ""},
		"plaintext, in the midst":  {nil, "PRI * HTTP"},
		"plaintext, before the SM": {nil, clientPreface[:20]},
	} {
		told := make(chan listen.Refusal, 1)
		ours, theirs := net.Pipe()
		go func() {
			_, _ = io.WriteString(theirs, c.sends)
			_ = ours.SetDeadline(time.Now())
		}()
		creds := newHandshake(c.config, func(r listen.Refusal) { told <- r }, func(*tls.ConnectionState) client { return client{} })
		if conn, _, err := creds.ServerHandshake(ours); err == nil {
			_, _ = io.Copy(io.Discard, conn)
		}
		select {
		case r := <-told:
			if r.Cause != listen.CauseSlow {
				t.Errorf("%s: got %+v", name, r)
			}
		default:
			t.Errorf("%s: nothing was told", name)
		}
		_ = theirs.Close()
	}
}

func TestNamesOfACertificateAreCutAndQuoted(t *testing.T) {
	ca, err := parts.NewCA("ca")
	if err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range 9 {
		many = append(many, fmt.Sprintf("n%d.test", i))
	}
	s, told := refusals(t, certified(t, ca, "envoy.test"))
	pair, err := ca.Issue(parts.Leaf{Usage: forClients, DNSNames: many})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	speaksTLS(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{cert}})(t, s.Addr().String())
	expectRefusal(t, told, listen.CauseName, "n4.test …, expected one of envoy.test")
	odd := listen.NameError{Has: []string{"a\nb" + strings.Repeat("c", 400)}, Want: []string{"x"}}
	if text := odd.Error(); !strings.Contains(text, `"a\nbccc`) || len(text) > 300 {
		t.Errorf("got %s", text)
	}
}
