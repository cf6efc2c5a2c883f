package authn

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// texts is a Mapper that is its texts.
type texts []string

func (texts) Subject(context.Context, map[string]any) (string, error)     { return "", nil }
func (texts) Scopes(context.Context, map[string]any) ([]string, error)    { return nil, nil }
func (texts) Groups(context.Context, map[string]any) ([]string, error)    { return nil, nil }
func (texts) Actor(context.Context, map[string]any) (*authz.Actor, error) { return nil, nil }
func (t texts) Texts() []string                                           { return t }

// A field that is added is an input, or stands here for a reason.
func TestEveryFieldOfAMethodForTokensIsAnInput(t *testing.T) {
	none := []string{
		"Owner", "Scheduler", "From", // change nothing that is verified
		"Keys",    // the State
		"Missing", // nothing is kept then
		"Proofs",  // Prove asks for them, on every use
	}
	method := func() *JWT {
		return &JWT{Method: "m", Issuer: "i", OtherIssuers: []string{"a", "b"}, Audiences: []string{"a"}, Algorithms: []string{"a"},
			TokenTypes: []string{"a"}, Secret: []byte("secret"), Map: texts{"", "", ""}}
	}
	before, ok := method().Inputs()
	if again, _ := method().Inputs(); !ok || again != before {
		t.Fatal("equal methods have different inputs")
	}
	fields := reflect.TypeFor[JWT]()
	for i := range fields.NumField() {
		name, m := fields.Field(i).Name, method()
		if slices.Contains(none, name) {
			continue
		}
		switch v := reflect.ValueOf(m).Elem().Field(i).Addr().Interface().(type) {
		case *string:
			*v += "x"
		case *bool:
			*v = true
		case *[]string:
			*v = append(*v, "x")
		case *time.Duration:
			*v = time.Second
		case *[]byte:
			*v = []byte("another")
		case *ClusterIssuer:
			*v = func() string { return "cluster" }
		case *Mapper:
			*v = texts{"", "claims.scope", ""}
		default:
			t.Fatalf("%s: say here whether %T is an input", name, v)
		}
		if after, ok := m.Inputs(); !ok || after == before {
			t.Errorf("%s is no input", name)
		}
	}
	moved := method()
	moved.OtherIssuers, moved.Audiences = []string{"a"}, []string{"b", "a"}
	if after, _ := moved.Inputs(); after == before {
		t.Error("an entry can go from one list to the next")
	}
}

func TestAMethodThatCannotVerifyKeepsNothing(t *testing.T) {
	for name, m := range map[string]*JWT{
		"no key":                    {Map: texts{}},
		"the Secret is missing":     {Map: texts{}, Secret: []byte("x"), Missing: "it is missing"},
		"a Mapper without texts":    {Map: struct{ Mapper }{texts{}}, Secret: []byte("x")},
		"a method that nobody made": {},
	} {
		if _, ok := m.Inputs(); ok {
			t.Errorf("%s: something may be kept", name)
		}
	}
	if _, ok := (&JWT{Keys: jwks.Static([]jwks.Key{{}})}).State(); ok {
		t.Error("keys that nothing tells apart are a State")
	}
}

func TestOnlyAJWTTellsWhoseItIs(t *testing.T) {
	m := &JWT{Issuer: "a"}
	claims := map[string]any{"iss": "b"}
	if !m.Disowns(&Verified{token: true, Identity: authz.Identity{Claims: claims}}) {
		t.Error("a token of another issuer is not disowned")
	}
	for _, v := range []*Verified{{Identity: authz.Identity{Claims: claims}}, {token: true, Identity: authz.Identity{Claims: map[string]any{"iss": "a"}}}} {
		if m.Disowns(v) {
			t.Errorf("disowned: %+v", v)
		}
	}
}

func TestWhatIsNotCompleteIsNotKept(t *testing.T) {
	for _, err := range []error{nil, errors.New("refused")} {
		kept := 0
		v := &Verified{complete: func(_ context.Context, id *authz.Identity) error { id.Subject = "alice"; return err }}
		v.WhenComplete(func() { kept++ })
		if kept != 0 {
			t.Error("kept before it is complete")
		}
		if got := v.Complete(t.Context()); !errors.Is(got, err) || (kept == 1) != (err == nil) {
			t.Errorf("%v: got %v, kept %d times", err, got, kept)
		}
		if err == nil && (v.Complete(t.Context()) != nil || kept != 1 || v.Identity.Subject != "alice") {
			t.Error("it is completed twice")
		}
	}
}
