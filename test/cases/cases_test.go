package cases

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

func TestTheKernelDecidesEveryCase(t *testing.T) {
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		forEachCase(t, f, func(t *testing.T, c Case) {
			d := e.Decide(t.Context(), c.Raw)
			if err := Check(&d, c.Want, true); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestADirectoryOfPoliciesDecidesEveryCase(t *testing.T) {
	forEachFile(t, func(t *testing.T, f File) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, f.Name+".yaml"), []byte(f.Policies), 0o600); err != nil {
			t.Fatal(err)
		}
		tree, problems := policydir.Load(dir)
		if tree == nil {
			t.Fatalf("no tree: %+v", problems)
		}
		e := newEngine(t, f, tree.Input)
		forEachCase(t, f, func(t *testing.T, c Case) {
			d := e.Decide(t.Context(), c.Raw)
			if err := Check(&d, c.Want, true); err != nil {
				t.Error(err)
			}
		})
	})
}

// Whatever was verified before, the answers are the same. What a case leaves behind,
// the next ones find.
func TestWhatIsKeptDecidesEveryCase(t *testing.T) {
	cache := verified.New(verified.Options{Bytes: 16 << 20})
	forEachFile(t, func(t *testing.T, f File) {
		in, err := load(f.Policies)
		if err != nil {
			t.Fatal(err)
		}
		e := keepingEngine(t, f, in, cache)
		for range 2 {
			forEachCase(t, f, func(t *testing.T, c Case) {
				d := e.Decide(t.Context(), c.Raw)
				if err := Check(&d, c.Want, true); err != nil {
					t.Error(err)
				}
			})
		}
	})
	if s := cache.Stats(); s.Hits < 20 || s.Entries < 20 {
		t.Errorf("hardly anything was kept: %+v", s)
	}
}

// What the proxy is told must be all of the decision, and nothing else.
func TestAProxyIsToldEveryDecision(t *testing.T) {
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		ask := open(t, e)
		forEachCase(t, f, func(t *testing.T, c Case) {
			got, err := ask(c.Raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(&got, c.Want, false); err != nil {
				t.Error(err)
			}
			if !utf8.ValidString(c.Raw.Path) {
				return // refused for another reason: it is another path by then
			}
			if want := seen(e.Decide(t.Context(), c.Raw)); withoutJWTs(describe(got)) != withoutJWTs(describe(want)) {
				t.Errorf("a proxy is told\n%s\nand the decision was\n%s", describe(got), describe(want))
			}
		})
	})
}

// withoutJWTs is a text without the tokens that each decision signs anew: Check looks
// at these.
func withoutJWTs(text string) string {
	return regexp.MustCompile(`eyJ[-\w]+\.eyJ[-\w]+\.[-\w]+`).ReplaceAllString(text, "(a JWT)")
}

// The check command asks by this function, so it is held to the same answers.
func TestAskIsWhatAProxyDoes(t *testing.T) {
	f := loadFiles(t)[0]
	e := plainEngine(t, f)
	address := serve(t, e)
	for _, c := range f.Cases {
		got, err := extauthz.Ask(t.Context(), address, c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if want := seen(e.Decide(t.Context(), c.Raw)); describe(got) != describe(want) {
			t.Errorf("%s: Ask has\n%s\nand the decision was\n%s", c.Name, describe(got), describe(want))
		}
	}
}

func TestNoDecisionHoldsACredential(t *testing.T) {
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		forEachCase(t, f, func(t *testing.T, c Case) {
			d, steps := e.Explain(t.Context(), c.Raw)
			told := []string{d.Detail, d.Body, d.Method, d.Rule, d.Policy}
			if d.Refused != nil {
				told = append(told, fmt.Sprintf("%+v %+v", *d.Refused, d.Refused.Actor))
			}
			if d.Claimed != nil {
				told = append(told, fmt.Sprintf("%+v", *d.Claimed))
			}
			for _, h := range d.Headers {
				told = append(told, h.Value)
			}
			for _, s := range steps {
				told = append(told, s.Name, s.Read, s.Detail)
			}
			if d.Shadow != nil {
				told = append(told, d.Shadow.Detail, d.Shadow.Body, fmt.Sprint(d.Metadata[policy.ShadowMetadata]))
			}
			for _, secret := range credentials(c.Raw) {
				for _, text := range told {
					if strings.Contains(text, secret) {
						t.Errorf("%q holds the credential %q", text, secret)
					}
				}
			}
		})
	})
}

func TestThereAreEnoughCasesAndEachNameIsASentenceOfItsOwn(t *testing.T) {
	const least = 250
	count := 0
	seen := map[string]string{}
	for _, f := range loadFiles(t) {
		for _, c := range f.Cases {
			count++
			here := fmt.Sprintf("%s, line %d", f.Name, c.Line)
			if there, twice := seen[c.Name]; twice {
				t.Errorf("%s and %s have one name: %s", there, here, c.Name)
			}
			seen[c.Name] = here
			if !strings.Contains(c.Name, " ") {
				t.Errorf("%s: %q is no sentence", here, c.Name)
			}
		}
	}
	if count < least {
		t.Errorf("expected at least %d requests, got %d", least, count)
	}
	t.Logf("%d requests", count)
}

func forEachFile(t *testing.T, run func(*testing.T, File)) {
	t.Helper()
	for _, f := range loadFiles(t) {
		t.Run(f.Name, func(t *testing.T) { run(t, f) })
	}
}

func forEachCase(t *testing.T, f File, run func(*testing.T, Case)) {
	t.Helper()
	for _, c := range f.Cases {
		t.Run(c.Name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("testdata/%s.txtar, line %d of its requests", f.Name, c.Line)
				}
			}()
			run(t, c)
		})
	}
}

func plainEngine(t *testing.T, f File) *engine.Engine {
	t.Helper()
	in, err := load(f.Policies)
	if err != nil {
		t.Fatal(err)
	}
	return newEngine(t, f, in)
}

// serve opens a door for e on loopback and returns its address.
func serve(t *testing.T, e *engine.Engine) string {
	t.Helper()
	s, err := extauthz.Listen(extauthz.Config{
		Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: e, Clock: func() time.Time { return Now },
		OnPanic: func(v any, stack []byte) { t.Errorf("a panic: %v\n%s", v, stack) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return serving(t, s)
}

// door is a server of any protocol.
type door interface {
	Serve() error
	Shutdown(context.Context) error
	Addr() net.Addr
}

// serving serves at a door until the test ends, and returns its address.
func serving(t *testing.T, d door) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- d.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d.Addr().String()
}

// open opens a door and returns what asks there, over one connection.
func open(t *testing.T, e *engine.Engine) func(authz.Raw) (authz.Decision, error) {
	t.Helper()
	conn, err := grpc.NewClient(serve(t, e), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := authv3.NewAuthorizationClient(conn)
	return func(raw authz.Raw) (authz.Decision, error) {
		check, err := extauthz.NewCheckRequest(raw)
		if err != nil {
			return authz.Decision{}, err
		}
		// Envoy writes '!' for what is no UTF-8, where protobuf wants that.
		http := check.GetAttributes().GetRequest().GetHttp()
		http.Path = strings.ToValidUTF8(http.GetPath(), "!")
		http.Host = strings.ToValidUTF8(http.GetHost(), "!")
		answer, err := client.Check(t.Context(), check)
		if err != nil {
			return authz.Decision{}, err
		}
		return extauthz.ReadAnswer(answer), nil
	}
}

// seen is what a proxy can learn of a decision.
func seen(d authz.Decision) authz.Decision {
	if d.Outcome == authz.Allow {
		return authz.Decision{Outcome: authz.Allow, Set: d.Set, Remove: d.Remove, RemoveQuery: d.RemoveQuery, Metadata: d.Metadata}
	}
	return authz.Decision{Outcome: d.Outcome, Status: d.Status, Headers: d.Headers, Body: d.Body, Metadata: d.Metadata}
}

// describe writes down every field, nil and empty alike.
func describe(d authz.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d reason=%q policy=%q method=%q rule=%q detail=%q identity=%v\n", d.Outcome, d.Status, d.Reason, d.Policy, d.Method, d.Rule, d.Detail, d.Identity)
	fmt.Fprintf(&b, "set=%q remove=%q query=%q headers=%q body=%q", d.Set, d.Remove, d.RemoveQuery, d.Headers, d.Body)
	for _, k := range slices.Sorted(maps.Keys(d.Metadata)) {
		fmt.Fprintf(&b, " %s=%#v", k, d.Metadata[k])
	}
	return b.String()
}

// credentials are the parts of a request that may hold one: the values of
// headers and cookies, what follows a scheme, and the query. What is shorter
// than a password that anybody uses is found in any text.
func credentials(raw authz.Raw) []string {
	var out []string
	add := func(s string) {
		if len(s) >= 8 {
			out = append(out, s)
		}
	}
	for _, h := range raw.Headers {
		switch name := strings.ToLower(h.Name); name {
		case "authorization", "x-api-key", "x-shop-key", "x-workload", "dpop":
			add(h.Value)
			_, credential, _ := strings.Cut(h.Value, " ")
			if decoded, err := base64.StdEncoding.DecodeString(credential); err == nil {
				_, password, _ := strings.Cut(string(decoded), ":")
				add(password)
			}
			add(strings.TrimSpace(credential))
			for part := range strings.SplitSeq(credential, ".") {
				add(part)
			}
		case "cookie":
			for pair := range strings.SplitSeq(h.Value, ";") {
				_, value, _ := strings.Cut(pair, "=")
				add(value)
			}
		}
	}
	_, query, _ := strings.Cut(raw.Path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		add(value)
	}
	return out
}
