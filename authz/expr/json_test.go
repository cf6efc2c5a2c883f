package expr

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestAnyValueOfJSONIsHandedOn(t *testing.T) {
	in := input(t)
	in.Identity.Claims["empty"] = map[string]any{}
	for src, want := range map[string]any{
		`"a"`: "a", `1`: 1.0, `-1`: -1.0, `1u`: 1.0, `1.5`: 1.5, `true`: true, `false`: false, `0`: 0.0,
		`9007199254740992`: 9007199254740992.0, `9007199254740993`: "9007199254740993", `-9007199254740993`: "-9007199254740993", `18446744073709551615u`: "18446744073709551615",
		`[]`: []any{}, `{}`: map[string]any{}, `[1, 2]`: []any{1.0, 2.0}, `[null]`: []any{nil}, `{"a": [{"b": dyn(true)}]}`: map[string]any{"a": []any{map[string]any{"b": true}}},
		`identity.scopes`: []any{"a", "b"}, `identity.claims.nested`: map[string]any{"deep": []any{map[string]any{"a": "b"}}}, `identity.claims.n`: "9007199254740993",
		`identity.claims.list`: []any{"x", 7.0, nil}, `identity.claims.?role`: "manager", `optional.of([1])`: []any{1.0}, `identity.claims.empty`: map[string]any{},
		`context`: map[string]any{"tier": "gold"}, `metadata["envoy.filters.http.x"]`: map[string]any{"n": 3.0, "on": true},
		`request.query.filter(k, k == "debug").map(k, request.query[k])`: []any{"1"},
	} {
		got, present, err := mustCompile(t, JSON, src).JSON(t.Context(), in)
		if err != nil || !present || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: expected %#v, got %#v, %v and error %v", src, want, got, present, err)
		}
	}
	for _, src := range []string{`null`, `""`, `optional.none()`, `identity.claims.?gone`, `identity.claims.?none`, `optional.of("")`} {
		if got, present, err := mustCompile(t, JSON, src).JSON(t.Context(), in); present || err != nil {
			t.Errorf("%s: expected nothing, got %#v and error %v", src, got, err)
		}
	}
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	for _, src := range []string{`request.time`, `[request.time]`, `request.body`, `identity`, `request`, `{1: 2}`, `duration("1s")`, `{"a": request}`, `[optional.of(1)]`, `type(1)`} {
		if _, err := Compile(JSON, src); err == nil || !strings.Contains(err.Error(), "expected a value of JSON") {
			t.Errorf("%s: got %v", src, err)
		}
	}
	in := input(t)
	in.Identity.Claims["long"], in.Identity.Claims["many"] = strings.Repeat("x", MaxJSON), slices.Repeat([]any{strings.Repeat("x", 100)}, 200)
	deep := any("x")
	for range maxJSONDepth + 1 {
		deep = []any{deep}
	}
	in.Identity.Claims["deep"] = deep
	for src, want := range map[string]string{
		`dyn(request.time)`: "expected a value of JSON", `dyn(identity)`: "expected a value of JSON", `dyn({1: 2})`: "keys are no strings", `[dyn(b"x")]`: "expected a value of JSON",
		`double("NaN")`: "JSON does not have", `-1.0 / 0.0`: "JSON does not have", `identity.claims.long`: "more than 16384 bytes", `identity.claims.many`: "more than 16384 bytes",
		`identity.claims.deep`: "more than 16 deep", `identity.claims.gone`: "no such key: gone", `request.query`: "the query parameter", `request.headers`: "no UTF-8",
		`[request.headers]`: "no UTF-8", `dyn(optional.of([optional.of(1)]))`: "expected a value of JSON",
	} {
		got, present, err := mustCompile(t, JSON, src).JSON(t.Context(), in)
		if err == nil || present || got != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: expected %q, got %#v and error %v", src, want, got, err)
		}
	}
	// Listing aborts where nobody knows all names, and that is an error of the value.
	for _, src := range []string{`request.query`, `{"a": request.query}`, `request.headers`} {
		if _, _, err := mustCompile(t, JSON, src).JSON(t.Context(), asking(t, "a[]=1", false, "x_y: 1")); err == nil {
			t.Errorf("%s: expected an error", src)
		}
	}
	if _, _, err := mustCompile(t, String, `"x"`).JSON(t.Context(), in); err == nil {
		t.Error("an expression of another kind was evaluated")
	}
}
