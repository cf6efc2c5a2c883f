//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// What was learned from Envoy 1.40, each fact against our own door.

func TestEnvoyLetsNoRefusalThroughEvenWhenItIsToldToFailOpen(t *testing.T) {
	s := suite.use(t)
	for what, c := range map[string]struct {
		wire
		want int
	}{
		"no credential":           {get("/keys"), 401},
		"a bad one":               {get("/keys", "x-api-key: "+othersKey), 401},
		"no policy":               {get("/nowhere"), 403},
		"a rule":                  {withKey("/tenant?tenant=victim"), 403},
		"a bad request":           {withKey("/keys/..;/a"), 400},
		"a path that is no text":  {withKey("/keys/%ff"), 400},
		"a provider that is down": {get("/down", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 ${good}}`))), 503},
		"a header that fails":     {withKey("/fails/header"), 503},
		"a missing Secret":        {get("/dangling", "authorization: "+basic("alice", password)), 503},
	} {
		t.Run(what, func(t *testing.T) {
			for _, w := range s.waysOf("fail open", s.lax) {
				before := s.upstream.Count()
				got := w.send(t, c.wire)
				if got.status != c.want || s.upstream.Count() != before {
					t.Errorf("%s: expected %d, got %d: %s", w.name, c.want, got.status, got.body)
				}
				// Asking again does not help where an expression fails.
				if retry := got.header.Get("retry-after"); (retry != "") != (c.want == 503 && what != "a header that fails") {
					t.Errorf("%s: %d comes with Retry-After %q", w.name, got.status, retry)
				}
				if kind := got.header.Get("content-type"); kind != "application/problem+json" {
					t.Errorf("%s: expected a problem, got %s", w.name, kind)
				}
			}
		})
	}
}

func TestChallengesArriveAsFieldsOfTheirOwn(t *testing.T) {
	s := suite.use(t)
	for _, w := range s.ways() {
		want := []string{`Basic realm="e2e", charset="UTF-8"`, "Bearer", `ApiKey header="x-api-key"`}
		if w.tls == nil {
			want = want[1:] // nobody is asked for a password over plaintext
		}
		got := w.send(t, get("/any"))
		if got.status != 401 || !slices.Equal(got.header.Values("www-authenticate"), want) {
			t.Errorf("%s: expected 401 and %q, got %d and %q", w.name, want, got.status, got.header.Values("www-authenticate"))
		}
	}
}

func TestAPasswordOverPlaintextIsRefusedAndOverTLSAccepted(t *testing.T) {
	s := suite.use(t)
	for _, w := range s.ways() {
		before := s.counter(t, `decision="deny"`, `policy="e2e/basic"`, `reason="PlaintextRefused"`)
		got := w.send(t, get("/basic", "authorization: "+basic("alice", password)))
		after := s.counter(t, `decision="deny"`, `policy="e2e/basic"`, `reason="PlaintextRefused"`)
		want, refusals := 403, 1.0
		if w.tls != nil {
			want, refusals = 200, 0
		}
		if got.status != want || after-before != refusals {
			t.Errorf("%s: expected %d and %v refusals, got %d and %v", w.name, want, refusals, got.status, after-before)
		}
	}
}

func TestBothWireFormsLeadToOneDecision(t *testing.T) {
	s := suite.use(t)
	raw, text := s.waysOf("header_map", s.raw), s.waysOf("headers", s.text)
	good := token(t, `"sub":"bob"`)
	for _, r := range []wire{
		withKey("/keys"), get("/keys"), get("/nowhere"), get("/public"), get("/mixed"), get("/any"),
		withKey("/keys", "x-note: \xff\xfe"), withKey("/keys", "x-note: "), withKey("/keys", "x-note: a", "x-note: b"),
		get("/keys", "x-api-key: \xff"+goodKey), get("/keys", "x-api-key: \xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9"),
		get("/tokens", "authorization: Bearer "+good), get("/tokens", "authorization: Bearer "+good, "authorization: Bearer "+good),
		get("/tokens?access_token=" + good), get("/tokens?access_token=" + good + "%ff"), get("/tokens", "cookie: session="+good),
		get("/basic", "authorization: "+basic("alice", password)), get("/basic", "authorization: Basic \xff"),
		{target: "/keys", host: "API.example.TEST:1234", headers: withKey("").headers}, {target: "/keys", host: apiHost + ":", headers: withKey("").headers},
	} {
		for i := range raw {
			a, b := raw[i].send(t, r), text[i].send(t, r)
			if a.status != b.status || a.header.Get("www-authenticate") != b.header.Get("www-authenticate") {
				t.Errorf("%s %q: %d with header_map, %d with headers", r.target, r.headers, a.status, b.status)
			}
		}
	}
}

func TestTheBodyIsKnownByWithRequestBody(t *testing.T) {
	s := suite.use(t)
	post := func(body string, headers ...string) wire {
		return wire{method: http.MethodPost, target: "/body", headers: withKey("", headers...).headers, body: body}
	}
	for _, w := range s.waysOf("header_map", s.raw) {
		if got := w.send(t, post("the right words")); got.echo(t).Body != "the right words" {
			t.Errorf("%s: the upstream got another body: %s", w.name, got.body)
		}
		if got := w.send(t, post("the right words", "x-envoy-auth-partial-body: true")); got.status != 200 {
			t.Errorf("%s: a caller's own word on the body counted: %d", w.name, got.status)
		}
		for what, r := range map[string]wire{
			"other words":                     post("the wrong words"),
			"one byte more":                   post("the right words\x00"),
			"a part":                          post("the right words" + strings.Repeat(" ", 1024)),
			"a part that is said to be all":   post("the right words"+strings.Repeat(" ", 1024), "x-envoy-auth-partial-body: false"),
			"nothing":                         post(""),
			"nothing, and a header that lies": post("", "x-envoy-auth-partial-body: false"),
		} {
			if got := w.send(t, r); got.status != 403 {
				t.Errorf("%s: %s: expected 403, got %d", w.name, what, got.status)
			}
		}
	}
}

func TestTheMetadataOfAnAllowanceIsInTheAccessLog(t *testing.T) {
	s := suite.use(t)
	for _, w := range s.ways() {
		id := "e2e-" + strings.NewReplacer(" ", "-", ",", "", "/", "", ".", "").Replace(w.name)
		w.send(t, wire{target: "/keys/" + id, headers: withKey("").headers})
		within(t, 5*time.Second, "metadata in the access log", func() error {
			entry, err := logged(w.envoy.AccessLog, "/keys/"+id)
			if err == nil && (entry["agent"] != "robot" || entry["key"] != "first") {
				err = fmt.Errorf("expected agent and key, got %v", entry)
			}
			return err
		})
	}
}

func TestTheMetadataOfARefusalIsInTheAccessLog(t *testing.T) {
	s := suite.use(t)
	for _, w := range s.ways() {
		id := "e2e-" + strings.NewReplacer(" ", "-", ",", "", "/", "", ".", "").Replace(w.name)
		for path, c := range map[string]struct {
			wire
			status int
			agent  any
		}{
			"/tenant/forbidden-" + id: {wire{headers: withKey("").headers}, 403, "robot"},
			"/tenant/unknown-" + id:   {wire{}, 401, nil},
		} {
			c.target = path
			if got := w.send(t, c.wire); got.status != c.status {
				t.Errorf("%s: %s: expected %d, got %d", w.name, path, c.status, got.status)
			}
			within(t, 5*time.Second, "metadata in the access log", func() error {
				entry, err := logged(w.envoy.AccessLog, path)
				if err != nil {
					return err
				}
				want := map[string]any{"path": path, "parts": []any{1.0, true}}
				if entry["agent"] != c.agent || !reflect.DeepEqual(entry["tried"], want) {
					return fmt.Errorf("%s: got %v", path, entry)
				}
				return nil
			})
		}
	}
}

// logged is the metadata of a request in Envoy's access log.
func logged(file, path string) (map[string]any, error) {
	log, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(log)) {
		var entry struct {
			Path     string         `json:"path"`
			Metadata map[string]any `json:"ext_authz"`
		}
		if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &entry) == nil && entry.Path == path {
			return entry.Metadata, nil
		}
	}
	return nil, fmt.Errorf("%s is not in it", path)
}

func TestARefusalSaysWhatToDoAndNothingOfTheServer(t *testing.T) {
	s := suite.use(t)
	for _, w := range s.ways() {
		for _, r := range []wire{get("/keys"), get("/nowhere"), withKey("/tenant?tenant=victim"), withKey("/keys//"), withKey("/fails/header")} {
			got := w.send(t, r)
			var problem struct {
				Status int    `json:"status"`
				Detail string `json:"detail"`
			}
			if err := json.Unmarshal([]byte(got.body), &problem); err != nil || problem.Status != got.status || problem.Detail == "" {
				t.Errorf("%s: %s: expected a problem with status %d, got %s", w.name, r.target, got.status, got.body)
			}
			for _, word := range []string{"x-absent", "e2e/", "Secret", "robot"} {
				if strings.Contains(got.body, word) {
					t.Errorf("%s: %s tells %q: %s", w.name, r.target, word, got.body)
				}
			}
		}
	}
}
