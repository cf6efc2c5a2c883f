//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// readings are one agentauth with the policies of testdata/readings.yaml, and two APIs behind Envoys of
// both wire forms: one written with Express, and one in Go behind a reverse proxy in Go.
type readings struct{ ways []way }

var readingsOnce struct {
	sync.Once
	readings
}

var readerKey = credential("e2e-api-key-of-the-reader")

func useReadings(t *testing.T) readings {
	t.Helper()
	suite.use(t)
	readingsOnce.Do(func() { readingsOnce.readings = startReadings(outliving{t, &suite}) })
	return readingsOnce.readings
}

func startReadings(t tester) readings {
	dir := parts.TestDir(t)
	manifests, err := os.ReadFile("testdata/readings.yaml")
	must(t, err)
	policies := subdir(t, dir, "policies")
	write(t, filepath.Join(policies, "readings.yaml"), expand(t, string(manifests)))
	agentauth := startAgentauth(t, dir, "--policies", policies)
	express, err := parts.StartExpress(t.Context(), subdir(t, dir, "express"))
	must(t, err)
	t.Cleanup(func() { must(t, express.Stop()) })

	var r readings
	for name, address := range map[string]string{"Express": express.Address, "Go": startGoAPI(t)} {
		for form, raw := range map[string]bool{"header_map": true, "headers": false} {
			config := parts.EnvoyConfig{
				Dir: subdir(t, dir, name+form), Upstream: address, Door: parts.Door{Address: agentauth.GRPCAddress},
				EncodeRawHeaders: raw, Upgrade: "websocket",
			}
			envoy := startEnvoy(t, config)
			r.ways = append(r.ways,
				way{name: name + ", " + form + ", HTTP/1.1", envoy: envoy},
				way{name: name + ", " + form + ", HTTP/2", envoy: envoy, http2: true})
		}
	}
	return r
}

// startGoAPI serves what test/clients/express-upstream.mjs does, as Go's own library reads requests, behind
// Go's reverse proxy.
func startGoAPI(t tester) string {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1)
		n, _ := r.Body.Read(body)
		served := "public"
		switch {
		case r.Header.Get("X-Forwarded-Host") == "admin.readings.test" || r.Host == "admin.readings.test":
			served = "the admin site"
		case r.Header.Get("X-Tenant") == "victim":
			served = "the header’s tenant"
		case r.URL.Query().Get("tenant") == "victim":
			served = "the query’s tenant"
		case r.Method == http.MethodDelete:
			served = "a deletion"
		case r.URL.Path == "/empty" && n > 0:
			served = "a body"
		case r.URL.Path == "/admin" || strings.HasPrefix(r.URL.Path, "/admin/"):
			served = "the admin pages"
		case r.URL.Path == "/secret":
			served = "the secret"
		case r.URL.Path == "/folder/":
			served = "the folder"
		case r.URL.Path == "/reports":
			served = "the reports"
		}
		_ = json.NewEncoder(w).Encode(servedAs{served, r.RequestURI, r.Header.Get("X-Agent-Id"), r.Header.Get("X-Read-Path")})
	}))
	t.Cleanup(api.Close)
	target, err := url.Parse(api.URL)
	must(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Host = p.In.Host
		p.Out.Header["X-Forwarded-Host"] = p.In.Header["X-Forwarded-Host"]
	}})
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

// servedAs is what an API took a request for: "public", or what a policy guards.
type servedAs struct {
	Served string `json:"served"`
	Path   string `json:"path"`
	Agent  string `json:"agent"`
	Read   string `json:"read"`
}

// served sends a request and returns what the API took it for; nil if it did not get there.
func (w way) served(t *testing.T, r wire) (*servedAs, answer) {
	t.Helper()
	a := w.send(t, r)
	var s servedAs
	if a.status != http.StatusOK {
		return nil, a
	}
	if r.method != http.MethodHead {
		if err := json.Unmarshal([]byte(a.body), &s); err != nil {
			t.Fatalf("%s: %s: %v", w.name, a.body, err)
		}
	}
	return &s, a
}

func TestNobodyReachesWhatIsGuardedByAnotherReading(t *testing.T) {
	onHost := func(host string, r wire) wire { r.host = host; return r }
	post := func(target string, headers ...string) wire {
		return wire{method: http.MethodPost, target: target, headers: headers}
	}
	for what, r := range map[string]wire{
		"a path":                              get("/admin"),
		"a path in upper case":                get("/ADMIN"),
		"a path in mixed case, with a slash":  get("/Admin/"),
		"a path in upper case, encoded":       get("/%41dmin"),
		"a path below it in upper case":       get("/ADMIN/users"),
		"an exact path with a final slash":    get("/secret/"),
		"an exact path in upper case":         get("/SECRET"),
		"an exact path, both":                 get("/SECRET/"),
		"an exact path without its slash":     get("/folder"),
		"HEAD of what GET guards":             {method: http.MethodHead, target: "/reports"},
		"a header":                            get("/", "x-tenant: victim"),
		"a header, and another value after":   get("/", "x-tenant: victim", "x-tenant: other"),
		"a header, and another value before":  get("/", "x-tenant: other", "x-tenant: victim"),
		"a header twice":                      get("/", "x-tenant: victim", "x-tenant: victim"),
		"another host by x-forwarded-host":    get("/", "x-forwarded-host: admin.readings.test"),
		"the same in other letters":           get("/", "X_Forwarded_Host: admin.readings.test", "X-FORWARDED-HOST: admin.readings.test"),
		"another host in a list":              get("/", "x-forwarded-host: admin.readings.test, readings.test"),
		"another path by x-original-url":      get("/", "x-original-url: /admin"),
		"another path by x-rewrite-url":       get("/", "x-rewrite-url: /admin"),
		"another method":                      {method: http.MethodDelete, target: "/"},
		"another method by a header":          post("/", "x-http-method-override: DELETE"),
		"another method by the second header": post("/", "x-http-method: DELETE"),
		"another method by the third header":  post("/", "x-method-override: DELETE"),
		"a query parameter":                   get("/?tenant=victim"),
		"a query parameter with brackets":     get("/?tenant[]=victim"),
		"the same, encoded":                   get("/?tenant%5B%5D=victim"),
		"a query parameter with an index":     get("/?tenant[0]=victim"),
		"a query parameter with a name":       get("/?tenant[a]=victim"),
		"a query parameter twice":             get("/?tenant=mine&tenant[]=victim"),
		"by rule: a header twice":             onHost("ruled.readings.test", get("/", "x-tenant: victim", "x-tenant: other")),
		"by rule: a header":                   onHost("ruled.readings.test", get("/", "x-tenant: victim")),
		"by rule: a query with brackets":      onHost("ruled.readings.test", get("/?tenant[]=victim")),
		"by rule: a query":                    onHost("ruled.readings.test", get("/?tenant=victim")),
		"a body of POST":                      {method: http.MethodPost, target: "/empty", body: "hello"},
		"a body of GET":                       {target: "/empty", body: "hello"},
		"a chunked body of GET":               {target: "/empty", headers: []string{"transfer-encoding: chunked"}, body: "5\r\nhello\r\n0\r\n\r\n"},
	} {
		t.Run(what, func(t *testing.T) {
			r.host = cmp.Or(r.host, "readings.test")
			for _, w := range useReadings(t).ways {
				if w.http2 && strings.Contains(what, "chunked") {
					continue // HTTP/2 has no such header
				}
				if what == "HEAD of what GET guards" {
					if _, a := w.served(t, r); a.status != http.StatusUnauthorized {
						t.Errorf("%s: expected 401, got %d", w.name, a.status)
					}
					continue
				}
				if s, _ := w.served(t, r); s != nil && s.Served != "public" {
					t.Errorf("%s: was served %s", w.name, s.Served)
				}
			}
		})
	}
}

func TestWhoHasTheKeyReachesWhatIsGuarded(t *testing.T) {
	for served, r := range map[string]wire{
		"the admin pages":     get("/admin"),
		"the secret":          get("/secret"),
		"the folder":          get("/folder/"),
		"the reports":         get("/reports"),
		"the header’s tenant": get("/", "x-tenant: victim"),
		"the query’s tenant":  get("/?tenant=victim"),
		"the admin site":      {target: "/", host: "admin.readings.test"},
	} {
		r.host = cmp.Or(r.host, "readings.test")
		for _, w := range useReadings(t).ways {
			s, a := w.served(t, r.with("x-api-key: "+readerKey))
			if s == nil || s.Served != served || s.Agent != "reader" {
				t.Errorf("%s: expected %s for reader, got %d %s", w.name, served, a.status, a.body)
			}
		}
	}
	for what, r := range map[string]wire{
		"anybody":                     get("/other"),
		"a path like it":              get("/administration"),
		"a list by its definition":    get("/", "accept: text/html", "accept: text/plain"),
		"a forwarded host that is it": get("/", "x-forwarded-host: readings.test"),
		"an empty body":               {method: http.MethodPost, target: "/empty", headers: []string{"content-length: 0"}},
		"a health check":              get("/health"),
	} {
		r.host = "readings.test"
		for _, w := range useReadings(t).ways {
			if s, a := w.served(t, r); s == nil || s.Served != "public" {
				t.Errorf("%s, %s: expected public, got %d %s", what, w.name, a.status, a.body)
			}
		}
	}
}

// The identity header is agentauth's: nobody brings one, and nobody has it taken off on the way.
func TestTheIdentityHeaderArrivesAsItWasSet(t *testing.T) {
	for what, r := range map[string]wire{
		"a path that sets none, of another namespace": get("/health", "x-agent-id: "+mallory),
		"in other letters":                            get("/health", "X_Agent.Id: "+mallory),
		"a path that sets none":                       get("/other", "x-agent-id: "+mallory),
	} {
		r.host = "readings.test"
		for _, w := range useReadings(t).ways {
			if s, a := w.served(t, r); s == nil || s.Agent != "" {
				t.Errorf("%s, %s: expected no agent, got %d %s", what, w.name, a.status, a.body)
			}
		}
	}
	for _, named := range []string{"Upgrade, x-agent-id", "upgrade,X-Agent-Id", "x-agent-id, Upgrade"} {
		for _, w := range useReadings(t).ways {
			if w.http2 {
				continue // it has no such header
			}
			r := get("/admin", "x-api-key: "+readerKey, "Upgrade: websocket", "Connection: "+named)
			r.host = "readings.test"
			if s, a := w.served(t, r); s != nil && s.Agent != "reader" {
				t.Errorf("%s: Connection: %s: expected the agent or a refusal, got %d %s", w.name, named, a.status, a.body)
			}
		}
	}
}

func TestAPolicyAdmitsPathsThatItsAPINeeds(t *testing.T) {
	for path, read := range map[string]string{
		"/@scope%2Fpkg":     "/@scope%2Fpkg",
		"/v1//x":            "/v1//x",
		"/f/100%25de.pdf":   "/f/100%25de.pdf",
		"/a%2Fb/c%20d":      "/a%2Fb/c d",
		"/f/..%2Fx":         "",
		"/f/%2e%2e/x":       "",
		"/f/%252e%252e%2Fx": "",
	} {
		r := get(path)
		for _, w := range useReadings(t).ways {
			r.host = "registry.test"
			s, a := w.served(t, r)
			switch {
			case read == "" && (s != nil || a.status != http.StatusBadRequest):
				t.Errorf("%s: %s: expected 400, got %d %s", w.name, path, a.status, a.body)
			case read != "" && (s == nil || s.Path != path):
				t.Errorf("%s: %s: expected it to arrive so, got %d %s", w.name, path, a.status, a.body)
			case read != "" && s.Read != read:
				t.Errorf("%s: %s: expected to be read as %s, got %s", w.name, path, read, s.Read)
			}
			r.host = "readings.test"
			if s, a := w.served(t, r); s != nil || a.status != http.StatusBadRequest {
				t.Errorf("%s: %s: expected 400 where no policy admits it, got %d", w.name, path, a.status)
			}
		}
	}
}
