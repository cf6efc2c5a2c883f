package servingcert

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestTwoReplicasThatStartAtOnceServeOneCertificate(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	one, two := keeper(a, c), keeper(a, c)
	a.between = func() { look(t, two) } // after one has read the configuration
	look(t, one, two)
	if serial(t, one) != serial(t, two) || authoritiesIn(a.bundle()) != 1 {
		t.Errorf("expected one certificate and one authority, got\n%s", a.bundle())
	}
	if err := ask(t, serve(t, one), a.bundle(), c.time); err != nil {
		t.Error(err)
	}
	writes := a.writes
	for range 3 {
		c.now = c.now.Add(time.Hour)
		look(t, one, two)
	}
	if a.writes != writes {
		t.Errorf("expected nothing to be written where nothing is due, got %d writes", a.writes-writes)
	}
}

func TestOnlyOurEntryOfTheConfigurationIsWritten(t *testing.T) {
	a := newAPI()
	theirs := a.configuration.Webhooks[0].DeepCopy()
	look(t, keeper(a, &clock{noon}))
	if !reflect.DeepEqual(a.configuration.Webhooks[0], *theirs) {
		t.Errorf("expected %+v to be let be, got %+v", theirs, a.configuration.Webhooks[0])
	}
}

func TestACertificateIsForWhatTheConfigurationNames(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	k := keeper(a, c)
	look(t, k)
	before := serial(t, k)
	entry := &a.configuration.Webhooks[1].ClientConfig
	url := "https://127.0.0.1:9443/validate"
	entry.Service, entry.URL = nil, &url
	look(t, k)
	if err := k.current.Load().Leaf.VerifyHostname("127.0.0.1"); err != nil || serial(t, k) == before {
		t.Errorf("expected a certificate for the address, got %v", err)
	}
	usage := k.current.Load().Leaf
	if !reflect.DeepEqual(usage.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || usage.IsCA {
		t.Errorf("expected a certificate of a server, got %+v", usage)
	}
	entry.URL = nil
	if err := k.look(t.Context()); err == nil || serial(t, k) == before {
		t.Errorf("expected to be told that nothing is named, and to serve on, got %v", err)
	}
}

func TestABundleThatSomebodyRemovedComesBack(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	k := keeper(a, c)
	look(t, k)
	want := a.bundle()
	a.configuration.Webhooks[1].ClientConfig.CABundle, a.configuration.ResourceVersion = nil, a.next()
	look(t, k)
	if !bytes.Equal(a.bundle(), want) {
		t.Errorf("expected\n%s\ngot\n%s", want, a.bundle())
	}
}

func TestWhatOfTheSecretCannotBeUsedIsMadeAnew(t *testing.T) {
	for name, spoil := range map[string]func(data map[string][]byte){
		"nothing, on purpose": func(data map[string][]byte) { clear(data) },
		"text":                func(data map[string][]byte) { data[currentCert] = []byte("text") },
		"no key":              func(data map[string][]byte) { delete(data, currentKey) },
		"another's key":       func(data map[string][]byte) { data[currentKey] = other(t).keyPEM },
		"no authority":        func(data map[string][]byte) { data[currentCert] = encode(other(t).Certificate.Certificate[0]) },
		"half an update":      func(data map[string][]byte) { data[nextCert] = data[currentCert] },
		"a bundle of text":    func(data map[string][]byte) { data[trusted] = []byte("text") },
	} {
		a, c := newAPI(), &clock{noon}
		look(t, keeper(a, c))
		spoil(a.secret.Data)
		a.secret.ResourceVersion = a.next()
		k := keeper(a, c)
		look(t, k)
		if err := ask(t, serve(t, k), a.bundle(), c.time); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if m, err := read(a.secret.Data); err != nil || m.next != nil {
			t.Errorf("%s: expected a Secret that can be used, got %v", name, err)
		}
	}
}

func other(t *testing.T) *pair {
	t.Helper()
	p, err := issue([]string{"other.test"}, noon, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWithoutTheAPIServerTheLastCertificateIsServed(t *testing.T) {
	a, c := newAPI(), &clock{noon}
	k := keeper(a, c)
	if _, err := k.Certificate(nil); err == nil {
		t.Error("expected no certificate before the first look")
	}
	look(t, k)
	before := serial(t, k)
	a.away = errors.New("away")
	c.now = noon.Add(DefaultValidity * 9 / 10)
	if err := k.look(t.Context()); !errors.Is(err, a.away) || serial(t, k) != before {
		t.Errorf("expected %s and an error, got %s, %v", before, serial(t, k), err)
	}
	a.away, c.now = nil, noon.Add(2*DefaultValidity) // nobody was there for long
	look(t, k)
	if err := ask(t, serve(t, k), a.bundle(), c.time); err != nil || authoritiesIn(a.bundle()) != 1 {
		t.Errorf("expected a new certificate, got %v\n%s", err, a.bundle())
	}
}

func TestRunLooksUntilItEnds(t *testing.T) {
	a := newAPI()
	k := New(Config{Secrets: secrets{a}, Configurations: configurations{a}, Configuration: configuration, Interval: time.Millisecond, Log: keeper(a, &clock{}).Log})
	a.away = errors.New("away")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	a.mu.Lock()
	a.away = nil
	a.mu.Unlock()
	parts.Within(t, 10*time.Second, func() error { _, err := k.Certificate(nil); return err })
	cancel()
	<-ended
}
