package revoke

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

var now = time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)

func entry(subject string) []byte {
	return []byte("{issuer: idp, subject: '" + subject + "', until: 2027-02-01T00:00:00Z}")
}

func configMap(namespace string, entries ...string) ConfigMap {
	c := ConfigMap{Namespace: namespace, Name: "revoked", Everywhere: namespace == "agentauth", Data: map[string][]byte{}}
	for _, e := range entries {
		c.Data[e] = entry(e)
	}
	return c
}

func hits(l *List, namespace, subject string) bool {
	var f InForce
	f.Put(l)
	return f.Hit(namespace, &Credential{Identity: &authz.Identity{Issuer: "idp", Subject: subject}}, now) != nil
}

func TestAnEditThatBreaksAnEntryDoesNotTakeTheRevocationBack(t *testing.T) {
	before, _ := Read([]ConfigMap{configMap("shop", "alice", "bob")}, nil, now)
	broken := configMap("shop", "alice", "bob")
	broken.Data["alice"] = []byte("{issuer: idp, subjct: alice, until: 2027-02-01T00:00:00Z}")
	after, problems := Read([]ConfigMap{broken}, before, now)
	if !hits(after, "shop", "alice") || !hits(after, "shop", "bob") {
		t.Error("expected both revocations to hold on")
	}
	if len(problems) != 1 || problems[0].Severity != authz.Invalid || problems[0].Field != "data[alice].subjct" || !strings.Contains(problems[0].Message, "holds on here until 2027-02-01") {
		t.Errorf("expected the field and what holds on, got %+v", problems)
	}
	broken.Data = map[string][]byte{"alice": []byte("{"), "bob": entry("bob"), "carol": entry("carol")}
	again, _ := Read([]ConfigMap{broken}, after, now)
	if !hits(again, "shop", "alice") || !hits(again, "shop", "carol") {
		t.Error("expected the revocation to hold on after a second edit, and the one beside it to be in force")
	}
	removed, problems := Read([]ConfigMap{configMap("shop", "bob")}, again, now)
	if hits(removed, "shop", "alice") || len(problems) != 0 {
		t.Errorf("expected an entry that is removed to be gone, got %+v", problems)
	}
}

func TestAnEntryWhoseEndCannotBeReadRevokesWithoutOneOnEveryReplica(t *testing.T) {
	before, _ := Read([]ConfigMap{configMap("shop", "alice")}, nil, now)
	for name, text := range map[string]string{
		"no time":                 "{issuer: idp, subject: alice, until: tomorrow}",
		"no end":                  "{issuer: idp, subject: alice}",
		"a null":                  "{issuer: idp, subject: alice, until: }",
		"a reason that is a list": "{issuer: idp, subject: alice, until: 2027-01-01T00:00:00Z, reason: [a]}",
	} {
		for replica, before := range map[string]*List{"one that knew": before, "one that starts now": nil} {
			c := ConfigMap{Namespace: "shop", Name: "revoked", Data: map[string][]byte{"alice": []byte(text), "bob": entry("bob")}}
			l, problems := Read([]ConfigMap{c}, before, now)
			var f InForce
			f.Put(l)
			hit := f.Hit("shop", &Credential{Identity: &authz.Identity{Issuer: "idp", Subject: "alice"}}, now.AddDate(100, 0, 0))
			if hit == nil || !hits(l, "shop", "bob") || hits(l, "shop", "carol") {
				t.Errorf("%s, %s: expected what it names to be revoked, without an end", name, replica)
			}
			if len(problems) != 1 || problems[0].Severity != authz.Invalid || !strings.Contains(problems[0].Message, "without an end") || l.Counts(now) != (Counts{InForce: 2, Unreadable: 1}) {
				t.Errorf("%s, %s: got %+v, %+v", name, replica, problems, l.Counts(now))
			}
		}
	}
}

func TestWhatAnUnreadableEntryNamesIsNotGuessed(t *testing.T) {
	for _, text := range []string{"{issuer: idp, subjct: alice}", "{issuer: idp, until: tomorrow}", "{issuer: idp, subject: alice, subject: bob}", "{subject: [alice], issuer: idp}", "{until: tomorrow}"} {
		c := configMap("shop", "bob")
		c.Data["x"] = []byte(text)
		l, problems := Read([]ConfigMap{c}, nil, now)
		if hits(l, "shop", "alice") || len(problems) != 1 || l.Counts(now) != (Counts{InForce: 1, Unreadable: 1}) {
			t.Errorf("%s: got %+v, %+v", text, problems, l.Counts(now))
		}
	}
}

func TestAConfigMapWhoseContentIsNotHeldKeepsWhatItSaid(t *testing.T) {
	before, _ := Read([]ConfigMap{configMap("shop", "alice")}, nil, now)
	after, problems := Read([]ConfigMap{{Namespace: "shop", Name: "revoked", Unread: "there is too much"}}, before, now)
	if !hits(after, "shop", "alice") || len(problems) != 1 {
		t.Errorf("expected it to hold on and to be told, got %+v", problems)
	}
	if n := after.Counts(now); n.Unreadable != 1 || n.InForce != 1 {
		t.Errorf("got %+v", n)
	}
}

func TestANewEntryThatCannotBeReadRevokesNothingAndIsTold(t *testing.T) {
	c := configMap("shop", "bob")
	c.Data["alice"] = []byte("{subject: }")
	l, problems := Read([]ConfigMap{c}, nil, now)
	if hits(l, "shop", "alice") || !hits(l, "shop", "bob") || len(problems) != 1 || l.Counts(now) != (Counts{InForce: 1, Unreadable: 1}) {
		t.Errorf("got %+v, %+v", problems, l.Counts(now))
	}
}

func TestATenantAtItsBoundIsToldAndOthersAreNotAffected(t *testing.T) {
	full := configMap("shop")
	for i := range maxOfNamespace + 5 {
		name := fmt.Sprintf("s%05d", i)
		full.Data[name] = entry(name)
	}
	l, problems := Read([]ConfigMap{full, configMap("bank", "alice"), configMap("agentauth", "mallory")}, nil, now)
	if !hits(l, "shop", "s00999") || hits(l, "shop", "s01000") || !hits(l, "bank", "alice") || !hits(l, "shop", "mallory") || !hits(l, "bank", "mallory") {
		t.Error("expected the first thousand of shop, and all of the others")
	}
	if n := l.Counts(now); n.Left != 5 || n.InForce != maxOfNamespace+2 {
		t.Errorf("got %+v", n)
	}
	if len(problems) != 1 || problems[0].Object != "ConfigMap shop/revoked" || problems[0].Field != "data[s01000]" || !strings.Contains(problems[0].Message, "5 revocations are not in force") {
		t.Errorf("expected what is not in force to be told, got %+v", problems)
	}
}

func TestEntriesThatEndedGiveWayFirst(t *testing.T) {
	full := configMap("shop")
	for i := range maxOfNamespace {
		full.Data[fmt.Sprintf("a%05d", i)] = []byte(fmt.Sprintf("{issuer: idp, subject: a%d, until: 2027-01-01T00:00:00Z}", i))
	}
	full.Data["z"] = entry("z")
	if l, _ := Read([]ConfigMap{full}, nil, now); !hits(l, "shop", "z") {
		t.Error("expected what has not ended to be in force")
	}
}

func TestManyCombinationsOfFieldsAreBounded(t *testing.T) {
	c := ConfigMap{Namespace: "shop", Name: "revoked", Data: map[string][]byte{}}
	optional := []string{"subject: a", "client: a", "jti: a", "kid: a", "secret: a", "actor: {subject: a}"}
	for set := 1; set < 1<<len(optional); set++ {
		text := "{issuer: idp, until: 2027-02-01T00:00:00Z"
		for i, f := range optional {
			if set&(1<<i) != 0 {
				text += ", " + f
			}
		}
		c.Data[fmt.Sprintf("s%02d", set)] = []byte(text + "}")
	}
	l, problems := Read([]ConfigMap{c}, nil, now)
	if n := l.Counts(now); n.InForce != maxShapes || n.Left != len(c.Data)-maxShapes || len(problems) != 1 {
		t.Errorf("expected %d combinations to be in force and the others told, got %+v, %+v", maxShapes, n, problems)
	}
}

func TestOfTwoEntriesThatNameTheSameTheLaterEndCounts(t *testing.T) {
	c := ConfigMap{Namespace: "shop", Name: "revoked", Data: map[string][]byte{
		"a": []byte("{issuer: idp, subject: alice, until: 2027-02-01T00:00:00Z}"), "b": []byte("{issuer: idp, subject: alice, until: 2027-01-10T00:00:00Z}"),
	}}
	if l, _ := Read([]ConfigMap{c}, nil, now); !hits(l, "shop", "alice") {
		t.Error("expected the later end to count")
	}
}

func TestWhatDidNotChangeIsNotReadAgain(t *testing.T) {
	first, _ := Read([]ConfigMap{configMap("shop", "alice"), configMap("bank", "bob")}, nil, now)
	second, _ := Read([]ConfigMap{configMap("bank", "bob"), configMap("shop", "alice", "carol")}, first, now)
	if first.parts["bank"] != second.parts["bank"] || first.parts["shop"] == second.parts["shop"] {
		t.Error("expected the part of bank to be taken over, and that of shop to be new")
	}
	third, _ := Read([]ConfigMap{configMap("bank", "bob"), configMap("shop", "alice", "carol")}, second, now)
	if third.With(second) != third {
		t.Error("expected equal lists to need no union")
	}
}

func TestAUnionHasWhatEitherHas(t *testing.T) {
	old, _ := Read([]ConfigMap{configMap("shop", "alice")}, nil, now)
	next, _ := Read([]ConfigMap{configMap("bank", "bob")}, old, now)
	both := next.With(old)
	if !hits(both, "shop", "alice") || !hits(both, "bank", "bob") || hits(next, "shop", "alice") || both.Counts(now).InForce != 2 {
		t.Error("expected both in the union alone")
	}
	if kept := old.Keeping([]ConfigMap{configMap("bank", "bob")}); len(kept) != 2 {
		t.Errorf("expected what is not in the list to be kept, got %+v", kept)
	}
}

func TestARevocationThatHasEndedIsWarnedOf(t *testing.T) {
	c := ConfigMap{Namespace: "shop", Name: "revoked", Data: map[string][]byte{
		"ended": []byte("{issuer: idp, subject: b, until: 2027-01-01T00:00:00Z}"),
	}}
	_, problems := Read([]ConfigMap{c}, nil, now)
	if len(problems) != 1 || problems[0].Severity != authz.Warning || problems[0].Field != "data[ended].until" {
		t.Errorf("got %+v", problems)
	}
}

func TestAnActorWhoseNameCannotBeReadMayBeAnyOfTheIssuer(t *testing.T) {
	c := ConfigMap{Namespace: "shop", Name: "revoked", Data: map[string][]byte{
		"a": []byte("{issuer: idp, actor: {subject: bot}, until: 2027-02-01T00:00:00Z}"),
		"b": []byte("{actor: {issuer: other, subject: bot}, until: 2027-02-01T00:00:00Z}"),
	}}
	l, _ := Read([]ConfigMap{c}, nil, now)
	var f InForce
	f.Put(l)
	unreadable, client := &authz.Actor{Unreadable: true}, map[string]any{"client_id": "x"}
	for name, c := range map[string]struct {
		issuer       string
		act          any
		actor        *authz.Actor
		hit, unnamed bool
	}{
		"a text that is revoked":                     {"idp", "bot", unreadable, true, false},
		"a text that is another one":                 {"idp", "good", unreadable, false, false},
		"a number":                                   {"idp", int64(42), unreadable, false, false},
		"a list":                                     {"idp", []any{"good"}, unreadable, true, true},
		"a fraction":                                 {"idp", 1.5, unreadable, true, true},
		"no subject":                                 {"idp", client, &authz.Actor{}, true, true},
		"no subject, named by the policy":            {"idp", client, &authz.Actor{Subject: "x"}, false, false},
		"a list, and nobody acts by the policy":      {"idp", []any{"bot"}, nil, false, false},
		"a text, and nobody acts by the policy":      {"idp", "bot", nil, true, false},
		"a list of the issuer of an actor":           {"other", []any{"good"}, unreadable, true, true},
		"a list of an issuer that no entry names":    {"third", []any{"bot"}, unreadable, false, true},
		"no subject, of an issuer that an entry has": {"third", map[string]any{"iss": "other"}, &authz.Actor{Issuer: "other"}, true, true},
		"a list within":                              {"idp", map[string]any{"sub": "good", "act": []any{"bot"}}, &authz.Actor{Subject: "good"}, false, false},
		"a text within":                              {"idp", map[string]any{"sub": "good", "act": "bot"}, &authz.Actor{Subject: "good"}, true, false},
	} {
		credential := &Credential{Identity: &authz.Identity{Issuer: c.issuer, Subject: "alice", Actor: c.actor, Claims: map[string]any{"act": c.act}}}
		if hit := f.Hit("shop", credential, now) != nil; hit != c.hit || credential.ActorUnnamed() != c.unnamed {
			t.Errorf("%s: got %v, unnamed %v", name, hit, credential.ActorUnnamed())
		}
	}
	if n := l.Counts(now); n.InForce != 2 {
		t.Errorf("got %+v", n)
	}
}

func TestACheckAllocatesNothing(t *testing.T) {
	c := configMap("shop", "alice")
	c.Data["actor"] = []byte("{actor: {issuer: idp, subject: bot}, until: 2027-02-01T00:00:00Z}")
	c.Data["client"] = []byte("{issuer: idp, client: tool, until: 2027-02-01T00:00:00Z}")
	c.Data["print"] = []byte("{thumbprint: " + strings.Repeat("0", 64) + ", until: 2027-02-01T00:00:00Z}")
	l, _ := Read([]ConfigMap{c, configMap("agentauth", "mallory")}, nil, now)
	var f InForce
	f.Put(l)
	id := &authz.Identity{Issuer: "idp", Subject: "carol", Claims: map[string]any{"sub": "carol", "azp": "other", "act": map[string]any{"sub": "other"}}, Actor: &authz.Actor{Subject: "other"}}
	thumbprint := &[32]byte{1}
	if n := testing.AllocsPerRun(100, func() {
		if f.Hit("shop", &Credential{Identity: id, KeyID: "k", Thumbprints: [4]*[32]byte{thumbprint}}, now) != nil {
			t.Error("nobody is revoked")
		}
	}); n != 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
}

func BenchmarkHit(b *testing.B) {
	c := configMap("shop")
	for i := range maxOfNamespace {
		name := fmt.Sprint("s", i)
		c.Data[name] = entry(name)
	}
	l, _ := Read([]ConfigMap{c}, nil, now)
	var f InForce
	f.Put(l)
	id := &authz.Identity{Issuer: "idp", Subject: "carol", Claims: map[string]any{"sub": "carol"}}
	b.ReportAllocs()
	for b.Loop() {
		f.Hit("shop", &Credential{Identity: id}, now)
	}
}
