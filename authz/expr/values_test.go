package expr

import (
	"slices"
	"strings"
	"testing"
)

func TestAHeaderValueIsAStringOrNothing(t *testing.T) {
	in := input(t)
	in.Identity.Claims["empty"] = ""
	for _, c := range []struct {
		src, want string
		present   bool
	}{
		{`identity.subject`, "alice", true},
		{`identity.scopes.join(" ")`, "a b", true},
		{`identity.claims.role`, "manager", true},
		{`identity.claims.?role`, "manager", true},
		{`string(identity.claims.n)`, "9007199254740993", true},
		{`request.headers[?"x-env"]`, "prod", true},
		{`request.headers[?"x-none"]`, "", false},
		{`identity.claims.none`, "", false},
		{`identity.claims.?none`, "", false},
		{`identity.claims.?gone`, "", false},
		{`identity.claims.empty`, "", false},
		{`identities.anonymous.subject`, "", false},
		{`identities.anonymous.?actor.?subject`, "", false},
		{`null`, "", false},
		{`optional.none()`, "", false},
	} {
		got, present, err := mustCompile(t, String, c.src).String(t.Context(), in)
		if err != nil || got != c.want || present != c.present {
			t.Errorf("%s: got %q, %v, error %v", c.src, got, present, err)
		}
	}
	for src, want := range map[string]string{
		`identity.claims.n`:      "expected string, got int",
		`identity.claims.admin`:  "expected string, got bool",
		`identity.claims.?list`:  "expected string, got list",
		`identity.claims.nested`: "expected string, got map",
		`identity.claims.gone`:   "no such key: gone",
	} {
		got, present, err := mustCompile(t, String, src).String(t.Context(), in)
		if err == nil || present || got != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v, error %v", src, got, present, err)
		}
	}
}

func TestClaimsAreMappedToTextsAndWholeNumbers(t *testing.T) {
	claims := map[string]any{
		"sub": "alice", "id": int64(9007199254740993), "half": 0.5, "no": false, "null": nil,
		"scope": "a b  c", "group": "Domain Admins", "groups": []any{"x y", int64(7)},
		"bad": []any{"x", 0.5}, "holes": []any{"x", nil}, "object": map[string]any{},
	}
	for src, want := range map[string]string{
		`claims.sub`: "alice", `claims.?sub`: "alice", `claims.id`: "9007199254740993", `claims.?gone`: "", `claims["null"]`: "",
		`claims.?email.orValue(claims.sub)`: "alice", `claims.sub + "@" + string(claims.id)`: "alice@9007199254740993",
	} {
		if got, err := mustCompile(t, Subject, src).ClaimString(t.Context(), claims); err != nil || got != want {
			t.Errorf("%s: got %q and error %v", src, got, err)
		}
	}
	for _, src := range []string{`claims.half`, `claims.no`, `claims.groups`, `claims.object`, `claims.gone`} {
		if got, err := mustCompile(t, Subject, src).ClaimString(t.Context(), claims); err == nil {
			t.Errorf("%s: got %q, want an error", src, got)
		}
	}
	for _, c := range []struct {
		src           string
		texts, scopes []string
	}{
		{`claims.scope`, []string{"a b  c"}, []string{"a", "b", "c"}},
		{`claims.group`, []string{"Domain Admins"}, []string{"Domain", "Admins"}},
		{`claims.groups`, []string{"x y", "7"}, []string{"x y", "7"}},
		{`claims.id`, []string{"9007199254740993"}, []string{"9007199254740993"}},
		{`claims.?gone`, nil, nil},
		{`claims["null"]`, nil, nil},
		{`[]`, nil, nil},
		{`claims.groups.filter(g, g != 7)`, []string{"x y"}, []string{"x y"}},
	} {
		p := mustCompile(t, Claim, c.src)
		if got, err := p.ClaimStrings(t.Context(), claims); err != nil || !slices.Equal(got, c.texts) {
			t.Errorf("%s: got texts %q and error %v", c.src, got, err)
		}
		if got, err := p.ClaimScopes(t.Context(), claims); err != nil || !slices.Equal(got, c.scopes) {
			t.Errorf("%s: got scopes %q and error %v", c.src, got, err)
		}
	}
	for _, src := range []string{`claims.bad`, `claims.holes`, `claims.half`, `claims.no`, `claims.object`, `claims.gone`} {
		if got, err := mustCompile(t, Claim, src).ClaimStrings(t.Context(), claims); err == nil || got != nil {
			t.Errorf("%s: got %q and error %v", src, got, err)
		}
	}
}

func TestASubjectIsOneTextOrWholeNumber(t *testing.T) {
	claims := map[string]any{"sub": "alice", "id": int64(7), "list": []any{"alice"}, "null": nil}
	for src, want := range map[string]string{
		`claims.sub`: "alice", `claims.?sub`: "alice", `claims.?gone`: "", `claims["null"]`: "", `claims.id`: "7", `7`: "7",
		`"user:" + claims.sub`: "user:alice", `optional.of(7)`: "7", `optional.none()`: "", `null`: "", `claims.list[0]`: "alice",
	} {
		if got, err := mustCompile(t, Subject, src).ClaimString(t.Context(), claims); err != nil || got != want {
			t.Errorf("%s: got %q and error %v", src, got, err)
		}
	}
	for src, want := range map[string]string{
		`[claims.sub]`:                    "1:1: expected string or int, got list(dyn)",
		`[]`:                              "expected string or int, got list(",
		`["a"]`:                           "expected string or int, got list(string)",
		`optional.of(["a"])`:              "expected string or int, got optional_type(list(string))",
		`true`:                            "expected string or int, got bool",
		`claims`:                          "expected string or int, got map(string, dyn)",
		`request.path`:                    "undeclared reference to 'request'",
		`claims.groups.map(g, string(g))`: "expected string or int, got list(string)",
	} {
		if _, err := Compile(Subject, src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", src, err, want)
		}
	}
	p := mustCompile(t, Subject, `claims.list`)
	if got, err := p.ClaimString(t.Context(), claims); err == nil || got != "" || !strings.Contains(err.Error(), "expected string or int, got list") {
		t.Errorf("got %q and error %v", got, err)
	}
	if got, err := p.ClaimStrings(t.Context(), claims); err == nil || got != nil {
		t.Errorf("as groups: got %q and error %v", got, err)
	}
}
