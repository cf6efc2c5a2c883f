package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

func TestWhatTheAnnotationsOfAKeysSecretSay(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		reason      authz.Reason
		subject     string
		scopes      []string
		wants       string // a problem
	}{
		"nothing: the subject is the Secret's name": {nil, authz.Allowed, "robot", nil, ""},
		"a subject":              {map[string]string{"claims.agentauth.dev/sub": "r2"}, authz.Allowed, "r2", nil, ""},
		"an empty subject":       {map[string]string{"claims.agentauth.dev/sub": ""}, authz.Allowed, "", nil, ""},
		"scopes":                 {map[string]string{"agentauth.dev/scopes": "a b:c"}, authz.Allowed, "robot", []string{"a", "b:c"}, ""},
		"no scopes at all":       {map[string]string{"agentauth.dev/scopes": ""}, authz.UnknownCredential, "", nil, "separated by one space"},
		"scopes with two spaces": {map[string]string{"agentauth.dev/scopes": "a  b"}, authz.UnknownCredential, "", nil, "separated by one space"},
		"scopes with a tab":      {map[string]string{"agentauth.dev/scopes": "a\tb"}, authz.UnknownCredential, "", nil, "separated by one space"},
		"scopes with a quote":    {map[string]string{"agentauth.dev/scopes": `a"b`}, authz.UnknownCredential, "", nil, "separated by one space"},
		"an end ahead":           {map[string]string{"agentauth.dev/expires-at": clock.Add(time.Second).UTC().Format(time.RFC3339)}, authz.Allowed, "robot", nil, ""},
		"an end that is now":     {map[string]string{"agentauth.dev/expires-at": clock.UTC().Format(time.RFC3339)}, authz.CredentialExpired, "", nil, ""},
		"an end that is no time": {map[string]string{"agentauth.dev/expires-at": "tomorrow"}, authz.UnknownCredential, "", nil, "RFC 3339"},
		"an end without a zone":  {map[string]string{"agentauth.dev/expires-at": "2099-01-01T00:00:00"}, authz.UnknownCredential, "", nil, "RFC 3339"},
		"something of others":    {map[string]string{"example.com/x": "y"}, authz.Allowed, "robot", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := robot("robot", "a", robotKey)
			o.Annotations = c.annotations
			neighbour := robot("neighbour", "a", "the-key-of-the-neighbour")
			e, _ := newWorld(Options{})
			s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", keys("a"))}, Secrets: []*Object{o, neighbour}})
			e.Swap(s)
			d := e.Decide(t.Context(), get("api.example.com", "/", header("x-api-key", robotKey)))
			if d.Reason != c.reason || d.Identity != nil && (d.Identity.Subject != c.subject || !slices.Equal(d.Identity.Scopes, c.scopes)) {
				t.Errorf("expected %s, got %s and %+v", c.reason, d.Reason, d.Identity)
			}
			decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x-api-key", "the-key-of-the-neighbour"))), authz.Allow, 0, authz.Allowed)
			if p := reports[0].Problems; (len(p) == 1) != (c.wants != "") || len(p) == 1 && !strings.Contains(p[0].Message, c.wants) {
				t.Errorf("expected %q, got %v", c.wants, p)
			}
		})
	}
}

func TestAKeyBelongsToOneOwner(t *testing.T) {
	const mine = "a-key-that-is-only-mine-alone"
	for name, secrets := range map[string][]*Object{
		"the same key in two Secrets":   {robot("one", "a", robotKey, mine), robot("two", "a", robotKey)},
		"the same key in three Secrets": {robot("one", "a", robotKey, mine), robot("two", "a", robotKey), robot("three", "a", robotKey)},
		"the same key in two entries":   {robot("one", "a", robotKey, robotKey, mine)},
		"the same key in three entries": {robot("one", "a", robotKey, robotKey, robotKey, mine)},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", keys("a"), anonymous())}, Secrets: secrets})
			e.Swap(s)
			decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x-api-key", robotKey))), authz.Deny, 401, authz.UnknownCredential)
			decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x-api-key", mine))), authz.Allow, 0, authz.Allowed)
			p := reports[0].Problems
			if len(p) == 0 || !strings.Contains(p[0].Message, "refused in both") || p[0].Severity != authz.Unresolved {
				t.Errorf("got %v", p)
			}
		})
	}
}

func TestASelectorSelectsByEveryLabelAndOnlyKeysOfItsNamespace(t *testing.T) {
	with := func(o *Object, labels ...string) *Object {
		for i := 0; i < len(labels); i += 2 {
			o.Labels[labels[i]] = labels[i+1]
		}
		return o
	}
	foreign := with(robot("foreign", "a", "key-of-another-namespace"), "env", "prod")
	foreign.Namespace = "bank"
	unused := with(robot("unused", "a", "key-of-a-secret-for-hmac"), "env", "prod", v1alpha1.LabelUse, v1alpha1.UseHMAC)
	m := keys("a")
	m.APIKey.Selector.MatchLabels["env"] = "prod"
	e, _ := newWorld(Options{})
	load(t, e, Input{
		Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)},
		Secrets: []*Object{
			with(robot("both", "a", robotKey), "env", "prod"), robot("one", "a", "key-with-one-label-only"),
			with(robot("other", "a", "key-with-another-value"), "env", "production"), foreign, unused,
		},
		ConfigMaps: []*Object{with(robot("map", "a", "key-that-is-in-a-config-map"), "env", "prod")},
	})
	for key, want := range map[string]authz.Reason{
		robotKey: authz.Allowed, "key-with-one-label-only": authz.UnknownCredential, "key-with-another-value": authz.UnknownCredential,
		"key-of-another-namespace": authz.UnknownCredential, "key-of-a-secret-for-hmac": authz.UnknownCredential, "key-that-is-in-a-config-map": authz.UnknownCredential,
	} {
		if d := e.Decide(t.Context(), get("api.example.com", "/", header("x-api-key", key))); d.Reason != want {
			t.Errorf("%s: expected %s, got %s", key, want, d.Reason)
		}
	}
}
