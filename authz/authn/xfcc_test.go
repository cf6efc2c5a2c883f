package authn

import (
	"crypto/elliptic"
	"net/url"
	"strings"
	"testing"
)

func TestOnlyTheCertOfTheLastElementIsRead(t *testing.T) {
	for header, want := range map[string]string{
		`Cert="a"`: "a", `Cert=a`: "a", `cert="a"`: "a", `CERT="a";Chain="b"`: "a", `By=x,Cert="a"`: "a", `By=x, Cert="a"`: "a", `By="x,Cert=b",Cert="a"`: "a",
		`Cert="b",Cert="a"`: "a", `By=x;Subject="CN=\"a\",O=\\";Cert="a"`: "a", `Subject="";Cert="a";URI=spiffe://a/b?c=d;DNS=;DNS=x`: "a",
		// Without a certificate at the end.
		`Chain="a"`: "", `Hash=00`: "", `Cert="a",By=x`: "", `Cert="a",Chain="b"`: "", `By="Cert=a"`: "", `XCert="a"`: "", `By=;Cert`: "",
		// What nobody writes so.
		`Cert="a";Cert="b"`: "", `Cert="a";cert="a"`: "", `Hash=1;Hash=1;Cert="a"`: "", `Cert="a`: "", `Cert=a"`: "", `Cert="a"b`: "", `Cert="a";`: "", `Cert="a",`: "", `,Cert="a"`: "",
		`;Cert="a"`: "", `By=x;;Cert="a"`: "", `By=x,,Cert="a"`: "", ` `: "", `=a`: "", `Cert ="a"`: "", `Cert= "a"`: "", `Cert="a" ;By=x`: "", `Cert="a" x`: "",
		`By="x\";Cert="a"`: "", `By=",By=b;Cert="a"`: "", `By=",By=b;Hash=1;Subject="";Cert="a"`: "", `Cert="a\"`: "",
	} {
		got, problem := lastCertificate(header)
		if got != want || (problem == "") != (want != "") {
			t.Errorf("%s: %q, %q", header, got, problem)
		}
	}
}

// FuzzLastCertificate holds that what a caller writes before the element of the proxy
// changes nothing of what is read, unless all is refused.
func FuzzLastCertificate(f *testing.F) {
	for _, seed := range []string{``, `By=x`, `Cert="b"`, `By="`, `By="\`, `By="x\"`, `Cert="b";By="`, `,`, `;`, `By=x,Cert="b"`, `Chain="a";Subject="CN=\",Cert=b"`, `a="\\`} {
		f.Add(seed)
	}
	const suffix = `By=spiffe://a/b;Hash=00;Cert="-----BEGIN%20CERTIFICATE-----%0AAA%3D%3D%0A";Subject="CN=a,O=\"b\"";URI=spiffe://a/c`
	own, problem := lastCertificate(suffix)
	if own == "" || problem != "" {
		f.Fatal(problem)
	}
	f.Fuzz(func(t *testing.T, before string) {
		got, problem := lastCertificate(before + "," + suffix)
		if got != own && problem == "" {
			t.Fatalf("%q before it: %q", before, got)
		}
		if got, problem := lastCertificate(before); (got != "") == (problem != "") && got+problem != "" || strings.ContainsAny(got, "\"") {
			t.Fatalf("%q: %q, %q", before, got, problem)
		}
	})
}

// FuzzParsePeerCertificate holds that what is read is the one certificate that the text
// says, written again it is read again.
func FuzzParsePeerCertificate(f *testing.F) {
	ca := signer{}.issue(f, authority("mesh", -5, 5), ecKey(f, elliptic.P256()))
	text := pemOf(ca.issue(f, client(-1, 1), ecKey(f, elliptic.P256())).cert)
	for _, seed := range []string{"", text, url.PathEscape(text), url.PathEscape(text + text), beginCertificate, text + "x", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cert, err := ParsePeerCertificate(text)
		if (cert == nil) != (err != nil) {
			t.Fatalf("%v, %v", cert, err)
		}
		if err != nil {
			return
		}
		again, err := ParsePeerCertificate(url.PathEscape(pemOf(cert)))
		if err != nil || !again.Equal(cert) {
			t.Fatalf("written again it is %v", err)
		}
		if n := strings.Count(strings.ToUpper(text), "CERTIFICATE"); len(text) > 3*maxCertificate || n > 2 && !strings.Contains(text, "%") {
			t.Fatalf("%d bytes, CERTIFICATE %d times", len(text), n)
		}
	})
}
