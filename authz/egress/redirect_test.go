package egress

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// chain redirects n times within its origin.
func chain(t *testing.T, n int) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		var at int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &at)
		if at < n {
			http.Redirect(w, r, fmt.Sprintf("/%d?secret=1", at+1), http.StatusFound)
			return
		}
		fmt.Fprint(w, "end")
	})
}

func TestAGetFollowsThreeRedirectsOfItsOrigin(t *testing.T) {
	res, err := client(t).Do(t.Context(), Request{URL: chain(t, 3) + "/0"})
	if err != nil || string(res.Body) != "end" {
		t.Errorf("got %v, %v", res, err)
	}
	_, err = client(t).Do(t.Context(), Request{URL: chain(t, 4) + "/0"})
	wantError(t, err, "more than 3 redirects")
}

func TestAPostFollowsNoRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int64
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, "/secret", status)
		})
		_, err := client(t).Do(t.Context(), Request{URL: url, Method: http.MethodPost})
		wantError(t, err, "for GET only")
		if asked.Load() != 1 {
			t.Errorf("%d: asked %d times", status, asked.Load())
		}
	}
}

func TestARedirectElsewhereIsRefused(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	for location, want := range map[string]string{
		other + "/secret": "another origin",
		"http://169.254.169.254/latest/meta-data/secret": "not allowed",
		"https://HOST/secret":                            "another origin", // same port, other scheme
		"http://user:secret@HOST/":                       "not allowed",
		"gopher://HOST/secret":                           "not allowed",
		"//169.254.169.254/secret":                       "not allowed",
		"/%zz":                                           "not allowed",
		"":                                               "without a location",
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if location != "" {
				w.Header().Set("Location", strings.Replace(location, "HOST", r.Host, 1))
			}
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		_, err := client(t).Do(t.Context(), Request{URL: url})
		wantError(t, err, want)
	}
}

func TestARedirectFromHTTPSToHTTPIsRefused(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	}))
	defer s.Close()
	_, err := client(t).Do(t.Context(), Request{URL: s.URL, Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	wantError(t, err, "another origin")
}
