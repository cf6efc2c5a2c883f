package jwks

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// site answers by URL, 404 for what it has not.
type site map[string]Answer

func (s site) fetch(_ context.Context, _ Turn, url string) (Answer, error) {
	if a, ok := s[url]; ok {
		return a, nil
	}
	return Answer{Status: 404, Body: []byte("secret")}, nil
}

func page(body string) Answer { return Answer{Status: 200, Body: []byte(body)} }

func TestKeysAreFetchedWhereDiscoverySays(t *testing.T) {
	const issuer, url = "https://idp.example.com/realm", "https://keys.example.net/secret"
	for name, c := range map[string]struct {
		site       site
		discovered error
		want       string // in the error; "" if the keys are found
	}{
		"as it should be":      {site{url: page("the keys")}, nil, ""},
		"no document":          {site{url: page("the keys")}, errors.New("answered 404, 200 was expected"), "discovery: answered 404"},
		"keys that are gone":   {site{}, nil, "key set named by discovery: answered 404"},
		"keys without an end":  {site{url: page(strings.Repeat(" ", 1<<20+1))}, nil, "key set named by discovery: the answer is larger than"},
		"another good status":  {site{url: {Status: 203, Body: []byte("the keys")}}, nil, "answered 203, 200 was expected"},
		"a redirect of a kind": {site{url: {Status: 304}}, nil, "answered 304, 200 was expected"},
	} {
		discover := func(_ context.Context, _ Turn, asked string) (string, error) {
			if asked != issuer {
				t.Errorf("%s: asked for %s", name, asked)
			}
			return url, c.discovered
		}
		got, _, err := Config{Issuer: issuer, Discover: discover, Fetch: c.site.fetch}.load(t.Context(), Turn{}, "")
		switch {
		case c.want == "" && (err != nil || string(got.Body) != "the keys"):
			t.Errorf("%s: got %v, %v", name, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
	}
}

func TestExactlyOneSourceIsNeeded(t *testing.T) {
	discover := func(context.Context, Turn, string) (string, error) { return "u", nil }
	for _, c := range []Config{
		{}, {Fetch: site{}.fetch}, {URL: "u"},
		{URL: "u", Issuer: "i", Discover: discover, Fetch: site{}.fetch},
		{Issuer: "i", Fetch: site{}.fetch}, {Issuer: "i", Discover: discover},
	} {
		r := NewRemote(c)
		_, err := r.Lookup(t.Context(), "", "RS256")
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "exactly one") {
			t.Errorf("got %v", err)
		}
		r.Close()
	}
}
