package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const patience = 10 * time.Second

func newCA(t testing.TB, name string) *parts.CA {
	t.Helper()
	ca, err := parts.NewCA(name)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t testing.TB, ca *parts.CA, leaf parts.Leaf) parts.Pair {
	t.Helper()
	pair, err := ca.Issue(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// files is a folder with a door's certificate, key and client authority.
type files struct{ cert, key, ca string }

func newFiles(t testing.TB, server, client *parts.CA) files {
	t.Helper()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")}
	pair, err := server.Server()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cert, pair.Cert)
	write(t, f.key, pair.Key)
	write(t, f.ca, client.PEM)
	return f
}

// write replaces a file at once, as a careful operator does.
func write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// open serves a door on loopback until the test ends: it echoes.
func open(t testing.TB, c Config) *Listener {
	t.Helper()
	c.Address = "127.0.0.1:0"
	l, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if l.TLS != nil {
				conn = tls.Server(conn, l.TLS)
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // ends with the client
			}()
		}
	}()
	return l
}

// trusting is a client that trusts ca and shows its pair, if it has one,
// whatever authorities the door says it accepts.
func trusting(t testing.TB, ca *parts.CA, pair ...parts.Pair) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if len(pair) == 1 {
		cert, err := tls.X509KeyPair(pair[0].Cert, pair[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return c
}

// dial connects to a door; a nil client speaks plaintext.
func dial(t testing.TB, l *Listener, client *tls.Config) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if client == nil {
		return conn
	}
	return tls.Client(conn, client)
}

// echo is an error unless what is sent comes back: in TLS 1.3 a client learns
// that its certificate is refused when it reads.
func echo(conn net.Conn) error {
	sent := []byte("more than the header of a TLS record")
	got := make([]byte, len(sent))
	if _, err := conn.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != string(sent) {
		return errors.New("got no echo")
	}
	return nil
}

// enters says whether a new connection of the client is served.
func enters(t testing.TB, l *Listener, client *tls.Config) bool {
	t.Helper()
	conn := dial(t, l, client)
	defer conn.Close()
	return echo(conn) == nil
}

func TestOnlyADoorWhoseCallersAreKnownOpens(t *testing.T) {
	ca := newCA(t, "ca")
	f := newFiles(t, ca, ca)
	shown := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
	const threeWays = "--client-ca with --client-name|a loopback --grpc-address|--trust-network"
	for _, c := range []struct {
		name    string
		config  Config
		problem string // what the usage error has to say, parted by |
	}{
		{"loopback", Config{Address: "127.0.0.1:0"}, ""},
		{"the rest of 127/8", Config{Address: "127.1.2.3:0"}, ""},
		{"IPv4-mapped loopback", Config{Address: "[::ffff:127.0.0.1]:0"}, ""},
		{"localhost", Config{Address: "localhost:0"}, ""},
		{"loopback with TLS", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key}, ""},
		{"everywhere, with named client certificates", Config{Address: ":0", TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"a"}}, ""},
		{"everywhere, trusted", Config{Address: ":0", TrustNetwork: true}, ""},
		{"everywhere, for any client", Config{Address: ":0", AnyClient: true, Certificate: shown}, ""},
		{"no host", Config{Address: ":0"}, threeWays},
		{"0.0.0.0", Config{Address: "0.0.0.0:0"}, threeWays},
		{"::", Config{Address: "[::]:0"}, threeWays},
		{"everywhere with TLS but no client certificates", Config{Address: ":0", TLSCert: f.cert, TLSKey: f.key}, threeWays},
		{"everywhere with a certificate of a function", Config{Address: ":0", Certificate: shown}, threeWays},
		{"client CA without names", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca}, "--client-name"},
		{"client CA without names on a trusted network", Config{Address: ":0", TrustNetwork: true, TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca}, "--client-name"},
		{"an empty name", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{""}}, "--client-name"},
		{"names without client CA", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, ClientNames: []string{"a"}}, "--client-ca"},
		{"client CA without TLS", Config{Address: "127.0.0.1:0", ClientCA: f.ca, ClientNames: []string{"a"}}, "--tls-cert|--tls-key"},
		{"client CA beside a certificate of a function", Config{Address: "127.0.0.1:0", Certificate: shown, ClientCA: f.ca, ClientNames: []string{"a"}}, "--tls-cert|--tls-key"},
		{"certificate without key", Config{Address: "127.0.0.1:0", TLSCert: f.cert}, "--tls-cert|--tls-key"},
		{"key without certificate", Config{Address: "127.0.0.1:0", TLSKey: f.key}, "--tls-cert|--tls-key"},
		{"two certificates", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, Certificate: shown}, "one certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Listen(c.config)
			if l != nil {
				defer l.Close()
			}
			var usage *UsageError
			if c.problem == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.As(err, &usage) {
				t.Fatalf("got %v, want a usage error", err)
			}
			for _, word := range strings.Split(c.problem, "|") {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
		})
	}
}

func TestADoorWhoseFilesCannotBeUsedDoesNotOpen(t *testing.T) {
	ca := newCA(t, "ca")
	otherKey := issue(t, ca, parts.Leaf{}).Key
	cut := ca.PEM[:len(ca.PEM)-20]
	for name, spoil := range map[string]func(files){
		"a key of another certificate": func(f files) { write(t, f.key, otherKey) },
		"no certificate":               func(f files) { write(t, f.cert, nil) },
		"no authority":                 func(f files) { write(t, f.ca, []byte("# none yet\n")) },
		"half an authority":            func(f files) { write(t, f.ca, join(ca.PEM, cut)) },
		"a key among the authorities":  func(f files) { write(t, f.ca, join(ca.PEM, otherKey)) },
		"an authority that is none": func(f files) {
			write(t, f.ca, []byte("-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n"))
		},
	} {
		f := newFiles(t, ca, ca)
		spoil(f)
		l, err := Listen(Config{
			Address: "127.0.0.1:0",
			TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"*"},
		})
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = l.Close()
		}
	}
}

func join(a, b []byte) []byte { return append(append([]byte(nil), a...), b...) }

func TestOnlyANamedCertificateOfTheAuthorityGetsThroughTheDoor(t *testing.T) {
	ca, other := newCA(t, "ca"), newCA(t, "ca")
	f := newFiles(t, ca, ca)
	pair := func(a *parts.CA, usage x509.ExtKeyUsage, leaf parts.Leaf) *tls.Config {
		leaf.CommonName, leaf.Usage = "proxy.test", []x509.ExtKeyUsage{usage}
		return trusting(t, ca, issue(t, a, leaf))
	}
	dns := func(name string) parts.Leaf { return parts.Leaf{DNSNames: []string{name}} }
	uri := func(name string) parts.Leaf { return parts.Leaf{URIs: []string{name}} }
	expired := parts.Leaf{NotBefore: time.Now().Add(-time.Hour), Lifetime: time.Hour - time.Minute}
	const spiffe = "spiffe://prod/ns/envoy/sa/proxy"
	for _, c := range []struct {
		name   string
		names  []string
		client *tls.Config
		want   bool
	}{
		{"named by DNS", []string{"x", "proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("proxy.test")), true},
		{"named by URI", []string{spiffe}, pair(ca, x509.ExtKeyUsageClientAuth, uri(spiffe)), true},
		{"any name", []string{"*"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("whoever")), true},
		{"any name, and none there", []string{"*"}, pair(ca, x509.ExtKeyUsageClientAuth, parts.Leaf{}), true},
		{"another name", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("other.test")), false},
		{"the name in the subject only", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, parts.Leaf{}), false},
		{"a longer name", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("a.proxy.test")), false},
		{"a name that would match as a pattern", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("*.test")), false},
		{"a URI that goes on", []string{spiffe}, pair(ca, x509.ExtKeyUsageClientAuth, uri(spiffe+"/x")), false},
		{"an authority of the same name", []string{"*"}, pair(other, x509.ExtKeyUsageClientAuth, dns("proxy.test")), false},
		{"a server's certificate", []string{"*"}, pair(ca, x509.ExtKeyUsageServerAuth, dns("proxy.test")), false},
		{"expired", []string{"*"}, pair(ca, x509.ExtKeyUsageClientAuth, expired), false},
		{"no certificate", []string{"*"}, trusting(t, ca), false},
		{"plaintext", []string{"*"}, nil, false},
	} {
		l := open(t, Config{TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: c.names})
		if err := echo(dial(t, l, c.client)); (err == nil) != c.want {
			t.Errorf("%s: got %v, want success to be %v", c.name, err, c.want)
		}
	}
}

func TestTLSIsAtLeast12AndSpeaksTheDoorsProtocol(t *testing.T) {
	ca := newCA(t, "ca")
	f := newFiles(t, ca, ca)
	files, err := LoadCertificates(Config{TLSCert: f.cert, TLSKey: f.key})
	if err != nil {
		t.Fatal(err)
	}
	for kind, config := range map[string]Config{
		"of files":      {TLSCert: f.cert, TLSKey: f.key, Protocols: []string{"h2"}},
		"of a function": {Certificate: files.Certificate, Protocols: []string{"h2"}},
	} {
		l := open(t, config)
		for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			client := trusting(t, ca)
			client.MinVersion, client.MaxVersion = version, version
			conn := tls.Client(dial(t, l, nil), client)
			err := conn.HandshakeContext(t.Context())
			if (err == nil) != want {
				t.Errorf("%s, %s: got %v", kind, tls.VersionName(version), err)
			}
			if p := conn.ConnectionState().NegotiatedProtocol; err == nil && p != "h2" {
				t.Errorf("%s, %s: got protocol %q, want h2", kind, tls.VersionName(version), p)
			}
		}
	}
}

func TestNoSessionIsResumedPastItsAuthority(t *testing.T) {
	ca := newCA(t, "ca")
	f := newFiles(t, ca, ca)
	l := open(t, Config{TLSCert: f.cert, TLSKey: f.key})
	client := trusting(t, ca)
	client.MaxVersion, client.NextProtos = tls.VersionTLS12, nil
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		conn := tls.Client(dial(t, l, nil), client)
		if err := conn.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			t.Error("a session was resumed")
		}
		_ = conn.Close()
	}
}

func TestAClosedDoorFreesItsAddress(t *testing.T) {
	l, err := Listen(Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Listen(Config{Address: l.Addr().String()})
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	_ = again.Close()
}
