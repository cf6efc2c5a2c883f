package telemetry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

func loadLog(level slog.Level, often bool) (said func() string, l *telemetry.LoadLog) {
	log, logger := logTo(level)
	r := &telemetry.Readiness{}
	return func() string { defer log.Reset(); return log.String() }, &telemetry.LoadLog{
		Log: logger, Metrics: telemetry.NewMetrics(r.Age), Readiness: r, Often: often,
		Line: func(p authz.Problem) string { return "line of " + p.Message },
	}
}

func TestALoadOfADirectoryIsLoggedWithItsProblemsEachTime(t *testing.T) {
	said, l := loadLog(slog.LevelInfo, false)
	load := telemetry.Load{InForce: true, First: true, Policies: []string{"shop/a"}, Secrets: 2, ConfigMaps: 3, Problems: []authz.Problem{{Severity: authz.Warning, Message: "w"}}}
	for range 2 {
		l.Loaded(load)
		expect(t, said(), `level=WARN msg="in force, with a problem" problem="line of w"`, `level=INFO msg="policies are in force" policies=1 secrets=2 configMaps=3`)
		load.First = false
	}
	_, metrics := get(l.Metrics.Handler(), "/metrics")
	expect(t, metrics, "agentauth_policies 1", "agentauth_policy_problems 1", `agentauth_config_reloads_total{result="ok"} 2`)
	_, verbose := get(l.Readiness, "/readyz?verbose")
	expect(t, verbose, "in force, with problems:\nline of w\n")
}

func TestARefusedLoadIsLoggedWithItsFatalProblemsAlone(t *testing.T) {
	said, l := loadLog(slog.LevelInfo, false)
	refused := telemetry.Load{Problems: []authz.Problem{{Severity: authz.Warning, Message: "w"}, {Severity: authz.Invalid, Message: "e"}}}
	l.Loaded(telemetry.Load{InForce: true, First: true})
	said()
	l.Loaded(refused)
	text := said()
	expect(t, text, `level=ERROR msg="policies refused; what was loaded before stays in force" problem="line of e"`)
	expectNot(t, text, "line of w", "are in force")
	_, metrics := get(l.Metrics.Handler(), "/metrics")
	expect(t, metrics, `agentauth_config_reloads_total{result="refused"} 1`, "agentauth_config_last_reload_successful 0")
	_, verbose := get(l.Readiness, "/readyz?verbose")
	expect(t, verbose, "line of e")
	expectNot(t, verbose, "line of w")
}

func TestASourceThatIsLoadedOftenLogsWhatIsNew(t *testing.T) {
	said, l := loadLog(slog.LevelDebug, true)
	load := telemetry.Load{InForce: true, First: true, Problems: []authz.Problem{{Severity: authz.Unresolved, Message: "a"}}}
	l.Loaded(load)
	expect(t, said(), `level=WARN msg="a policy has a problem" problem="line of a"`, `level=DEBUG msg="policies are in force"`, `level=INFO msg="policies are in force"`)
	load.First = false
	load.Problems = append(load.Problems, authz.Problem{Message: "b"})
	l.Loaded(load)
	text := said()
	expect(t, text, "line of b", "level=DEBUG")
	expectNot(t, text, "line of a", "level=INFO")
	load.Problems = load.Problems[1:]
	l.Loaded(load)
	load.Problems = append(load.Problems, authz.Problem{Message: "a"})
	said()
	l.Loaded(load)
	if text = said(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "line of a") {
		t.Errorf("expected the problem that came back alone, got\n%s", text)
	}
}

func TestTheFirstLoadThatIsRefusedSpeaksOfNoneBefore(t *testing.T) {
	said, l := loadLog(slog.LevelInfo, false)
	l.Loaded(telemetry.Load{Problems: []authz.Problem{{Severity: authz.Invalid, Message: "e"}}})
	text := said()
	expect(t, text, `msg="policies refused; nothing was loaded before, so nothing is in force" problem="line of e"`)
	expectNot(t, text, "stays in force")
}

func TestEachPolicyThatChangesIsALine(t *testing.T) {
	for _, often := range []bool{false, true} {
		said, l := loadLog(slog.LevelInfo, often)
		l.Loaded(telemetry.Load{InForce: true, Changed: 30, Changes: []authz.PolicyChange{
			{Policy: "shop/a", Kind: authz.PolicyChanged, From: 4, To: 5, Digest: "sha256:abc", Ready: "Ready"},
			{Policy: "shop/b", Kind: authz.PolicyAdded, Digest: "sha256:abd", Ready: "RefNotFound"},
			{Policy: "shop/c", Kind: authz.PolicyChanged, From: 1, To: 1, Digest: "sha256:abe", Ready: "Invalid"},
			{Policy: "shop/d", Kind: authz.PolicyRemoved, From: 7},
		}})
		expect(t, said(),
			`level=INFO msg="policy in force" policy=shop/a change=changed generation=4→5 digest=sha256:abc ready=Ready`,
			`level=INFO msg="policy in force" policy=shop/b change=added digest=sha256:abd ready=RefNotFound`,
			`level=INFO msg="policy not in force, its requests are answered 503" policy=shop/c change=changed generation=1→1 digest=sha256:abe ready=Invalid`,
			`level=INFO msg="policy no longer in force" policy=shop/d change=removed generation=7`,
			`level=INFO msg="more policies changed than are logged one by one" policies=30 notLogged=26`)
	}
}

func TestOfManyPoliciesThatChangeTheFirstAreLoggedAndAllAreRecorded(t *testing.T) {
	said, l := loadLog(slog.LevelInfo, false)
	var lines bytes.Buffer
	stream := auditing(t, audit.Writer("stdout", &lines), false)
	l.Audit = stream
	changes := make([]authz.PolicyChange, 50)
	for i := range changes {
		changes[i] = authz.PolicyChange{Policy: fmt.Sprintf("shop/p%02d", i), Kind: authz.PolicyAdded, Ready: "Ready"}
	}
	l.Loaded(telemetry.Load{InForce: true, Changes: changes, Changed: len(changes)})
	text := said()
	expect(t, text, "policy=shop/p19", "policies=50 notLogged=30")
	expectNot(t, text, "policy=shop/p20")
	if err := stream.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, lines.String(), `"policy":"shop/p00"`, `"policy":"shop/p49"`)
}

func TestThatKeysCannotBeFetchedIsNotAProblemOfALoad(t *testing.T) {
	said, l := loadLog(slog.LevelInfo, false)
	l.Loaded(telemetry.Load{InForce: true, Problems: []authz.Problem{{Severity: authz.Warning, Lint: authz.KeysUnreachable, Message: "w"}}})
	expectNot(t, said(), "line of w")
	_, metrics := get(l.Metrics.Handler(), "/metrics")
	expect(t, metrics, "agentauth_policy_problems 0")
	_, verbose := get(l.Readiness, "/readyz?verbose")
	expectNot(t, verbose, "line of w")
}
