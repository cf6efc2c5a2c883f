package authz

import (
	"slices"
	"testing"
)

func TestAppendAliasesAddsWhatCameUnderAnotherNameOfTheSameAlias(t *testing.T) {
	r := read(t, withHeaders(Header{"x-agent", "1"}, Header{"X_Agent", "2"}, Header{"x.agent", "3"}, Header{"x_agent", "4"}, Header{"other_one", "5"}))
	for name, want := range map[string][]string{
		"x-agent": {"x_agent", "x.agent"}, "x_agent": {"x-agent", "x.agent"}, "x!agent": {"x-agent", "x_agent", "x.agent"},
		"other-one": {"other_one"}, "other_one": nil, "absent": nil, "absent_one": nil,
	} {
		if got := r.AppendAliases(nil, name); !slices.Equal(got, want) {
			t.Errorf("%s: expected %q, got %q", name, want, got)
		}
	}
	if got := r.AppendAliases([]string{"first"}, "other-one"); !slices.Equal(got, []string{"first", "other_one"}) {
		t.Errorf("expected the names behind those that were there, got %q", got)
	}
}
