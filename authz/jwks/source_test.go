package jwks

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestDiscoveryFindsTheDocumentWhereTheStandardsPutIt(t *testing.T) {
	for issuer, want := range map[string][2]string{
		"https://idp.example.com":           {"https://idp.example.com/.well-known/openid-configuration", "https://idp.example.com/.well-known/oauth-authorization-server"},
		"https://idp.example.com/":          {"https://idp.example.com/.well-known/openid-configuration", "https://idp.example.com/.well-known/oauth-authorization-server"},
		"https://idp.example.com:8443/a/b/": {"https://idp.example.com:8443/a/b/.well-known/openid-configuration", "https://idp.example.com:8443/.well-known/oauth-authorization-server/a/b"},
		"https://idp.example.com/a%2Fb":     {"https://idp.example.com/a%2Fb/.well-known/openid-configuration", "https://idp.example.com/.well-known/oauth-authorization-server/a%2Fb"},
	} {
		openid, oauth, err := wellKnown(issuer)
		if err != nil || openid != want[0] || oauth != want[1] {
			t.Errorf("%s: got %s, %s, %v", issuer, openid, oauth, err)
		}
	}
	for _, issuer := range []string{"idp", "https://", "https://u:p@idp.example.com", "https://idp.example.com?x=y", "https://idp.example.com/?", "https://idp.example.com/#", "%zz"} {
		if _, _, err := wellKnown(issuer); err == nil {
			t.Errorf("%s: want an error", issuer)
		}
	}
}

// site answers by URL, 404 for what it has not.
type site map[string]Answer

func (s site) fetch(_ context.Context, url string) (Answer, error) {
	if a, ok := s[url]; ok {
		return a, nil
	}
	return Answer{Status: 404, Body: []byte("secret")}, nil
}

func page(body string) Answer { return Answer{Status: 200, Body: []byte(body)} }

func TestKeysAreFoundByDiscovery(t *testing.T) {
	const (
		issuer   = "https://idp.example.com/realm"
		document = `{"issuer":"https://idp.example.com/realm","jwks_uri":"https://keys.example.net/secret","other":[1]}`
		openid   = issuer + "/.well-known/openid-configuration"
		oauth    = "https://idp.example.com/.well-known/oauth-authorization-server/realm"
	)
	keys := page("the keys")
	for name, c := range map[string]struct {
		site site
		want string // in the error; "" if the keys are found
	}{
		"at the OpenID place":                     {site{openid: page(document), "https://keys.example.net/secret": keys}, ""},
		"at the OAuth place if the first is 404":  {site{oauth: page(document), "https://keys.example.net/secret": keys}, ""},
		"nowhere":                                 {site{}, "discovery: answered 404"},
		"not behind a first place that is broken": {site{openid: {Status: 500}, oauth: page(document), "https://keys.example.net/secret": keys}, "discovery: answered 500"},
		"not behind a first place that is HTML":   {site{openid: page("<html>secret"), oauth: page(document)}, "not a discovery document: malformed"},
		"another issuer":                          {site{openid: page(strings.Replace(document, "realm", "secret", 1))}, `another issuer than "https://idp.example.com/realm"`},
		"no issuer":                               {site{openid: page(`{"jwks_uri":"https://keys.example.net/secret"}`)}, "another issuer"},
		"a trailing slash":                        {site{openid: page(strings.Replace(document, "realm", "realm/", 1))}, "trailing slash"},
		"other letter case":                       {site{openid: page(strings.Replace(document, "realm", "REALM", 1))}, "another issuer"},
		"two issuers":                             {site{openid: page(strings.Replace(document, "{", `{"issuer":"secret",`, 1))}, "a name twice"},
		"no jwks_uri":                             {site{openid: page(`{"issuer":"https://idp.example.com/realm"}`)}, "no jwks_uri"},
		"jwks_uri a number":                       {site{openid: page(`{"issuer":"https://idp.example.com/realm","jwks_uri":7}`)}, "types"},
		"an oversized one":                        {site{openid: page(document + strings.Repeat(" ", 1<<20))}, "larger than"},
		"keys that are gone":                      {site{openid: page(document)}, "key set named by discovery: answered 404"},
	} {
		got, err := Config{Issuer: issuer, Fetch: c.site.fetch}.load(t.Context())
		switch {
		case c.want == "" && (err != nil || string(got.Body) != "the keys"):
			t.Errorf("%s: got %v, %v", name, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
	}
}

func TestExactlyOneSourceIsNeeded(t *testing.T) {
	for _, c := range []Config{{}, {Fetch: site{}.fetch}, {URL: "u"}, {URL: "u", Issuer: "i", Fetch: site{}.fetch}} {
		r := NewRemote(c)
		_, err := r.Lookup(t.Context(), "", "RS256")
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "exactly one") {
			t.Errorf("got %v", err)
		}
		r.Close()
	}
}
