package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const openID, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"

func TestTheDocumentIsAskedForWhereTheStandardsPutIt(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Accept")+" "+r.Header.Get("User-Agent"))
		http.NotFound(w, r)
	})
	for path, want := range map[string][]string{
		"":       {openID, oauth},
		"/":      {openID, oauth},
		"/a/b/":  {"/a/b" + openID, oauth + "/a/b", openID + "/a/b"},
		"/a%2Fb": {"/a%2Fb" + openID, oauth + "/a%2Fb", openID + "/a%2Fb"},
	} {
		asked = nil
		_, err := client(t).Discover(t.Context(), url+path, nil, Turn{})
		for i := range want {
			wantError(t, err, url+want[i]+" answered 404")
			want[i] = "GET " + want[i] + " application/json agentauth"
		}
		wantError(t, err, "give the URL of its key set instead")
		if !slices.Equal(asked, want) {
			t.Errorf("%s: want %q, got %q", path, want, asked)
		}
	}
}

func TestAnIssuerWithoutAPlaceForADocumentIsRefused(t *testing.T) {
	for _, issuer := range []string{"idp", "https://", "https://u:p@idp.example.com", "https://idp.example.com?x=y", "https://idp.example.com/?", "https://idp.example.com/#", "%zz"} {
		_, err := client(t).Discover(t.Context(), issuer, nil, Turn{})
		wantError(t, err, "the issuer is no URL")
	}
	strict := New(Config{})
	defer strict.Close()
	for issuer, want := range map[string]string{
		"http://idp.example.com":  "--egress-allow-http",
		"ftp://idp.example.com":   "https://",
		"https://10.0.0.5/secret": "address 10.0.0.5 is private",
		"https://localhost:1":     "loopback",
	} {
		_, err := strict.Discover(t.Context(), issuer, nil, Turn{})
		wantError(t, err, want)
	}
}

func TestDiscoveryFindsTheKeySetOfTheIssuerAndOfNoOther(t *testing.T) {
	const document = `{"issuer":"ISSUER","jwks_uri":"https://keys.example.net/secret","other":[1]}`
	change := func(from, to string) string { return strings.Replace(document, from, to, 1) }
	type answer struct {
		status int
		body   string
	}
	good, page := answer{200, document}, answer{200, "<html>secret"}
	for name, c := range map[string]struct {
		openid, oauth, inserted answer
		want                    string // in the error; "" if the key set is found
	}{
		"at the OpenID place":                         {openid: good},
		"at the OAuth place if the first is 404":      {oauth: good},
		"before the path for OpenID too":              {inserted: good},
		"nowhere":                                     {want: "/Realm answered 404; a discovery document was expected"},
		"behind a place that is 400":                  {answer{400, "secret"}, answer{400, "secret"}, good, ""},
		"behind a place that is 401":                  {answer{401, "secret"}, good, answer{}, ""},
		"behind a place that is closed":               {answer{403, document}, good, answer{}, ""},
		"behind a place that is 405":                  {answer{405, "secret"}, good, answer{}, ""},
		"behind a place that is 410":                  {answer{410, "secret"}, good, answer{}, ""},
		"behind a place that is 429":                  {answer{429, `{"error":"secret"}`}, good, answer{}, ""},
		"behind a place that is HTML":                 {page, good, answer{}, ""},
		"behind two places that are HTML":             {page, page, good, ""},
		"behind HTML with many commas":                {answer{200, "<html>" + strings.Repeat(",", maxMembers+1)}, good, answer{}, ""},
		"behind a large page":                         {answer{200, "<html>" + strings.Repeat(" ", maxDocument)}, good, answer{}, ""},
		"behind a large page of an error":             {answer{404, strings.Repeat(" ", 1<<20+1)}, good, answer{}, ""},
		"behind no content":                           {answer{204, ""}, good, answer{}, ""},
		"behind half a document":                      {answer{200, document[:40]}, good, answer{}, ""},
		"not behind a first place that is broken":     {answer{500, "secret"}, good, good, openID + ": answered 500, 200 was expected"},
		"not behind a first place that is away":       {answer{503, "<html>secret"}, good, good, "answered 503"},
		"not at an OAuth place that is broken":        {answer{404, "secret"}, answer{502, "secret"}, good, openID + " answered 404, http://"},
		"not behind a document of another issuer":     {answer{200, `{"issuer":"https://secret.example.com"}`}, good, good, "another issuer"},
		"not behind JSON of an error":                 {answer{200, `{"error":"secret"}`}, good, good, "another issuer"},
		"another good status":                         {openid: answer{203, document}, want: "answered 203"},
		"another issuer":                              {openid: answer{200, change("ISSUER", "https://secret.example.com")}, want: `another issuer than "http://127.0.0.1:`},
		"another issuer at the OAuth place":           {oauth: answer{200, change("ISSUER", "https://secret.example.com")}, want: "another issuer"},
		"no issuer":                                   {openid: answer{200, `{"jwks_uri":"https://keys.example.net/secret"}`}, want: "another issuer"},
		"an issuer that is null":                      {openid: answer{200, change(`"ISSUER"`, "null")}, want: "another issuer"},
		"a trailing slash":                            {openid: answer{200, change("ISSUER", "ISSUER/")}, want: "trailing slash"},
		"an issuer in other letter case":              {openid: answer{200, change("ISSUER", "issuer in capitals")}, want: "another issuer"},
		"two issuers":                                 {openid: answer{200, change("{", `{"issuer":"secret",`)}, want: "a name twice"},
		"two issuers, ours last":                      {openid: answer{200, change("{", `{"issuer":"ISSUER",`)}, want: "a name twice"},
		"the name of issuer in capitals":              {openid: answer{200, change(`"issuer"`, `"Issuer"`)}, want: "another issuer"},
		"an issuer, and ours by a name in capitals":   {openid: answer{200, change("ISSUER", `secret","ISSUER":"ISSUER`)}, want: "another issuer"},
		"a jwks_uri by a name in capitals is another": {openid: answer{200, change(`,"other"`, `,"JWKS_URI":"https://other.example.com","other"`)}},
		"no jwks_uri":                                 {openid: answer{200, `{"issuer":"ISSUER"}`}, want: "no jwks_uri"},
		"a jwks_uri that is a number":                 {openid: answer{200, change(`"https://keys.example.net/secret"`, "7")}, want: "other members or types"},
		"another member of a wrong type":              {openid: answer{200, change("{", `{"token_endpoint":["secret"],`)}, want: "other members or types"},
		"a list":                                      {openid: answer{200, "[" + document + "]"}, want: "other members or types"},
		"null":                                        {openid: answer{200, "null"}, want: "another issuer"},
		"something behind it":                         {openid: answer{200, document + "secret"}, want: "answered 200 with what is no JSON"},
		"nothing":                                     {openid: answer{200, ""}, want: "answered 200 with what is no JSON"},
		"an oversized one":                            {openid: answer{200, document + strings.Repeat(" ", 1<<20)}, want: "larger than"},
		"one of many members":                         {openid: answer{200, change("[1]", "["+strings.Repeat("1,", maxMembers)+"1]")}, want: "members and elements, at most 4096"},
		"one of more than 256 KiB":                    {openid: answer{200, document + strings.Repeat(" ", maxDocument)}, want: "larger than 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				a := map[string]answer{"/Realm" + openID: c.openid, oauth + "/Realm": c.oauth, openID + "/Realm": c.inserted}[r.URL.Path]
				if a.status == 0 {
					a = answer{404, "secret"}
				}
				w.WriteHeader(a.status)
				body := strings.ReplaceAll(a.body, "issuer in capitals", "HTTP://"+r.Host+"/REALM")
				_, _ = io.WriteString(w, strings.Replace(body, `:"ISSUER`, `:"http://`+r.Host+"/Realm", 2))
			})
			got, err := client(t).Discover(t.Context(), url+"/Realm", nil, Turn{})
			switch {
			case c.want != "":
				wantError(t, err, c.want)
				wantError(t, err, url+"/Realm"+openID) // the location is named
				if got != "" {
					t.Errorf("got %q", got)
				}
			case err != nil || got != "https://keys.example.net/secret":
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestDiscoveryHasTheBoundsOfEveryRequest(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"a redirect to a metadata address": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/secret", http.StatusFound)
		}, "a redirect to a URL that is not allowed"},
		"a redirect to another origin": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/secret", http.StatusFound)
		}, "another origin"},
		"more redirects than three": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}, "more than 3 redirects"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = fmt.Fprint(w, `{"secret":`)
		}, "ended early"},
	} {
		_, err := client(t).Discover(t.Context(), serve(t, c.handler), nil, Turn{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
		wantError(t, err, c.want)
	}

	var asked atomic.Int64
	late := client(t)
	late.timeout = 300 * time.Millisecond
	_, err := late.Discover(t.Context(), serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			time.Sleep(200 * time.Millisecond)
		}
		http.NotFound(w, r)
	})+"/path", nil, Turn{})
	if !errors.Is(err, context.DeadlineExceeded) || asked.Load() != 3 {
		t.Errorf("want the later locations to have one bound of time, got %v after %d requests", err, asked.Load())
	}

	c := client(t)
	c.timeout = 20 * time.Millisecond
	slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	if _, err := c.Discover(t.Context(), serve(t, slow), nil, Turn{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want it given up, got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }
	if _, err := client(t).Discover(ctx, serve(t, cancelled), nil, Turn{}); !errors.Is(err, context.Canceled) {
		t.Errorf("want the caller's word to count, got %v", err)
	}
}

func TestARedirectOfTheDocumentWithinItsOriginIsFollowed(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == openID {
			http.Redirect(w, r, "/document", http.StatusMovedPermanently)
			return
		}
		_, _ = fmt.Fprintf(w, `{"issuer":"http://%s","jwks_uri":"http://%s/keys"}`, r.Host, r.Host)
	})
	if got, err := client(t).Discover(t.Context(), url, nil, Turn{}); err != nil || got != url+"/keys" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDiscoveryVerifiesTheServerToTheRoots(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":"https://%s","jwks_uri":"https://%s/keys"}`, r.Host, r.Host)
	}))
	defer s.Close()
	s.Config.ErrorLog = quiet()
	if got, err := client(t).Discover(t.Context(), s.URL, s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Turn{}); err != nil || got != s.URL+"/keys" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := client(t).Discover(t.Context(), s.URL, nil, Turn{})
	wantError(t, err, "no authority that is trusted")
}

func TestAnErrorOfDiscoveryRepeatsTheBeginningOfALongIssuer(t *testing.T) {
	url := serve(t, http.NotFound)
	_, err := client(t).Discover(t.Context(), url+"/"+strings.Repeat("x", 2000), nil, Turn{})
	if wantError(t, err, "xxx … answered 404, "); len(err.Error()) > 1200 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}
