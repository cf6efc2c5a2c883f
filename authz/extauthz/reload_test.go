package extauthz

import (
	"crypto/x509"
	"os"
	"strings"
	"sync"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/credentials"
)

// enters says whether a new connection with these credentials gets an answer.
func enters(t testing.TB, s *Server, creds credentials.TransportCredentials) bool {
	t.Helper()
	conn := dial(t, s, creds)
	defer func() { _ = conn.Close() }()
	_, err := authv3.NewAuthorizationClient(conn).Check(within(t), &authv3.CheckRequest{})
	return err == nil
}

func TestChangedCertificatesAreInForceWithoutARestart(t *testing.T) {
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	f := newFiles(t, before, before)
	s := open(t, Config{TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"proxy.test"}})
	oldCert, oldKey := before.issue(t, x509.ExtKeyUsageClientAuth, dns("proxy.test"))
	newCert, newKey := after.issue(t, x509.ExtKeyUsageClientAuth, dns("proxy.test"))
	standing := authv3.NewAuthorizationClient(dial(t, s, client(t, before, oldCert, oldKey)))
	if _, err := standing.Check(within(t), &authv3.CheckRequest{}); err != nil {
		t.Fatal(err)
	}

	write(t, f.ca, after.pem())
	eventually(t, "a client of the new authority enters", func() bool { return enters(t, s, client(t, before, newCert, newKey)) })
	if enters(t, s, client(t, before, oldCert, oldKey)) {
		t.Error("a client of the removed authority still enters")
	}

	cert, key := after.issue(t, x509.ExtKeyUsageServerAuth, serverSide)
	write(t, f.cert, cert)
	write(t, f.key, key)
	eventually(t, "the door shows its new certificate", func() bool { return enters(t, s, client(t, after, newCert, newKey)) })
	if _, err := standing.Check(within(t), &authv3.CheckRequest{}); err != nil {
		t.Errorf("the connection there was is cut: %v", err)
	}
}

func TestFilesThatCannotBeUsedChangeNothingAndAreReportedOnce(t *testing.T) {
	ca := newAuthority(t, "ca")
	f := newFiles(t, ca, ca)
	var mu sync.Mutex
	var reports []string
	s := open(t, Config{
		TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"proxy.test"},
		OnError: func(err error) { mu.Lock(); defer mu.Unlock(); reports = append(reports, err.Error()) },
	})
	reported := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(reports) >= n }
	}
	cert, key := ca.issue(t, x509.ExtKeyUsageClientAuth, dns("proxy.test"))
	good, err := os.ReadFile(f.key)
	if err != nil {
		t.Fatal(err)
	}
	for i, spoil := range []func(){
		func() { write(t, f.key, []byte("half a k")) },
		func() { write(t, f.key, good); write(t, f.ca, nil) },
		func() {
			if err := os.Remove(f.ca); err != nil {
				t.Fatal(err)
			}
		},
	} {
		spoil()
		eventually(t, "the operator is told", reported(i+1))
		if !enters(t, s, client(t, ca, cert, key)) {
			t.Error("the last good files are not in force")
		}
		if enters(t, s, client(t, ca)) {
			t.Error("a client without certificate enters")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reports) != 3 || strings.Contains(strings.Join(reports, "\n"), "half a k") {
		t.Errorf("got reports %q, want one for each change and no contents", reports)
	}
}
