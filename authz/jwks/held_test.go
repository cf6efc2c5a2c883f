package jwks

import (
	"context"
	"testing"
)

type otherSet struct{}

func (otherSet) Lookup(context.Context, string, string) ([]Key, error) { return nil, ErrUnknownKey }

func (otherSet) Renewed(context.Context, string, string, []Key) ([]Key, error) {
	return nil, ErrUnknownKey
}

func TestTheKeysThatAreHeldAreTold(t *testing.T) {
	keys := []Key{
		{ID: "b", Algorithms: []string{"RS256", "PS256"}, Thumbprint: "2"},
		{ID: "a", Algorithms: []string{"ES256"}, Thumbprint: "1"},
		{Algorithms: []string{"RS256"}, Thumbprint: "3"},
	}
	got := Held(Static(keys))
	if len(got) != 3 || got[0].ID != "" || got[1].ID != "a" || got[2].ID != "b" {
		t.Errorf("got %+v", got)
	}
	if got := Held(otherSet{}); got != nil {
		t.Errorf("a set that does not tell: got %+v", got)
	}
	if got := Held(&Remote{}); got != nil {
		t.Errorf("a set that was not fetched: got %+v", got)
	}
}
