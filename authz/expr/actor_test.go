package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAnActorIsASubjectOrAMapOfSubjectAndIssuer(t *testing.T) {
	claims := map[string]any{"azp": "bot", "n": int64(7), "iss": "https://idp.example.com", "scp": "read", "empty": "", "flag": true,
		"list": []any{"bot"}, "act": map[string]any{"sub": "inner", "iss": "i"}, "odd": map[string]any{"sub": map[string]any{}},
		"obo":   map[string]any{"client": "bot", "from": "i"},
		"ready": map[string]any{"subject": "bot", "issuer": "i"}, "long": strings.Repeat("c", MaxClaim+1)}
	of := func(subject, issuer string) *authz.Actor { return &authz.Actor{Subject: subject, Issuer: issuer} }
	for src, want := range map[string]*authz.Actor{
		`claims.azp`:                            of("bot", ""),
		`claims.n`:                              of("7", ""),
		`claims.?azp`:                           of("bot", ""),
		`"bot"`:                                 of("bot", ""),
		`claims.?none`:                          nil,
		`claims.?none.orValue("")`:              nil,
		`claims.empty`:                          nil,
		`null`:                                  nil,
		`optional.none()`:                       nil,
		`has(claims.scp) ? claims.azp : null`:   of("bot", ""),
		`has(claims.roles) ? claims.azp : null`: nil,
		`{"subject": claims.azp, "issuer": claims.iss}`:    of("bot", "https://idp.example.com"),
		`{"subject": claims.azp}`:                          of("bot", ""),
		`{"subject": claims.n, "issuer": null}`:            of("7", ""),
		`{"subject": "a", "issuer": "b"}`:                  of("a", "b"),
		`{"subject": claims.act.sub, "issuer": claims.?x}`: of("inner", ""),
		`claims.ready`: of("bot", "i"),
		`optional.of({"subject": "a", "issuer": "b"})`:                    of("a", "b"),
		`has(claims.x) ? {"subject": claims.x} : {"subject": claims.azp}`: of("bot", ""),
		`claims.act.?sub`: of("inner", ""),
		// Of docs/delegation.md:
		`has(claims.uid) ? claims.cid : null`:                                                       nil,
		`claims.?preferred_username.orValue("").startsWith("service-account-") ? null : claims.azp`: of("bot", ""),
		`{"subject": claims.obo.client, "issuer": claims.obo.from}`:                                 of("bot", "i"),
	} {
		p, err := Compile(Actor, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := p.ClaimActor(t.Context(), claims)
		if err != nil || (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: got %+v, %v", src, got, err)
		}
	}
	for src, want := range map[string]string{
		`claims.none`:                            "no such key",
		`claims.flag`:                            "got bool",
		`claims.list`:                            "got list",
		`claims.act`:                             "with other names",
		`claims.long`:                            "",
		`{"subject": claims.odd.sub}`:            "got map",
		`{"subject": claims.azp, "issuer": 7.5}`: "got double",
		`{"subject": ""}`:                        "without",
		`{"subject": null}`:                      "without",
		`{"subject": claims.?none}`:              "without",
		`{"issuer": claims.iss}`:                 "without",
		`{"subject": claims.azp, "sub": "x"}`:    "with other names",
		`{"subject": claims.azp, "issuer": claims.iss, "act": "x"}`: "with other names",
		`{"subject": claims.long}`:                                  "",
	} {
		p, err := Compile(Actor, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := p.ClaimActor(t.Context(), claims); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected an error with %q, got %+v, %v", src, want, got, err)
		} else if strings.Contains(err.Error(), "bot") {
			t.Errorf("%s: the error tells a claim: %v", src, err)
		}
	}
	for src, want := range map[string]string{
		`true`:           "expected a string, or a map with subject and issuer, got bool",
		`["bot"]`:        "got list",
		`{1: "x"}`:       "got map(int, string)",
		`identity.actor`: "claimMappings read `claims` only",
		`claims`:         "",
	} {
		if _, err := Compile(Actor, src); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, got %v", src, want, err)
		}
	}
}

func TestAnActorThatCannotBeReadIsNoAbsentOne(t *testing.T) {
	in := input(t)
	in.Identity.Actor = &authz.Actor{Unreadable: true}
	for src, want := range map[string]bool{
		`has(identity.actor)`:                              true,
		`!has(identity.actor)`:                             false,
		`identity.?actor.hasValue()`:                       true,
		`identity.subject != ""`:                           true,
		`has(identity.actor.subject)`:                      false,
		`identity.actor == identity.actor`:                 false,
		`identity.?actor.?subject.hasValue()`:              false,
		`identity.?actor.?subject.orValue("bot") == "bot"`: true,
		`identity.actor.?issuer.orValue("x") == "x"`:       true,
	} {
		if got, err := mustCompile(t, Bool, src).Bool(t.Context(), in); err != nil || got != want {
			t.Errorf("%s: got %t, %v", src, got, err)
		}
	}
	for _, src := range []string{
		`identity.actor.subject != "blocked"`, `identity.actor.subject == ""`, `identity.actor.issuer == ""`,
		`!has(identity.actor) || identity.actor.subject == ""`, `dyn(identity).actor.subject == ""`, `[identity].map(i, i.actor)[0].subject == ""`,
	} {
		if got, err := mustCompile(t, Bool, src).Bool(t.Context(), in); err == nil || got || !strings.Contains(err.Error(), " cannot be read") {
			t.Errorf("%s: expected that it cannot be read, got %t, %v", src, got, err)
		}
	}
}
