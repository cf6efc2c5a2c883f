package policy

import (
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/reviews"
)

// A policy that validation let through has sound prefixes. What is asked does not rely on it.
func TestNoIdentityOfAnotherMethodHasANameOfTheCluster(t *testing.T) {
	for name, c := range map[string]struct {
		username, groups string
		id               authz.Identity
	}{
		"no prefixes":                         {"", "", authz.Identity{Subject: "alice"}},
		"no prefix of groups":                 {"idp:", "", authz.Identity{Subject: "alice"}},
		"a prefix that a subject completes":   {"sys", "idp:", authz.Identity{Subject: "tem:admin"}},
		"a prefix that a group completes":     {"idp:", "system", authz.Identity{Subject: "alice", Groups: []string{"x", ":masters"}}},
		"no subject":                          {"idp:", "idp:", authz.Identity{}},
		"more groups than are asked about":    {"idp:", "idp:", authz.Identity{Subject: "alice", Groups: make([]string, 257)}},
		"the name of a method of another one": {"", "", authz.Identity{Method: "keys", Subject: "system:serviceaccount:shop:robot"}},
	} {
		s := &access{Access: Access{UsernamePrefix: c.username, GroupsPrefix: c.groups}, own: []string{"workloads"}}
		var q reviews.Question
		if s.account(&c.id, &q) == "" {
			t.Errorf("%s: asked about %+v", name, q)
		}
	}
}

func TestAnAccountOfTheClusterIsAskedAboutAsItIs(t *testing.T) {
	s := &access{own: []string{"workloads"}}
	id := authz.Identity{Method: "workloads", Subject: "system:serviceaccount:shop:robot", Groups: []string{"system:authenticated"},
		Claims: map[string]any{"uid": "1", "extra": map[string]any{"x": []any{"y", "z"}}}}
	var q reviews.Question
	if why := s.account(&id, &q); why != "" || q.Username != id.Subject || q.UID != "1" || !slices.Equal(q.Groups, id.Groups) || !slices.Equal(q.Extra["x"], []string{"y", "z"}) {
		t.Errorf("got %q, %+v", why, q)
	}
}
