package authn

import (
	"errors"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

var (
	bearer = Place{In: InHeader, Name: "authorization", Scheme: "bearer"}
	basic  = Place{In: InHeader, Name: "authorization", Scheme: "basic"}
	apiKey = Place{In: InHeader, Name: "x-api-key", List: true}
	cookie = Place{In: InCookie, Name: "token"}
	query  = Place{In: InQuery, Name: "token"}
	plain  = Place{In: InHeader, Name: "x-token"}
)

func request(t testing.TB, path string, headers ...authz.Header) *authz.Request {
	t.Helper()
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: path, Headers: headers, TLS: true, Time: clock})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatAPlaceHolds(t *testing.T) {
	auth := func(v string) []authz.Header { return []authz.Header{{Name: "Authorization", Value: v}} }
	h := func(n, v string) []authz.Header { return []authz.Header{{Name: n, Value: v}} }
	for name, c := range map[string]struct {
		place   Place
		path    string
		headers []authz.Header

		value     string // of what was found
		nothing   bool   // nothing was found
		malformed bool
		empty     bool // the place is not occupied
	}{
		"a bearer token":                           {place: bearer, headers: auth("Bearer abc"), value: "abc"},
		"a scheme in lower case":                   {place: bearer, headers: auth("bearer abc"), value: "abc"},
		"a scheme in any case":                     {place: bearer, headers: auth("bEaReR abc"), value: "abc"},
		"more than one space":                      {place: bearer, headers: auth("Bearer   abc"), value: "abc"},
		"a tab instead of a space is malformed":    {place: bearer, headers: auth("Bearer\tabc"), value: "\tabc", malformed: true},
		"a tab behind the space is malformed":      {place: bearer, headers: auth("Bearer \tabc"), value: "\tabc", malformed: true},
		"a space behind the token is malformed":    {place: bearer, headers: auth("Bearer abc "), value: "abc ", malformed: true},
		"a second token is malformed":              {place: bearer, headers: auth("Bearer abc def"), value: "abc def", malformed: true},
		"a scheme alone is malformed":              {place: bearer, headers: auth("Bearer"), malformed: true},
		"a scheme and a space is malformed":        {place: bearer, headers: auth("Bearer "), malformed: true},
		"no space at all is another scheme":        {place: bearer, headers: auth("Bearerabc"), nothing: true},
		"a colon behind the scheme is malformed":   {place: bearer, headers: auth("Bearer: abc"), value: ": abc", malformed: true},
		"another scheme is present and not found":  {place: bearer, headers: auth("Negotiate abc"), nothing: true},
		"a space before the scheme is no scheme":   {place: bearer, headers: auth(" Bearer abc"), nothing: true},
		"an empty header is empty":                 {place: bearer, headers: auth(""), nothing: true, empty: true},
		"no header is empty":                       {place: bearer, nothing: true, empty: true},
		"an unknown scheme may hold a comma":       {place: bearer, headers: auth(`Digest a="b", c="d"`), nothing: true},
		"the token of another header":              {place: plain, headers: h("X-Token", "Bearer abc"), value: "Bearer abc"},
		"another header may hold a comma":          {place: plain, headers: h("x-token", "a,b"), value: "a,b"},
		"an alias of the header is another header": {place: plain, headers: h("x_token", "abc"), nothing: true, empty: true},
		"an API key":                          {place: apiKey, headers: h("X-API-Key", "abc"), value: "abc"},
		"a cookie":                            {place: cookie, headers: h("cookie", "a=b; token=abc"), value: "abc"},
		"an empty cookie is empty":            {place: cookie, headers: h("cookie", "token="), nothing: true, empty: true},
		"a cookie in another case is another": {place: cookie, headers: h("cookie", "Token=abc"), nothing: true, empty: true},
		"a query parameter":                   {place: query, path: "/?a=b&token=a%2Bc", value: "a+c"},
		"an empty query parameter is empty":   {place: query, path: "/?token=", nothing: true, empty: true},
		"a name spelled otherwise is not read, and not empty": {place: query, path: "/?t%6Fken=abc", nothing: true},
		"a malformed query parameter is malformed":            {place: query, path: "/?token=%zz", value: "%zz", malformed: true},
		"a query parameter in another case is none":           {place: query, path: "/?Token=abc", nothing: true, empty: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.path == "" {
				c.path = "/"
			}
			found, occupied, err := Read(request(t, c.path, c.headers...), c.place)
			if err != nil {
				t.Fatal(err)
			}
			if occupied == c.empty {
				t.Errorf("expected occupied to be %t", !c.empty)
			}
			if c.nothing {
				if found != nil {
					t.Fatalf("expected nothing, got %q", found.Value)
				}
				return
			}
			if found == nil {
				t.Fatal("found nothing")
			}
			if found.Value != c.value || (found.Malformed != "") != c.malformed || found.Place != c.place {
				t.Errorf("got %q of %s, malformed: %q", found.Value, found.Place, found.Malformed)
			}
		})
	}
}

func TestACredentialThatOccursTwiceIsABadRequest(t *testing.T) {
	one := func(n, v string) authz.Header { return authz.Header{Name: n, Value: v} }
	for name, c := range map[string]struct {
		place   Place
		path    string
		headers []authz.Header
	}{
		"two Authorization fields":              {bearer, "/", []authz.Header{one("authorization", "Bearer a"), one("Authorization", "Bearer b")}},
		"two Authorization fields of one value": {bearer, "/", []authz.Header{one("authorization", "Bearer a"), one("Authorization", "Bearer a")}},
		"two empty Authorization fields":        {bearer, "/", []authz.Header{one("authorization", ""), one("authorization", "")}},
		"two fields that the proxy joined":      {bearer, "/", []authz.Header{one("authorization", "Bearer a,Bearer b")}},
		"a comma at the end":                    {bearer, "/", []authz.Header{one("authorization", "Bearer a,")}},
		"a comma in Basic read as Bearer":       {bearer, "/", []authz.Header{one("authorization", "Basic a,Bearer b")}},
		"a comma in Basic":                      {basic, "/", []authz.Header{one("authorization", "Basic YTpi,")}},
		"a comma in DPoP":                       {bearer, "/", []authz.Header{one("authorization", "DPoP a,b")}},
		"a comma in a scheme in capitals":       {bearer, "/", []authz.Header{one("authorization", "BEARER a,b")}},
		"a comma in an API key":                 {apiKey, "/", []authz.Header{one("x-api-key", "a,b")}},
		"two API keys":                          {apiKey, "/", []authz.Header{one("x-api-key", "a"), one("X-Api-Key", "b")}},
		"a cookie twice":                        {cookie, "/", []authz.Header{one("cookie", "token=a; token=b")}},
		"a cookie twice, once empty":            {cookie, "/", []authz.Header{one("cookie", "token=; token=b")}},
		"a cookie in two fields":                {cookie, "/", []authz.Header{one("cookie", "token=a"), one("cookie", "token=a")}},
		"a query parameter twice":               {query, "/?token=a&token=b", nil},
		"a query parameter and its other name":  {query, "/?token=a&t%6Fken=b", nil},
		"a query parameter twice, once empty":   {query, "/?token&token=b", nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, occupied, err := Read(request(t, c.path, c.headers...), c.place)
			var bad *authz.BadRequestError
			if !errors.As(err, &bad) || found != nil || !occupied {
				t.Errorf("expected a bad request in an occupied place, got %v, %v, %t", err, found, occupied)
			}
		})
	}
}

func TestAPlaceIsNamedForPeople(t *testing.T) {
	for place, want := range map[Place]string{bearer: "header authorization", cookie: "cookie token", query: "query parameter token"} {
		if place.String() != want {
			t.Errorf("expected %q, got %q", want, place)
		}
	}
}

func TestATokenIsParsedOnce(t *testing.T) {
	p := &Presented{Value: mac(hs256, claims())}
	first, err := p.Token()
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := p.Token(); second != first {
		t.Error("the second time gives another token")
	}
}

func TestReadingAHeaderAllocatesOnce(t *testing.T) {
	r := request(t, "/", authz.Header{Name: "authorization", Value: "Bearer abc"})
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Read(r, bearer) }); n > 1 {
		t.Errorf("expected at most 1 allocation, got %v", n)
	}
}
