package authn

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/work"
)

func staff() *Basic {
	return &Basic{
		Method: "staff", Owner: work.Owner{Namespace: "shop", Policy: "orders"}, Users: password.Plain("alice", []byte("sesame:öpen")),
		Verifier: password.New(work.New(work.Options{Slots: 1}), password.Options{}),
	}
}

func pair(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestAUserNameAndAPasswordAreReadAsRFC7617Says(t *testing.T) {
	for name, c := range map[string]struct {
		credential string
		want       authz.Reason
	}{
		"the password":                           {pair("alice:sesame:öpen"), authz.Allowed},
		"another password":                       {pair("alice:sesame"), authz.PasswordMismatch},
		"another user":                           {pair("bob:sesame:öpen"), authz.PasswordMismatch},
		"a user in another letter case":          {pair("Alice:sesame:öpen"), authz.PasswordMismatch},
		"no user":                                {pair(":sesame:öpen"), authz.PasswordMismatch},
		"no password":                            {pair("alice:"), authz.PasswordMismatch},
		"a password of 10,000 bytes":             {pair("alice:" + strings.Repeat("x", 10_000)), authz.PasswordMismatch},
		"no colon":                               {pair("alice"), authz.CredentialMalformed},
		"nothing":                                {"", authz.CredentialMalformed},
		"no padding":                             {strings.TrimRight(pair("alice:x"), "="), authz.CredentialMalformed},
		"no base64":                              {"alice:sesame", authz.CredentialMalformed},
		"base64url":                              {base64.URLEncoding.EncodeToString([]byte("alice:\u00ff\u00ff>>>???")), authz.CredentialMalformed},
		"a space behind it":                      {pair("alice:sesame:öpen") + " ", authz.CredentialMalformed},
		"no UTF-8":                               {pair("alice:\xff"), authz.CredentialMalformed},
		"a NUL in the password":                  {pair("alice:sesame:öpen\x00"), authz.CredentialMalformed},
		"a line break in the name":               {pair("ali\nce:sesame:öpen"), authz.CredentialMalformed},
		"a newline behind the password":          {pair("alice:sesame:öpen\n"), authz.CredentialMalformed},
		"trailing bits":                          {"YWxpY2U6eB==", authz.CredentialMalformed},
		"the password with its letters combined": {pair("alice:sesame:o\u0308pen"), authz.PasswordMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := check(t, staff(), c.credential, clock)
			if got := reason(err); got != c.want {
				t.Fatalf("expected %s, got %s: %v", c.want, got, err)
			}
			if err == nil && (id.Subject != "alice" || id.Method != "staff") {
				t.Errorf("got %+v", id)
			}
		})
	}
}

func TestALineBreakWithinTheCredentialIsNotSkipped(t *testing.T) {
	good := pair("alice:sesame:öpen")
	if _, err := check(t, staff(), good[:4]+"\n"+good[4:], clock); err == nil {
		t.Error("accepted with a line break that a base64 decoder skips")
	}
}

func TestUnknownUsersAreToldAsWrongPasswords(t *testing.T) {
	_, known := check(t, staff(), pair("alice:wrong"), clock)
	_, unknown := check(t, staff(), pair("mallory:wrong"), clock)
	if known == nil || unknown == nil || known.Error() != unknown.Error() {
		t.Errorf("the two can be told apart: %v, %v", known, unknown)
	}
}

func TestAPasswordOverPlaintextIsRefusedUnlessAllowedAloud(t *testing.T) {
	plaintext, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "http", Host: "a.example.com", Path: "/",
		Headers: []authz.Header{{Name: "authorization", Value: "Basic " + pair("alice:sesame:öpen")}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, allowed := range []bool{false, true} {
		b := staff()
		b.AllowPlaintext = allowed
		p, _, err := Read(plaintext, b.Reads().Places[0])
		if err != nil || p == nil || (p.Refused == nil) != allowed || !allowed && p.Refused.Reason != authz.PlaintextRefused {
			t.Errorf("%t: read %+v, %v", allowed, p, err)
		}
		v, err := b.Verify(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(plaintext, v); (err == nil) != allowed || !allowed && reason(err) != authz.PlaintextRefused {
			t.Errorf("%t: a password that was verified before: got %v", allowed, err)
		}
		if offered := b.Challenge(plaintext, false) != ""; offered != allowed {
			t.Errorf("%t: offered %t", allowed, offered)
		}
	}
}

func TestWithoutUsersBasicIsUnavailable(t *testing.T) {
	b := staff()
	b.Users, b.Missing = nil, "Secret shop/staff is missing"
	if _, err := check(t, b, pair("alice:sesame:öpen"), clock); reason(err) != authz.Unavailable {
		t.Errorf("got %v", err)
	}
	b.Missing = ""
	if _, err := check(t, b, pair("alice:sesame:öpen"), clock); err == nil {
		t.Error("no users at all: accepted")
	}
}

func TestAFullQueueOfPasswordsIsOverloaded(t *testing.T) {
	b := staff()
	b.Verifier = password.New(nil, password.Options{})
	if _, err := check(t, b, pair("alice:sesame:öpen"), clock); reason(err) != authz.Overloaded {
		t.Errorf("got %v", err)
	}
}

func TestAPasswordThatCannotBeCheckedInTimeIsUnavailable(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err := staff().Verify(ctx, &Presented{Value: pair("alice:sesame:öpen")})
	if reason(err) != authz.Unavailable {
		t.Errorf("got %v", err)
	}
}
