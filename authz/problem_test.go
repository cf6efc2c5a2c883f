package authz

import "testing"

func TestAProblemIsOneLineForPeople(t *testing.T) {
	for want, p := range map[string]Problem{
		"spec.x: m":                       {Field: "spec.x", Message: "m"},
		"m":                               {Message: "m"},
		"spec.x (Secret a/b, entry k): m": {Field: "spec.x", Ref: "Secret a/b", Key: "k", Message: "m"},
		"spec.x (Secret a/b): m":          {Field: "spec.x", Ref: "Secret a/b", Message: "m"},
	} {
		if p.String() != want {
			t.Errorf("expected %q, got %q", want, p)
		}
	}
}
