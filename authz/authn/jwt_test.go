package authn

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAGoodTokenIsAnIdentity(t *testing.T) {
	raw := mac(`{"alg":"HS256","typ":"application/AT+JWT"}`, claims(
		`"scope":"a b"`, `"jti":"id-1"`, `"act":{"sub":"bot","iss":"https://other.example.com","act":{"sub":"inner"}}`, `"role":"manager"`))
	id, err := check(t, shared(), raw, clock)
	if err != nil {
		t.Fatal(err)
	}
	if id.Method != "agents" || id.Issuer != "https://idp.example.com" || id.Subject != "agent" || id.CredentialID != "id-1" ||
		!slices.Equal(id.Scopes, []string{"a", "b"}) || !slices.Equal(id.Audiences, []string{"orders"}) ||
		id.Actor == nil || *id.Actor != (authz.Actor{Issuer: "https://other.example.com", Subject: "bot"}) ||
		!id.ExpiresAt.Equal(time.Unix(1_800_000_600, 0)) || id.Claims["role"] != "manager" {
		t.Errorf("got %+v", id)
	}
}

func TestClaimsAreChecked(t *testing.T) {
	const now = 1_800_000_000
	claim := func(s string) string { // claims with one of them replaced
		name, _, _ := strings.Cut(s, ":")
		rest := []string{}
		for _, c := range []string{`"iss":"https://idp.example.com"`, `"aud":"orders"`, `"sub":"agent"`, `"exp":1800000600`} {
			if !strings.HasPrefix(c, name+":") {
				rest = append(rest, c)
			}
		}
		if !strings.HasSuffix(s, ":") {
			rest = append(rest, s)
		}
		return `{` + strings.Join(rest, ",") + `}`
	}
	for name, c := range map[string]struct {
		payload string
		want    authz.Reason
	}{
		"as it should be":                         {claims(), authz.Allowed},
		"exp a second ahead":                      {claim(`"exp":1800000001`), authz.Allowed},
		"exp past, within the skew":               {claim(`"exp":1799999971`), authz.Allowed},
		"exp past by the skew exactly":            {claim(`"exp":1799999970`), authz.TokenExpired},
		"exp long past":                           {claim(`"exp":1`), authz.TokenExpired},
		"exp as a fraction":                       {claim(`"exp":1800000600.5`), authz.Allowed},
		"exp in exponent form":                    {claim(`"exp":1.8000006e9`), authz.Allowed},
		"exp missing":                             {claim(`"exp":`), authz.CredentialMalformed},
		"EXP in capitals":                         {claim(`"exp":`)[:1] + `"EXP":1800000600,` + claim(`"exp":`)[1:], authz.CredentialMalformed},
		"exp null":                                {claim(`"exp":null`), authz.CredentialMalformed},
		"exp a string":                            {claim(`"exp":"1800000600"`), authz.CredentialMalformed},
		"exp a bool":                              {claim(`"exp":true`), authz.CredentialMalformed},
		"exp negative":                            {claim(`"exp":-1`), authz.CredentialMalformed},
		"exp a negative fraction":                 {claim(`"exp":-0.5`), authz.CredentialMalformed},
		"exp in milliseconds":                     {claim(`"exp":1800000600000`), authz.CredentialMalformed},
		"exp beyond 64 bits":                      {claim(`"exp":18446744073709551616`), authz.CredentialMalformed},
		"exp close to the largest double":         {claim(`"exp":1e308`), authz.CredentialMalformed},
		"nbf past":                                {claim(`"nbf":1799999999`), authz.Allowed},
		"nbf ahead by the skew":                   {claim(`"nbf":1800000030`), authz.Allowed},
		"nbf ahead by more":                       {claim(`"nbf":1800000031`), authz.TokenNotYetValid},
		"nbf a string":                            {claim(`"nbf":"0"`), authz.CredentialMalformed},
		"nbf null":                                {claim(`"nbf":null`), authz.Allowed},
		"nbf negative":                            {claim(`"nbf":-1`), authz.CredentialMalformed},
		"aud a list that names us":                {claim(`"aud":["other","orders"]`), authz.Allowed},
		"aud another":                             {claim(`"aud":"other"`), authz.AudienceMismatch},
		"aud in another letter case":              {claim(`"aud":"Orders"`), authz.AudienceMismatch},
		"aud a prefix of us":                      {claim(`"aud":"order"`), authz.AudienceMismatch},
		"aud with us inside":                      {claim(`"aud":"orders,other"`), authz.AudienceMismatch},
		"aud an empty list":                       {claim(`"aud":[]`), authz.AudienceMismatch},
		"aud empty":                               {claim(`"aud":""`), authz.AudienceMismatch},
		"aud missing":                             {claim(`"aud":`), authz.AudienceMismatch},
		"aud a number":                            {claim(`"aud":1`), authz.CredentialMalformed},
		"aud a list with a number":                {claim(`"aud":["orders",1]`), authz.CredentialMalformed},
		"aud an object":                           {claim(`"aud":{"orders":true}`), authz.CredentialMalformed},
		"iss another":                             {claim(`"iss":"https://evil.example.com"`), "NotMine"},
		"iss with a slash behind it":              {claim(`"iss":"https://idp.example.com/"`), "NotMine"},
		"iss in another letter case":              {claim(`"iss":"https://IDP.example.com"`), "NotMine"},
		"iss missing":                             {claim(`"iss":`), "NotMine"},
		"ISS in capitals is another claim":        {claim(`"ISS":"https://evil.example.com"`), authz.Allowed},
		"a sub that its mapping refuses":          {claim(`"sub":7`), authz.ClaimsRefused},
		"a token bound to a key":                  {claim(`"cnf":{"jkt":"x"}`), authz.ProofRequired},
		"a token bound to nothing":                {claim(`"cnf":null`), authz.Allowed},
		"a jti that is no string":                 {claim(`"jti":1`), authz.Allowed},
		"an act that is no object":                {claim(`"act":"bot"`), authz.Allowed},
		"an act whose sub is no string":           {claim(`"act":{"sub":1}`), authz.Allowed},
		"an act whose iss is no string":           {claim(`"act":{"sub":"a","iss":[]}`), authz.Allowed},
		"null where something is optional":        {claims(`"jti":null`, `"act":null`, `"scope":null`, `"groups":null`, `"iat":null`), authz.Allowed},
		"sub null":                                {claim(`"sub":null`), authz.Allowed},
		"aud null":                                {claim(`"aud":null`), authz.AudienceMismatch},
		"iss null":                                {claim(`"iss":null`), "NotMine"},
		"iat of any kind":                         {claim(`"iat":"yesterday"`), authz.Allowed},
		"a jti that is an object":                 {claim(`"jti":{}`), authz.Allowed},
		"an empty act":                            {claim(`"act":{}`), authz.Allowed},
		"no sub":                                  {claim(`"sub":`), authz.Allowed},
		"a whole number beyond a double's digits": {claim(`"id":9007199254740993`), authz.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := check(t, shared(), mac(hs256, c.payload), time.Unix(now, 0))
			if got := reason(err); got != c.want {
				t.Errorf("%s: expected %s, got %s: %v", c.payload, c.want, got, err)
			}
		})
	}
}

func TestAnyAudienceStillReadsTheAudience(t *testing.T) {
	j := shared()
	j.Audiences, j.AnyAudience = nil, true
	for payload, want := range map[string]authz.Reason{
		`{"iss":"https://idp.example.com","exp":1800000600}`:               authz.Allowed,
		`{"iss":"https://idp.example.com","exp":1800000600,"aud":"x"}`:     authz.Allowed,
		`{"iss":"https://idp.example.com","exp":1800000600,"aud":[1]}`:     authz.CredentialMalformed,
		`{"iss":"https://idp.example.com","exp":1800000600,"aud":{"a":1}}`: authz.CredentialMalformed,
	} {
		if _, err := check(t, j, mac(hs256, payload), clock); reason(err) != want {
			t.Errorf("%s: expected %s, got %v", payload, want, err)
		}
	}
}

func TestTheTypeSaysWhatATokenIsFor(t *testing.T) {
	strict := shared()
	strict.TokenTypes, strict.NoType = []string{"at+jwt"}, false
	for typ, want := range map[string][2]authz.Reason{ // by default, and with at+jwt alone
		`,"typ":"JWT"`:                         {authz.Allowed, authz.TokenTypeRefused},
		`,"typ":"at+jwt"`:                      {authz.Allowed, authz.Allowed},
		`,"typ":"AT+JWT"`:                      {authz.Allowed, authz.Allowed},
		`,"typ":"application/at+jwt"`:          {authz.Allowed, authz.Allowed},
		`,"typ":"Application/AT+jwt"`:          {authz.Allowed, authz.Allowed},
		``:                                     {authz.Allowed, authz.TokenTypeRefused},
		`,"typ":""`:                            {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"dpop+jwt"`:                    {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"oauth-id-jag+jwt"`:            {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"txntoken+jwt"`:                {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"logout+jwt"`:                  {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"application/application/jwt"`: {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"at+jwt "`:                     {authz.TokenTypeRefused, authz.TokenTypeRefused},
		`,"typ":"JOSE"`:                        {authz.TokenTypeRefused, authz.TokenTypeRefused},
	} {
		raw := mac(`{"alg":"HS256"`+typ+`}`, claims())
		for i, j := range []*JWT{shared(), strict} {
			if _, err := check(t, j, raw, clock); reason(err) != want[i] {
				t.Errorf("typ %s: expected %s, got %v", typ, want[i], err)
			}
		}
	}
}

func TestAMethodForAnyIssuerLeavesTheOthersTheirs(t *testing.T) {
	j := shared()
	j.Issuer, j.AnyIssuer, j.OtherIssuers = "", true, []string{"https://theirs.example.com"}
	for iss, want := range map[string]authz.Reason{
		`"iss":"https://theirs.example.com",`: "NotMine",
		`"iss":"https://x.example.com",`:      authz.Allowed,
		`"iss":"",`:                           authz.Allowed,
		``:                                    authz.Allowed,
	} {
		if _, err := check(t, j, mac(hs256, `{`+iss+`"aud":"orders","exp":1800000600}`), clock); reason(err) != want {
			t.Errorf("%s: expected %s, got %v", iss, want, err)
		}
	}
}

func TestTheTokenOfTheArticleHasNeitherIssuerNorAudience(t *testing.T) {
	j := shared()
	j.Issuer, j.AnyIssuer, j.Audiences, j.AnyAudience = "", true, nil, true
	id, err := check(t, j, mac(`{"alg":"HS256","typ":"JWT"}`, `{"id":7,"role":"manager","iat":1800000000,"exp":1800003600}`), clock)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "" || id.Claims["id"] != int64(7) || id.Claims["role"] != "manager" {
		t.Errorf("got %+v", id)
	}
}

func TestAMethodWithoutItsKeysIsUnavailableForItsOwnTokensOnly(t *testing.T) {
	j := shared()
	j.Secret, j.Missing = nil, "Secret shop/agents is missing"
	if _, err := check(t, j, mac(hs256, claims()), clock); reason(err) != authz.Unavailable {
		t.Errorf("its own token: got %v", err)
	}
	if _, err := check(t, j, mac(hs256, `{"iss":"https://x.example.com"}`), clock); !errors.Is(err, ErrNotMine) {
		t.Errorf("another's token: got %v", err)
	}
	if _, err := check(t, j, "opaque", clock); !errors.Is(err, ErrNotMine) {
		t.Errorf("no token: got %v", err)
	}
	if _, err := check(t, j, mac(`{"alg":"HS256","crit":[]}`, claims()), clock); reason(err) != authz.CredentialMalformed {
		t.Errorf("a malformed token: got %v", err)
	}
}

func TestAMalformedPlaceIsABadCredential(t *testing.T) {
	p := &Presented{Value: mac(hs256, claims()), Malformed: "white space"}
	if _, err := shared().Verify(t.Context(), p); reason(err) != authz.CredentialMalformed {
		t.Errorf("got %v", err)
	}
}

func TestTheZeroMethodAcceptsNoToken(t *testing.T) {
	for _, payload := range []string{`{"iss":"","exp":1800000600}`, `{"exp":1800000600}`, claims()} {
		if id, err := check(t, &JWT{}, mac(hs256, payload), clock); err == nil {
			t.Errorf("%s: accepted as %+v", payload, id)
		}
	}
}

func TestAFailingMappingRefusesTheToken(t *testing.T) {
	if _, err := check(t, shared(), mac(hs256, `{"iss":"https://idp.example.com","aud":"orders","exp":1800000600,"sub":["a"]}`), clock); err == nil {
		t.Error("accepted with a sub that is a list")
	}
}

// mapper counts how often claims are mapped.
type mapper struct {
	usual
	mapped *int
}

func (m mapper) Subject(ctx context.Context, c map[string]any) (string, error) {
	*m.mapped++
	return m.usual.Subject(ctx, c)
}

// Whoever has any token of the issuer could have expressions evaluated.
func TestOfATokenThatDoesNotHoldNoClaimIsMapped(t *testing.T) {
	for payload, want := range map[string]authz.Reason{
		claims():            authz.Allowed,
		claims(`"cnf":{}`):  authz.ProofRequired,
		claims(`"nbf":"x"`): authz.CredentialMalformed,
		claims(`"nbf":2e9`): authz.TokenNotYetValid,
		`{"iss":"https://idp.example.com","aud":"orders","exp":1}`:         authz.TokenExpired,
		`{"iss":"https://idp.example.com","aud":"other","exp":1800000600}`: authz.AudienceMismatch,
		`{"iss":"https://idp.example.com","aud":"orders"}`:                 authz.CredentialMalformed,
	} {
		mapped := 0
		j := shared()
		j.Map = mapper{mapped: &mapped}
		_, err := check(t, j, mac(hs256, payload), clock)
		if reason(err) != want || (mapped == 1) != (want == authz.Allowed) {
			t.Errorf("%s: got %v, mapped %d times", payload, err, mapped)
		}
	}
}

func TestDatesThatAreNoneSayWhatIsWrong(t *testing.T) {
	for claim, want := range map[string]string{
		`"exp":1790000000000`:           "exp is 1790000000000, beyond the year 9999: it looks like milliseconds, expected a number of seconds since 1970 (RFC 7519 4.1.4)",
		`"exp":1790000000000000`:        "it looks like microseconds",
		`"exp":1.79e18`:                 "it looks like nanoseconds",
		`"exp":1e300`:                   "which is no date",
		`"exp":"1790000000"`:            "exp is a text, expected a number",
		`"exp":true`:                    "exp is a bool, expected a number",
		`"exp":[1]`:                     "exp is a list, expected a number",
		`"exp":{}`:                      "exp is an object, expected a number",
		`"exp":null`:                    "exp is missing, expected a number",
		`"x":1`:                         "exp is missing, expected a number",
		`"exp":-1`:                      "exp is -1, a time before 1970",
		`"exp":2e9,"nbf":"x"`:           "nbf is a text, expected a number of seconds since 1970 (RFC 7519 4.1.5)",
		`"exp":2e9,"nbf":1790000000000`: "nbf is 1790000000000, beyond the year 9999: it looks like milliseconds",
	} {
		_, err := check(t, shared(), mac(hs256, `{"iss":"https://idp.example.com","aud":"orders",`+claim+`}`), clock)
		if reason(err) != authz.CredentialMalformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, got %v", claim, want, err)
		}
	}
}

func TestOfWhatCannotBeReadTheIdentityHasNothing(t *testing.T) {
	for claim, want := range map[string]struct {
		id    string
		actor *authz.Actor
	}{
		`"jti":17`:                      {"17", nil},
		`"jti":["x"]`:                   {"", nil},
		`"act":null`:                    {"", nil},
		`"act":"x"`:                     {"", &authz.Actor{Unreadable: true}},
		`"act":""`:                      {"", &authz.Actor{Unreadable: true}},
		`"act":["x"]`:                   {"", &authz.Actor{Unreadable: true}},
		`"act":[]`:                      {"", &authz.Actor{Unreadable: true}},
		`"act":false`:                   {"", &authz.Actor{Unreadable: true}},
		`"act":0`:                       {"", &authz.Actor{Unreadable: true}},
		`"act":{}`:                      {"", &authz.Actor{}},
		`"act":{"sub":"b","act":"x"}`:   {"", &authz.Actor{Subject: "b"}},
		`"act":{"sub":7,"iss":"i"}`:     {"", &authz.Actor{Subject: "7", Issuer: "i"}},
		`"act":{"sub":{},"iss":["i"]}`:  {"", &authz.Actor{}},
		`"act":{"sub":null,"iss":null}`: {"", &authz.Actor{}},
	} {
		id, err := check(t, shared(), mac(hs256, claims(claim)), clock)
		if err != nil || id.CredentialID != want.id || (id.Actor == nil) != (want.actor == nil) || id.Actor != nil && *id.Actor != *want.actor {
			t.Errorf("%s: got %+v, %v", claim, id, err)
		}
	}
}
