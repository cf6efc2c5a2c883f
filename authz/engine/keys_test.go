package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// annotated is a Secret of API keys with more labels and annotations: those that
// begin with "label:" are labels.
func annotated(o *Object, pairs ...string) *Object {
	o.Annotations = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if label, ok := strings.CutPrefix(pairs[i], "label:"); ok {
			o.Labels[label] = pairs[i+1]
			continue
		}
		o.Annotations[pairs[i]] = pairs[i+1]
	}
	return o
}

// reportOf compiles a policy with keys of team a beside Secrets.
func reportOf(t *testing.T, e *Engine, secrets ...*Object) Report {
	t.Helper()
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "p.example.com", keys("a"))}, Secrets: secrets})
	e.Swap(s)
	return reports[0]
}

func resolved(r Report) (status, message string) {
	for _, c := range r.Conditions {
		if c.Type == v1alpha1.ConditionResolvedRefs {
			return string(c.Status), c.Message
		}
	}
	return "", ""
}

func lintOf(r Report, lint authz.Lint) string {
	var out []string
	for _, p := range r.Problems {
		if p.Lint == lint {
			out = append(out, p.String())
		}
	}
	return strings.Join(out, "\n")
}

func TestTheStatusSaysHowManyKeysASelectorFound(t *testing.T) {
	for want, secrets := range map[string][]*Object{
		"every reference resolves; method keys: 1 key in 1 Secret":   {robot("one", "a", robotKey)},
		"every reference resolves; method keys: 3 keys in 2 Secrets": {robot("one", "a", robotKey, robotKey+"2"), robot("two", "a", robotKey+"3"), robot("three", "b", robotKey+"4")},
	} {
		e, _ := newWorld(Options{})
		if status, got := resolved(reportOf(t, e, secrets...)); status != "True" || got != want {
			t.Errorf("expected %q, got %s %q", want, status, got)
		}
		if got := e.current.Load().Found(); len(got) != 1 || got[0] != "AgentAuthPolicy shop/p: "+strings.TrimPrefix(want, "every reference resolves; ") {
			t.Errorf("found: got %q", got)
		}
	}
	e, _ := newWorld(Options{})
	twice := reportOf(t, e, robot("one", "a", robotKey, robotKey+"2"), robot("two", "a", robotKey))
	if got := e.current.Load().Found(); len(got) != 1 || !strings.HasSuffix(got[0], ": 1 key in 2 Secrets") {
		t.Errorf("a key of two Secrets counts: got %q", got)
	}
	if status, _ := resolved(twice); status != "False" {
		t.Error("expected the key of two Secrets to be a problem")
	}
}

func TestASelectorThatSelectsNothingIsAWarning(t *testing.T) {
	const says = "spec.authentication.methods[0].apiKey.selector: SelectsNothing: "
	use := v1alpha1.LabelUse
	none := func(o *Object) *Object { delete(o.Labels, use); return o }
	for name, c := range map[string]struct {
		secrets []*Object
		want    string
	}{
		"no Secret at all": {nil, "selects no Secret in shop; label one there agentauth.dev/use: api-key and team: a"},
		"the label of use is missing": {[]*Object{none(robot("c1", "a", robotKey))},
			"selects no Secret in shop; Secret shop/c1 has team: a but lacks the label agentauth.dev/use: api-key"},
		"the label of use is misspelt": {[]*Object{none(annotated(robot("c1", "a", robotKey), "label:agentauth.dev/used", "api-key"))},
			"selects no Secret in shop; Secret shop/c1 has team: a but lacks the label agentauth.dev/use: api-key (label agentauth.dev/used is not known; did you mean agentauth.dev/use?)"},
		"the use is misspelt": {[]*Object{annotated(robot("c1", "a", robotKey), "label:"+use, "apikey")},
			"selects no Secret in shop; Secret shop/c1 has team: a but is labelled agentauth.dev/use: apikey and not api-key"},
		"another namespace": {[]*Object{abroad(robot("c1", "a", robotKey))},
			"selects no Secret in shop; Secret bank/c1 has team: a and agentauth.dev/use: api-key but is in namespace bank"},
		"another team": {[]*Object{robot("c1", "b", robotKey)},
			"selects no Secret in shop; Secret shop/c1 has agentauth.dev/use: api-key but has team: b and not team: a"},
		"what lacks the least is told": {[]*Object{abroad(none(robot("c0", "a", robotKey))), robot("c1", "b", robotKey)},
			"selects no Secret in shop; Secret shop/c1 has agentauth.dev/use: api-key but has team: b and not team: a"},
		"what is about something else is not told": {[]*Object{alice("staff")},
			"selects no Secret in shop; label one there agentauth.dev/use: api-key and team: a"},
		"a Secret without a key": {[]*Object{robot("c1", "a", "short")},
			"finds no key: 1 Secret is selected in shop, and no entry is a key"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{OneTenant: true})
			r := reportOf(t, e, c.secrets...)
			if got := lintOf(r, authz.SelectsNothing); got != says+c.want {
				t.Errorf("expected %q, got %q", says+c.want, got)
			}
			if status, message := resolved(r); status != "True" || !strings.Contains(message, c.want) {
				t.Errorf("the condition: got %s %q", status, message)
			}
		})
	}
}

func TestASelectorOfOneTenantIsToldOfNoOtherSecrets(t *testing.T) {
	e, _ := newWorld(Options{})
	r := reportOf(t, e, abroad(robot("c1", "a", robotKey)), robot("c2", "b", robotKey))
	if got := lintOf(r, authz.SelectsNothing); !strings.HasSuffix(got, "selects no Secret in shop; label one there agentauth.dev/use: api-key and team: a") {
		t.Errorf("got %q", got)
	}
}

func TestWhatASelectorNearlySelectsIsToldAsItIsNow(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	p := onHost("p", "p.example.com", keys("a"))
	report := func(secrets ...*Object) string {
		s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Secrets: secrets})
		e.Swap(s)
		return lintOf(reports[0], authz.SelectsNothing)
	}
	if got := report(robot("c1", "b", robotKey)); !strings.Contains(got, "shop/c1") {
		t.Fatalf("got %q", got)
	}
	if got := report(robot("c2", "b", robotKey)); !strings.Contains(got, "shop/c2") {
		t.Errorf("got %q", got)
	}
	if got := report(robot("c2", "a", robotKey)); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestAKeyThatEndedIsTold(t *testing.T) {
	now := clock
	e, _ := newWorld(Options{})
	e.deps.Now = func() time.Time { return now }
	secret := annotated(robot("r", "a", robotKey, robotKey+"2", robotKey+"3"),
		v1alpha1.AnnotationExpiresAtPrefix+"key-0", clock.Add(-time.Hour).Format(time.RFC3339),
		v1alpha1.AnnotationExpiresAtPrefix+"key-1", clock.Add(time.Hour).Format(time.RFC3339))
	p := onHost("p", "p.example.com", keys("a"))
	compile := func() Report {
		s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Secrets: []*Object{secret}})
		e.Swap(s)
		return reports[0]
	}
	r := compile()
	if got := lintOf(r, authz.KeyEnded); !strings.Contains(got, "(Secret shop/r, entry key-0): KeyEnded: the key ended at") || strings.Contains(got, "key-1") {
		t.Errorf("at first: got %q", got)
	}
	before := e.current.Load().policies[0]
	now = clock.Add(59 * time.Minute)
	if got := lintOf(compile(), authz.KeyEnded); strings.Contains(got, "key-1") {
		t.Errorf("before the end: got %q", got)
	}
	now = clock.Add(time.Hour)
	r = compile()
	if got := lintOf(r, authz.KeyEnded); !strings.Contains(got, "key-0") || !strings.Contains(got, "key-1") || strings.Contains(got, "key-2") {
		t.Errorf("after the end: got %q", got)
	}
	if e.current.Load().policies[0] != before {
		t.Error("expected the policy not to be compiled again")
	}
	if got := e.current.Load().Found()[0]; !strings.HasSuffix(got, "3 keys in 1 Secret, 2 of them ended") {
		t.Errorf("got %q", got)
	}
}

func TestEntriesThatAreNoKeysAndNamesThatAreNotKnownAreTold(t *testing.T) {
	digests := map[string][]byte{"first": []byte("sha256:" + strings.Repeat("ab", 32)), "created": []byte("invalid:")}
	o := func(pairs ...string) *Object {
		r := annotated(robot("r", "a"), pairs...)
		r.Data = digests
		return r
	}
	for name, c := range map[string]struct {
		secret *Object
		status string
		want   string
	}{
		"an entry that is no key":             {o(), "True", "(Secret shop/r, entry created): "},
		"an end that is misspelt":             {o("agentauth.dev/expire-at", "x"), "False", "annotation agentauth.dev/expire-at is not known; did you mean agentauth.dev/expires-at?; the Secret is not used"},
		"an end without its hyphen":           {o("agentauth.dev/expiresat", "x"), "False", "did you mean agentauth.dev/expires-at?"},
		"a subject without its domain":        {o("agentauth.dev/sub", "x"), "False", "did you mean claims.agentauth.dev/sub?"},
		"a claim in a domain that is none":    {o("claim.agentauth.dev/sub", "x"), "False", "did you mean claims.agentauth.dev/sub?"},
		"an end in a domain that is none":     {o("expire-at.agentauth.dev/first", "x"), "False", "did you mean expires-at.agentauth.dev/first?"},
		"a name that is like none":            {o("agentauth.dev/owner", "x"), "False", "is not known; known are agentauth.dev/expires-at, agentauth.dev/plain-keys, agentauth.dev/scopes, claims.agentauth.dev/NAME, expires-at.agentauth.dev/ENTRY"},
		"the domain in another letter case":   {o("AgentAuth.dev/expires-at", "x"), "False", "annotation AgentAuth.dev/expires-at is not known"},
		"the use as an annotation":            {o("agentauth.dev/use", "api-key"), "False", "annotation agentauth.dev/use is a label; move it to metadata.labels"},
		"an end as a label":                   {o("label:expires-at.agentauth.dev/first", "x"), "False", "label expires-at.agentauth.dev/first is an annotation; move it to metadata.annotations"},
		"an end of an entry that is not":      {o("expires-at.agentauth.dev/fist", "2030-01-01T00:00:00Z"), "False", "the Secret has no entry fist; did you mean first?"},
		"a comma in scopes":                   {o("agentauth.dev/scopes", "a,b"), "False", "expected scopes separated by one space (RFC 6749 3.3), and there is a comma"},
		"a plain key that is not":             {o("agentauth.dev/plain-keys", "fist"), "True", "annotation agentauth.dev/plain-keys: the Secret has no entry fist; did you mean first?"},
		"plain keys with a comma":             {o("agentauth.dev/plain-keys", "first,created"), "True", "separated by spaces, and there is a comma"},
		"an end as a claim":                   {o("claims.agentauth.dev/expires-at", "x"), "True", "annotation claims.agentauth.dev/expires-at is only a claim; did you mean agentauth.dev/expires-at?"},
		"a subject in another case":           {o("claims.agentauth.dev/Sub", "x"), "True", "did you mean claims.agentauth.dev/sub?"},
		"two mistakes are told in one go":     {o("agentauth.dev/expire-at", "x", "agentauth.dev/scopes", "a,b"), "False", "there is a comma"},
		"a name of somebody else is nobody's": {o("notagentauth.dev/expire-at", "x", "example.com/agentauth.dev", "x"), "True", "entry created"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			status, message := resolved(reportOf(t, e, c.secret))
			if status != c.status || !strings.Contains(message, c.want) {
				t.Errorf("expected %s with %q, got %s:\n%s", c.status, c.want, status, message)
			}
		})
	}
}

func TestNamesWithoutEffectAreToldOfOtherUsesToo(t *testing.T) {
	o := annotated(alice("staff"), v1alpha1.AnnotationExpiresAt, "2020-01-01T00:00:00Z", "label:agentauth.dev/used", "basic")
	e, _ := newWorld(Options{})
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "p.example.com", staff("staff"))}, Secrets: []*Object{o}})
	e.Swap(s)
	got := lintOf(reports[0], authz.OddAnnotation)
	for _, want := range []string{"label agentauth.dev/used is not known; did you mean agentauth.dev/use?", "annotation agentauth.dev/expires-at has no effect here"} {
		if !strings.Contains(got, want) {
			t.Errorf("expected %q in\n%s", want, got)
		}
	}
	decided(t, e.Decide(t.Context(), asAlice("p.example.com")), authz.Allow, 0, authz.Allowed)
}
