package mcp

import (
	"encoding/json"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func uriOf(t *testing.T, uri string) (*Call, error) {
	t.Helper()
	quoted, err := json.Marshal(uri)
	if err != nil {
		t.Fatal(err)
	}
	return Read(request(t, []byte(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":`+string(quoted)+`}}`)), false)
}

// The official SDKs read a URI as browsers do, and look for the resource of what comes
// out: an entry for file:///private/* has to see what they find.
func TestAURIThatServersRewriteIsRefused(t *testing.T) {
	for _, uri := range []string{
		`file:///private\a`, "FILE:///private/a", "File:///private/a", "file:///%70rivate/a", "file:///a%2Dprivate", "file:///%7Ea",
		"file://localhost/private/a", "file://LOCALHOST/private/a", "file:/private/a", "file:private/a", "file:///a//b", "file:////private/a",
		"https://H.example.com/x", "https://h:443/x", "https://h:/x", "https://h:0444/x", "http://h:80/x", "https:/h/x", "https:h/x",
		"https:///h/x", "https://u@h/x", "https://%68/x", "https://größe/x", `https://h\x`, "wss://h:443/", "ftp://h:21/x", "NOTE:a", "Db://x/y",
		"https://{@H/x",
		"file:///public/a?/../../private", "file:///public/a#/../../private", `db:///public/a?\..\b`,
	} {
		if _, err := uriOf(t, uri); err == nil {
			t.Errorf("%s: is let through", uri)
		} else if reason, code := reasonOf(t, err); reason != authz.MCPRequestInvalid || code != codeParams {
			t.Errorf("%s: got %s %d", uri, reason, code)
		}
	}
}

func TestAURIInItsNormalSpellingIsLetThrough(t *testing.T) {
	for _, uri := range []string{
		"file:///private/a", "file:///private/a%20b", "file:///gr%C3%B6%c3%9fe", "file:///größe", "file:///", "file://nas/share/a", "file:///a.b/..c/d..",
		"https://h.example.com", "https://h.example.com/", "https://h.example.com:8443/A//b?q=../x#f", "http://127.0.0.1:3000/", "http://[::1]:3000/x", "http://[::1]/x",
		"repo://owner%2Fname/HEAD", "db://Orders/Table", "postgres://user@Host:5432/x", "fetch://https://example.com/x", "note:Abc", "urn:isbn:0451450523",
		"100%", "a name", "A/B", "ui://widget/a.html", "git+ssh://git@h/x", "https://{Host}/x", "{Scheme}://x", "file:///{Path}", "data:text/plain,A%",
	} {
		if c, err := uriOf(t, uri); err != nil || c.Resources[0] != uri {
			t.Errorf("%s: %v", uri, err)
		}
	}
}
