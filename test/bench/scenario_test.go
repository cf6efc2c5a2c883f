package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/authz/work"
	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// kernel is a real one, as serve has it, with the manifests of a scenario.
func kernel(tb testing.TB, documents []string, others int) *engine.Engine {
	tb.Helper()
	return kernelWith(tb, verified.New(verified.Options{Bytes: 16 << 20}), documents, others)
}

// kernelOf is that of a scenario. Where each token is new it keeps none, so that tokens stay new.
func kernelOf(tb testing.TB, s scenario, others int) *engine.Engine {
	tb.Helper()
	if s.once {
		return kernelWith(tb, nil, s.documents(), others)
	}
	return kernel(tb, s.documents(), others)
}

// introspector asks a server of the bench.
func introspector(src engine.IntrospectionSource) engine.Introspector {
	return asked{introspect.New(introspect.Config{
		Endpoint: src.Endpoint, Client: src.Client, Tenant: src.Tenant, Shared: introspect.NewShared(),
		Post: func(ctx context.Context, _ string, r introspect.Request) (introspect.Response, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, src.Endpoint, strings.NewReader(r.Form))
			if err != nil {
				return introspect.Response{}, err
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				return introspect.Response{}, err
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			return introspect.Response{Status: answer.StatusCode, ContentType: answer.Header.Get("Content-Type"), Body: body}, err
		},
	})}
}

type asked struct{ *introspect.Server }

func (asked) Start() {}

func (asked) Ready() <-chan struct{} {
	ready := make(chan struct{})
	close(ready)
	return ready
}

func kernelWith(tb testing.TB, kept *verified.Cache, documents []string, others int) *engine.Engine {
	tb.Helper()
	dir := tb.TempDir()
	if _, err := write(dir, documents, others); err != nil {
		tb.Fatal(err)
	}
	tree, problems := policydir.Load(dir)
	if tree == nil || len(problems) > 0 {
		tb.Fatalf("expected manifests without problems, got %v", problems)
	}
	scheduler := work.New(work.Options{})
	e := engine.New(engine.Deps{
		Passwords: password.New(scheduler, password.Options{}), Scheduler: scheduler, Verified: kept, Replay: store.NewMemory(16<<20, nil),
		Remote: engine.Remote{Introspector: introspector},
	}, engine.Options{OneTenant: true})
	snapshot, reports := e.Compile(tree.Input)
	e.Swap(snapshot)
	tb.Cleanup(e.Close)
	for _, r := range reports {
		for _, p := range r.Problems {
			tb.Errorf("%s: expected no problem, got %s", r.Policy, p)
		}
	}
	return e
}

// door serves e on loopback and returns its address.
func door(tb testing.TB, e *engine.Engine) string {
	tb.Helper()
	s, err := extauthz.Listen(extauthz.Config{Listen: listen.Config{Address: "127.0.0.1:0"}, Decider: e})
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done); err != nil {
			tb.Error(err)
		}
	})
	return s.Addr().String()
}

// every sends each message once and waits for all answers.
func every(t *testing.T, address string, m *messages, check func([]byte) error) worker.Tally {
	t.Helper()
	m.once, m.sent = true, 0
	w, err := worker.Dial(t.Context(), worker.Config{Address: address, Next: m.next, Check: check, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Keep(8)
	deadline := time.Now().Add(20 * time.Second)
	for {
		all, _ := w.InFlight()
		if all == 0 {
			return w.Take()
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d checks have no answer", all)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestEveryScenarioIsAnsweredAsItWants(t *testing.T) {
	for _, s := range scenarios(scale{keys: 50, cost: bcrypt.MinCost}) {
		t.Run(s.name, func(t *testing.T) {
			count := min(s.count, 5)
			address := door(t, kernelOf(t, s, min(s.policies-1, 20)))
			for _, f := range []form{headers, headerMap} {
				got := every(t, address, encode(s.requests(count), f, true), worker.Want(s.want))
				if got.First != nil || len(got.Latencies) != count {
					t.Errorf("%s: expected %d answers, got %d: %v", f, count, len(got.Latencies), got.First)
				}
			}
		})
	}
}

// A directory holds 64 MiB at most, so many policies have manifests of another, shorter form.
func TestAHundredThousandPoliciesFitIntoADirectory(t *testing.T) {
	const all, most = 100_000, 64 << 20
	kernel(t, []string{tools(), other(all-2, all), other(all-1, all), published()}, 0)
	if size := all * (len(other(all-1, all)) + len("---\n")); size > most {
		t.Errorf("expected at most %d bytes, got %d", most, size)
	}
}

func TestThePolicyThatChangesEachSecondDecidesAsBefore(t *testing.T) {
	e := kernel(t, []string{string(changed([]byte(tools()), 7))}, 0)
	d := e.Decide(t.Context(), bearers(tokens(jose.RS256, 1))[0].raw())
	if d.Outcome != authz.Allow || d.Metadata["change"] != "7" {
		t.Errorf("expected an allowance with the change in its metadata, got %+v", d)
	}
}

// Without this a bench of nothing but refusals would look like a fast one.
func TestAnAnswerThatIsNotWantedIsNoMeasurement(t *testing.T) {
	address := door(t, kernel(t, []string{tools()}, 0))
	got := every(t, address, encode(bearers(garbage(3)), headers, true), worker.Want(allowed))
	if got.Wrong != 3 || len(got.Latencies) != 0 || got.First == nil || !strings.Contains(got.First.Error(), "got 401") {
		t.Errorf("expected three wrong answers, got %+v", got)
	}
}

func TestEachMessageHasAnIDOfItsOwn(t *testing.T) {
	m := encode(bearers(garbage(1)), headerMap, false)
	first, _ := m.next()
	one := slices.Clone(first)
	second, _ := m.next()
	if string(one) == string(second) || len(one) != len(second) {
		t.Error("expected messages that differ in the id alone")
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	for text, want := range map[string]int{"main": 1, "main,basic": 2, "main, basic": 2, "all": len(scenarios(scale{})), "floods": 0} {
		if got, _, err := choose(options{scenarios: text}); err != nil || len(got) != want {
			t.Errorf("%s: expected %d, got %d, %v", text, want, len(got), err)
		}
	}
	if _, _, err := choose(options{scenarios: "mian"}); err == nil || !strings.Contains(err.Error(), `got "mian"`) {
		t.Errorf("expected an error that names it, got %v", err)
	}
}

func TestFlagsThatCannotBeMeantAreRefusedBeforeAnythingRuns(t *testing.T) {
	good := options{rounds: 1, duration: time.Second, keys: 1}
	if err := good.check(nil); err != nil {
		t.Errorf("expected no error, got %v", err)
	}
	for want, change := range map[string]func(*options) []string{
		"-scenarios": func(*options) []string { return []string{"main"} },
		"-rounds":    func(o *options) []string { o.rounds = 0; return nil },
		"-duration":  func(o *options) []string { o.duration = 0; return nil },
		"-keys":      func(o *options) []string { o.keys = mostKeys + 1; return nil },
		"-beside":    func(o *options) []string { o.write, o.beside = true, others{{"before", "/tmp/agentauth"}}; return nil },
		"-profile":   func(o *options) []string { o.write, o.profile = true, "default.pgo"; return nil },
		"-write":     func(o *options) []string { o.write, o.scenarios = true, "main"; return nil },
		"GOGC":       func(o *options) []string { o.write, o.scenarios = true, "all"; t.Setenv("GOGC", "100"); return nil },
	} {
		o := good
		if err := o.check(change(&o)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error that names %s, got %v", want, err)
		}
	}
}

func TestAnotherBuildIsNamedByItsBinary(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, mode := range map[string]os.FileMode{"agentauth": 0o700, "a=b": 0o700, "text": 0o600} {
		if err := os.WriteFile(name, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	var o others
	for _, text := range []string{"before=" + filepath.Join(dir, "a=b"), "two=agentauth"} {
		if err := o.Set(text); err != nil {
			t.Error(err)
		}
	}
	if want := (others{{"before", filepath.Join(dir, "a=b")}, {"two", filepath.Join(dir, "agentauth")}}); !slices.Equal(o, want) {
		t.Errorf("expected %v, got %v", want, o)
	}
	for text, want := range map[string]string{
		"": "NAME=BINARY", "before": "NAME=BINARY", "=agentauth": "NAME=BINARY", "before=": "NAME=BINARY", "two=a=b": "got two", "agentauth=a=b": "got agentauth",
		"three=missing": "missing", "three=text": "permission denied", "three=.": "a build of agentauth",
	} {
		if err := o.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: expected an error that says %s, got %v", text, want, err)
		}
	}
	for _, scenarios := range []string{"floods", "new-rs256", "new-rs256,flood-deaf"} {
		if err := run(t.Context(), io.Discard, options{scenarios: scenarios, beside: o}); err == nil || !strings.Contains(err.Error(), "-beside") {
			t.Errorf("%s: expected that other builds have no place there, got %v", scenarios, err)
		}
	}
}
