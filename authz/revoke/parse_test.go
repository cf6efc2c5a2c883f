package revoke

import (
	"strings"
	"testing"
	"time"
)

func TestAnEntryIsReadStrictly(t *testing.T) {
	const until = ", until: 2027-02-01T00:00:00Z}"
	for _, c := range []struct{ name, text, want string }{
		{"an issuer and a subject are read", "{issuer: a, subject: b" + until, ""},
		{"JSON is read", `{"issuer": "a", "kid": "b", "until": "2027-02-01T00:00:00Z"}`, ""},
		{"lines are read", "issuer: a\nactor:\n  subject: b\nuntil: 2027-02-01T00:00:00+01:00\nreason: ticket\n", ""},
		{"a thumbprint in hexadecimal digits is read", "{thumbprint: " + strings.Repeat("0", 64) + until, ""},
		{"a thumbprint with colons is read", "{thumbprint: '" + strings.Repeat("AB:", 31) + "AB'" + until, ""},
		{"a thumbprint in base64url is read", "{thumbprint: " + strings.Repeat("A", 43) + until, ""},
		{"a subject alone is that of a user or a key", "{subject: alice" + until, ""},
		{"an empty issuer is none", "{issuer: '', jti: a" + until, ""},
		{"nothing is an error", "", "it is empty"},
		{"a comment alone is an error", "# alice", "it is empty"},
		{"a text is an error", "alice", "expected an object"},
		{"a list is an error", "[a]", "expected an object"},
		{"two documents are an error", "{subject: a" + until + "\n---\n{}", "something comes after"},
		{"what is no YAML is an error", "{subject: [", "neither YAML nor JSON"},
		{"an unknown field is an error", "{issuer: a, sub: b" + until, "sub: it is no field"},
		{"another letter case is another field", "{Issuer: a, subject: b" + until, "Issuer: it is no field"},
		{"an unknown field of the actor is an error", "{issuer: a, actor: {sub: b}" + until, "actor.sub: it is no field"},
		{"a field that comes twice is an error", "{issuer: a, subject: b, subject: c" + until, "subject: the field comes twice"},
		{"a number is no text", "{issuer: a, subject: 42" + until, "subject: expected a text; put it in quotes"},
		{"a bool is no text", "{issuer: a, subject: true" + until, "put it in quotes"},
		{"null is no text", "{issuer: a, subject: " + until, "put it in quotes"},
		{"a list is no text", "{issuer: a, subject: [b]" + until, "subject: expected a text"},
		{"an empty subject is an error", "{issuer: a, subject: ''" + until, "subject: it is empty"},
		{"an anchor is an error", "{issuer: &x a, subject: b" + until, "issuer: expected a text"},
		{"an alias is an error", "{issuer: a, subject: b, actor: {issuer: &x a, subject: *x}" + until, "actor.issuer: expected a text"},
		{"a merge is an error", "{<<: {issuer: a}, subject: b" + until, "no text"},
		{"an actor that is a text is an error", "{issuer: a, actor: bot" + until, "actor: expected an object"},
		{"without an end it is an error", "{issuer: a, subject: b}", "until: it is missing"},
		{"an end that is no time is an error", "{issuer: a, subject: b, until: tomorrow}", "until: expected a time"},
		{"a date alone is an error", "{issuer: a, subject: b, until: 2027-02-01}", "until: expected a time"},
		{"an end alone is an error", "{until: 2027-02-01T00:00:00Z}", "it names nothing"},
		{"a reason alone is an error", "{reason: a" + until, "it names nothing"},
		{"an issuer alone is an error", "{issuer: a" + until, "issuer: it would revoke all"},
		{"a client needs an issuer", "{client: a" + until, "issuer: it is missing"},
		{"a jti needs an issuer", "{jti: a" + until, "issuer: it is missing"},
		{"a kid needs an issuer", "{kid: a" + until, "issuer: it is missing"},
		{"an actor needs an issuer", "{actor: {subject: a}" + until, "actor.issuer: expected the issuer"},
		{"an actor needs a subject", "{actor: {issuer: a}" + until, "actor.subject: it is missing"},
		{"an empty actor is nothing", "{actor: {}" + until, "it names nothing"},
		{"a subject beside an actor needs an issuer", "{subject: a, actor: {issuer: b, subject: c}" + until, "issuer: it is missing"},
		{"the entry of a key needs its Secret", "{credentialId: first" + until, "secret: it is missing"},
		{"a Secret has one namespace", "{secret: a/b/c" + until, "secret: expected the name"},
		{"a short thumbprint is an error", "{thumbprint: abcd" + until, "thumbprint: expected a SHA-256"},
		{"a control character is an error", `{issuer: a, subject: "b\n"` + until, "subject: expected a text without control characters"},
		{"a long text is an error", "{issuer: a, subject: " + strings.Repeat("b", 1025) + until, "subject: expected at most 1,024 bytes"},
		{"a long entry is an error", "{issuer: a, subject: b, reason: '" + strings.Repeat("b", 4<<10) + "'" + until, "at most 4 KiB"},
		{"what is no UTF-8 is an error", "{issuer: \xff, subject: b" + until, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("shop", []byte(c.text))
			if got := ""; err != nil || c.want != "" {
				if err != nil {
					got = err.Error()
				}
				if c.want == "" || !strings.Contains(got, c.want) {
					t.Errorf("expected %q, got %q", c.want, got)
				}
			}
		})
	}
}

func TestASecretOfARevocationForAllNamespacesIsNamedWithItsNamespace(t *testing.T) {
	const text = "{secret: robot, until: 2027-02-01T00:00:00Z}"
	if e, err := Parse("shop", []byte(text)); err != nil || e.match.secret != "shop/robot" {
		t.Errorf("expected the Secret of the namespace, got %+v, %v", e, err)
	}
	if _, err := Parse("", []byte(text)); err == nil || !strings.Contains(err.Error(), "namespace/name") {
		t.Errorf("expected an error that says how to name it, got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "{issuer: a, subject: b, until: 2027-02-01T00:00:00Z}", "a: &a [*a]", "? {}\n: x", "{secret: a/b, until: 2027-02-01T00:00:00Z}", "!!binary x", "{<<: *a}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := Parse("shop", text)
		switch {
		case err != nil && e != nil, err == nil && e == nil:
			t.Fatalf("expected an entry or an error, got %+v, %v", e, err)
		case e == nil:
			return
		case e.match.shape == 0 || e.match.shape == ofIssuer || e.Until.IsZero() || e.What() == "":
			t.Fatalf("an entry that names nothing, or has no end: %+v", e)
		}
		e.ConfigMap, e.Name = "shop/x", "x"
		var table table
		if !table.add(e) || table.entries[e.match] != e {
			t.Fatal("an entry cannot be found by what it names")
		}
		if e.Ended(e.Until.Add(-time.Nanosecond)) || !e.Ended(e.Until) {
			t.Fatal("an entry ends at its end")
		}
	})
}
