package extauthz

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func TestOnlyADoorWhoseCallersAreKnownOpens(t *testing.T) {
	ca := newAuthority(t, "ca")
	f := newFiles(t, ca, ca)
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
		{"no host", Config{Address: ":0"}, threeWays},
		{"0.0.0.0", Config{Address: "0.0.0.0:0"}, threeWays},
		{"::", Config{Address: "[::]:0"}, threeWays},
		{"everywhere with TLS but no client certificates", Config{Address: ":0", TLSCert: f.cert, TLSKey: f.key}, threeWays},
		{"client CA without names", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca}, "--client-name"},
		{"client CA without names on a trusted network", Config{Address: ":0", TrustNetwork: true, TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca}, "--client-name"},
		{"an empty name", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{""}}, "--client-name"},
		{"names without client CA", Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key, ClientNames: []string{"a"}}, "--client-ca"},
		{"client CA without TLS", Config{Address: "127.0.0.1:0", ClientCA: f.ca, ClientNames: []string{"a"}}, "--tls-cert|--tls-key"},
		{"certificate without key", Config{Address: "127.0.0.1:0", TLSCert: f.cert}, "--tls-cert|--tls-key"},
		{"key without certificate", Config{Address: "127.0.0.1:0", TLSKey: f.key}, "--tls-cert|--tls-key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Decider = decide(allowAll)
			s, err := Listen(c.config)
			if s != nil {
				defer s.Shutdown(within(t))
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
	if _, err := Listen(Config{Address: "127.0.0.1:0"}); err == nil {
		t.Error("a door without a Decider opened")
	}
}

func TestADoorWhoseFilesCannotBeUsedDoesNotOpen(t *testing.T) {
	ca := newAuthority(t, "ca")
	_, otherKey := ca.issue(t, x509.ExtKeyUsageServerAuth, nil)
	cut := ca.pem()[:len(ca.pem())-20]
	for name, spoil := range map[string]func(files){
		"a key of another certificate": func(f files) { write(t, f.key, otherKey) },
		"no certificate":               func(f files) { write(t, f.cert, nil) },
		"no authority":                 func(f files) { write(t, f.ca, []byte("# none yet\n")) },
		"half an authority":            func(f files) { write(t, f.ca, append(ca.pem(), cut...)) },
		"a key among the authorities":  func(f files) { write(t, f.ca, append(ca.pem(), otherKey...)) },
		"an authority that is none":    func(f files) { write(t, f.ca, block("CERTIFICATE", []byte("x"))) },
	} {
		f := newFiles(t, ca, ca)
		spoil(f)
		s, err := Listen(Config{
			Address: "127.0.0.1:0", Decider: decide(allowAll),
			TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"*"},
		})
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Shutdown(within(t))
		}
	}
}

func TestOnlyANamedCertificateOfTheAuthorityGetsThroughTheDoor(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "ca")
	f := newFiles(t, ca, ca)
	pair := func(a *authority, usage x509.ExtKeyUsage, change func(*x509.Certificate)) credentials.TransportCredentials {
		cert, key := a.issue(t, usage, change)
		return client(t, ca, cert, key)
	}
	const spiffe = "spiffe://prod/ns/envoy/sa/proxy"
	for _, c := range []struct {
		name  string
		names []string
		creds credentials.TransportCredentials
		want  bool
	}{
		{"named by DNS", []string{"x", "proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("proxy.test")), true},
		{"named by URI", []string{spiffe}, pair(ca, x509.ExtKeyUsageClientAuth, uri(t, spiffe)), true},
		{"any name", []string{"*"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("whoever")), true},
		{"any name, and none there", []string{"*"}, pair(ca, x509.ExtKeyUsageClientAuth, nil), true},
		{"another name", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("other.test")), false},
		{"the name in the subject only", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, nil), false},
		{"a longer name", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("a.proxy.test")), false},
		{"a name that would match as a pattern", []string{"proxy.test"}, pair(ca, x509.ExtKeyUsageClientAuth, dns("*.test")), false},
		{"a URI that goes on", []string{spiffe}, pair(ca, x509.ExtKeyUsageClientAuth, uri(t, spiffe+"/x")), false},
		{"an authority of the same name", []string{"*"}, pair(other, x509.ExtKeyUsageClientAuth, dns("proxy.test")), false},
		{"a server's certificate", []string{"*"}, pair(ca, x509.ExtKeyUsageServerAuth, dns("proxy.test")), false},
		{"expired", []string{"*"}, pair(ca, x509.ExtKeyUsageClientAuth, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), false},
		{"no certificate", []string{"*"}, client(t, ca), false},
		{"plaintext", []string{"*"}, insecure.NewCredentials(), false},
	} {
		s := open(t, Config{TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: c.names})
		_, err := authv3.NewAuthorizationClient(dial(t, s, c.creds)).Check(within(t), parse(t, plaintextCheck))
		if (err == nil) != c.want {
			t.Errorf("%s: got %v, want success to be %v", c.name, err, c.want)
		}
	}
}

func TestTLSIsAtLeast12AndSpeaksHTTP2(t *testing.T) {
	ca := newAuthority(t, "ca")
	f := newFiles(t, ca, ca)
	s := open(t, Config{TLSCert: f.cert, TLSKey: f.key})
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{
			RootCAs: roots, MinVersion: version, MaxVersion: version, NextProtos: []string{"h2"}, // #nosec G402
		})
		if (err == nil) != want {
			t.Errorf("%s: got %v", tls.VersionName(version), err)
		}
		if err != nil {
			continue
		}
		if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
			t.Errorf("%s: got protocol %q, want h2", tls.VersionName(version), p)
		}
		_ = conn.Close()
	}
}

func TestNoSessionIsResumedPastItsAuthority(t *testing.T) {
	ca := newAuthority(t, "ca")
	f := newFiles(t, ca, ca)
	s := open(t, Config{TLSCert: f.cert, TLSKey: f.key})
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	config := &tls.Config{
		RootCAs: roots, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	for range 2 {
		conn, err := tls.Dial("tcp", s.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			t.Error("a session was resumed")
		}
		_ = conn.Close()
	}
}
