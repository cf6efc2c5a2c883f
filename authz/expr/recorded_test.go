package expr

import (
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// An expression on a record has the value that it has whatever the record lacks, or an
// error that says what that is.
func TestAnExpressionOnARecordReadsNothingThatTheRecordLacks(t *testing.T) {
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Host: "api.example.com", Path: "/v1", Time: time.Unix(1_800_000_000, 0), Source: authz.Source{Address: "192.0.2.1"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Recorded = &authz.Recorded{Parts: map[string]bool{"request.method": true, "request.path": true, "request.source": true, "request.source.address": true,
		"identity.subject": true, "identity.scopes": true}}
	in := &Input{Request: r, Identity: &authz.Identity{Method: "idp", Subject: "alice", Scopes: []string{"a"}}}
	in.Identities = []*authz.Identity{in.Identity}
	for src, want := range map[string]string{
		`request.method == "GET"`:                                              "true",
		`request.source.address == "192.0.2.1"`:                                "true",
		`"a" in identity.scopes`:                                               "true",
		`identity.subject == "bob"`:                                            "false",
		`identity.subject == "alice" || request.headers["x-a"] == "b"`:         "true",
		`request.headers["x-a"] == "b" || identity.subject == "alice"`:         "true",
		`identity.subject == "bob" && identity.claims.role == "x"`:             "false",
		`["alice", "bob"].exists(n, n == identity.subject || request.id == n)`: "true",
		`request.headers["x-a"] == "b"`:                                        "request.headers is not in the record",
		`"x-a" in request.headers`:                                             "request.headers is not in the record",
		`!has(request.headers.authorization)`:                                  "request.headers is not in the record",
		`!("debug" in request.query)`:                                          "request.query is not in the record",
		`!has(request.body)`:                                                   "request.body is not in the record",
		`identity.claims.?role.orValue("") == ""`:                              "identity.claims is not in the record",
		`!has(identity.claims.role)`:                                           "identity.claims is not in the record",
		`!has(identity.actor)`:                                                 "identity.actor is not in the record",
		`identity.groups.size() == 0`:                                          "identity.groups is not in the record",
		`identity.groups == []`:                                                "identity.groups is not in the record",
		`request.source.principal == ""`:                                       "request.source.principal is not in the record",
		`request.scheme == ""`:                                                 "request.scheme is not in the record",
		`!("other" in identities)`:                                             "identities is not in the record",
		`size(context) == 0`:                                                   "context is not in the record",
		`size(metadata) == 0`:                                                  "metadata is not in the record",
		`dyn(identity).claims == {}`:                                           "identity.claims is not in the record",
		`[request].exists(r, r.id == "")`:                                      "request.id is not in the record",
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		asked := r.Recorded.Asked()
		holds, err := p.Bool(t.Context(), in)
		switch {
		case want == "true" || want == "false":
			if err != nil || holds != (want == "true") {
				t.Errorf("%s: expected %s, got %t, %v", src, want, holds, err)
			}
		case err == nil || !strings.Contains(err.Error(), want) || holds || r.Recorded.Asked() == asked:
			t.Errorf("%s: expected %q, got %t, %v", src, want, holds, err)
		}
		if _, ok := p.DirectBool(in); ok {
			t.Errorf("%s: evaluated past the record", src)
		}
	}
}
