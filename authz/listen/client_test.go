package listen

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"testing"
)

func TestWhoAsksIsTheNameThatItWasLetInByOrAWord(t *testing.T) {
	certificate := func(dns []string, uris ...string) *tls.ConnectionState {
		cert := &x509.Certificate{DNSNames: dns}
		for _, text := range uris {
			uri, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			cert.URIs = append(cert.URIs, uri)
		}
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	}
	ca := newCA(t, "ca")
	f := newFiles(t, ca, ca)
	named := func(names ...string) Config {
		return Config{Address: ":0", TLSCert: f.cert, TLSKey: f.key, ClientCA: f.ca, ClientNames: names}
	}
	for name, c := range map[string]struct {
		config Config
		state  *tls.ConnectionState
		want   string
	}{
		"plaintext on loopback":                   {Config{Address: "127.0.0.1:0"}, nil, "loopback"},
		"plaintext on loopback, and a network":    {Config{Address: "127.0.0.1:0", TrustNetwork: true}, nil, "loopback"},
		"plaintext on a network":                  {Config{Address: ":0", TrustNetwork: true}, nil, "network"},
		"TLS without client certificates":         {Config{Address: "127.0.0.1:0", TLSCert: f.cert, TLSKey: f.key}, &tls.ConnectionState{}, "loopback"},
		"a certificate that nobody asked for":     {Config{Address: ":0", TLSCert: f.cert, TLSKey: f.key, TrustNetwork: true}, certificate([]string{"a.example.com"}), "network"},
		"the one name":                            {named("a.example.com"), certificate([]string{"a.example.com"}), "a.example.com"},
		"the name that lets in, not another one":  {named("b.example.com"), certificate([]string{"a.example.com", "b.example.com"}), "b.example.com"},
		"the first name of the operator's":        {named("b.example.com", "a.example.com"), certificate([]string{"a.example.com", "b.example.com"}), "b.example.com"},
		"a URI":                                   {named("spiffe://prod/proxy"), certificate([]string{"a.example.com"}, "spiffe://prod/proxy"), "spiffe://prod/proxy"},
		"any certificate: its first name":         {named("*"), certificate([]string{"a.example.com", "b.example.com"}), "a.example.com"},
		"any certificate: its URI":                {named("*"), certificate(nil, "spiffe://prod/other"), "spiffe://prod/other"},
		"any certificate without a name":          {named("*"), certificate(nil), "*"},
		"any certificate, and a name that is one": {named("*", "b.example.com"), certificate([]string{"a.example.com", "b.example.com"}), "b.example.com"},
	} {
		l, err := Listen(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Client(c.state); got != c.want {
			t.Errorf("%s: expected %s, got %s", name, c.want, got)
		}
		_ = l.Close()
	}
}
