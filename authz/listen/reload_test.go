package listen

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not in %v: %s", patience, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func proxy(t testing.TB, ca *parts.CA) parts.Pair {
	t.Helper()
	return issue(t, ca, parts.Leaf{DNSNames: []string{"proxy.test"}})
}

func TestChangedCertificatesAreInForceWithoutARestart(t *testing.T) {
	before, after := newCA(t, "before"), newCA(t, "after")
	f := newFiles(t, before, before)
	l := open(t, Config{TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"proxy.test"}})
	oldPair, newPair := proxy(t, before), proxy(t, after)
	standing := dial(t, l, trusting(t, before, oldPair))
	if err := echo(standing); err != nil {
		t.Fatal(err)
	}

	write(t, f.ca, after.PEM)
	eventually(t, "a client of the new authority enters", func() bool { return enters(t, l, trusting(t, before, newPair)) })
	if enters(t, l, trusting(t, before, oldPair)) {
		t.Error("a client of the removed authority still enters")
	}

	server, err := after.Server()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cert, server.Cert)
	write(t, f.key, server.Key)
	eventually(t, "the door shows its new certificate", func() bool { return enters(t, l, trusting(t, after, newPair)) })
	if err := echo(standing); err != nil {
		t.Errorf("the connection there was is cut: %v", err)
	}
}

func TestFilesThatCannotBeUsedChangeNothingAndAreReportedOnce(t *testing.T) {
	ca := newCA(t, "ca")
	f := newFiles(t, ca, ca)
	var mu sync.Mutex
	var reports []string
	l := open(t, Config{
		TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"proxy.test"},
		OnError: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			reports = append(reports, err.Error())
			panic("a callback's own defect")
		},
	})
	reported := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(reports) >= n }
	}
	pair := proxy(t, ca)
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
		if !enters(t, l, trusting(t, ca, pair)) {
			t.Error("the last good files are not in force")
		}
		if enters(t, l, trusting(t, ca)) {
			t.Error("a client without certificate enters")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reports) != 3 || strings.Contains(strings.Join(reports, "\n"), "half a k") {
		t.Errorf("got reports %q, want one for each change and no contents", reports)
	}
}

func TestFilesThatAreReadBetweenKeyAndCertificateAreInForceWithinASecond(t *testing.T) {
	ca := newCA(t, "ca")
	f := newFiles(t, ca, ca)
	server, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		certs, err := LoadCertificates(Config{TLSCert: f.cert, TLSKey: f.key})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := certs.Certificate(nil)
		go certs.Watch(t.Context())
		time.Sleep(reloadInterval - time.Millisecond)
		write(t, f.key, server.Key)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		write(t, f.cert, server.Cert)
		time.Sleep(time.Second - 2*time.Millisecond)
		synctest.Wait()
		if now, _ := certs.Certificate(nil); now == before {
			t.Error("a second after the key was written the door still shows its old certificate")
		}
	})
}

func TestAServerWithAListenerOfItsOwnCanHaveItsCertificateReloaded(t *testing.T) {
	before, after := newCA(t, "before"), newCA(t, "after")
	f := newFiles(t, before, before)
	certs, err := LoadCertificates(Config{TLSCert: f.cert, TLSKey: f.key})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); certs.Watch(ctx) }()
	l := open(t, Config{Certificate: certs.Certificate})
	if !enters(t, l, trusting(t, before)) {
		t.Fatal("the certificate is not shown")
	}
	pair, err := after.Server()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.key, pair.Key)
	write(t, f.cert, pair.Cert)
	eventually(t, "the new certificate is shown", func() bool { return enters(t, l, trusting(t, after)) })
	cancel()
	<-ended
	if _, err := LoadCertificates(Config{TLSCert: f.cert, TLSKey: f.key + "gone"}); err == nil {
		t.Error("loaded without a key")
	}
}

func TestWhenCertificatesEndIsToldWheneverTheyCameInUse(t *testing.T) {
	ca, short := newCA(t, "ca"), newCA(t, "short")
	f := newFiles(t, ca, ca)
	type ends struct{ certificate, clientCA time.Time }
	var mu sync.Mutex
	var told []ends
	open(t, Config{TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: []string{"*"}, OnLoad: func(certificate, clientCA time.Time) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, ends{certificate, clientCA})
	}})
	last := func() (int, ends) {
		mu.Lock()
		defer mu.Unlock()
		return len(told), told[len(told)-1]
	}
	if n, first := last(); n != 1 || time.Until(first.certificate) > time.Hour || first.certificate.IsZero() || first.clientCA.IsZero() {
		t.Fatalf("got %d, %v", n, first)
	}
	write(t, f.ca, []byte("no authority"))
	longer := issue(t, ca, parts.Leaf{DNSNames: []string{"localhost"}, Lifetime: 48 * time.Hour})
	write(t, f.ca, join(ca.PEM, short.PEM))
	write(t, f.cert, longer.Cert)
	write(t, f.key, longer.Key)
	eventually(t, "the new certificate's end is told", func() bool { _, now := last(); return time.Until(now.certificate) > 47*time.Hour })
	if got := firstEnd(join(ca.PEM, short.PEM)); got.IsZero() || !firstEnd(nil).IsZero() {
		t.Errorf("got %v", got)
	}
}
