package authn

import (
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestACredentialInAListOfSubprotocolsIsTheEntryBehindTheScheme(t *testing.T) {
	place := Place{In: InHeader, Name: "sec-websocket-protocol", Scheme: "bearer"}
	for value, want := range map[string]struct {
		credential, rest string
		occupied, bad    bool
	}{
		"bearer, T":             {credential: "T", rest: "bearer", occupied: true},
		"chat,BEARER,T , x":     {credential: "T", rest: "chat, BEARER, x", occupied: true},
		"bearer,,T":             {credential: "T", rest: "bearer", occupied: true},
		"bearer, bearer":        {bad: true, occupied: true},
		"bearer, T, bearer, U":  {bad: true, occupied: true},
		"chat, T":               {},
		"bearer":                {occupied: true},
		"bearer, a b":           {credential: "a b", rest: "bearer", occupied: true},
		"bearer T":              {},
		"bearers, T":            {},
		"x-bearer, T, bearer, ": {occupied: true},
	} {
		r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a.example.com", Path: "/",
			Headers: []authz.Header{{Name: "Sec-WebSocket-Protocol", Value: value}}})
		if err != nil {
			t.Fatal(err)
		}
		found, occupied, err := Read(r, place)
		if (err != nil) != want.bad || occupied != want.occupied || (found != nil) != (want.occupied && !want.bad) {
			t.Errorf("%q: got %+v, %v, %v", value, found, occupied, err)
			continue
		}
		if found == nil {
			continue
		}
		if found.Value != want.credential || (want.credential == "" || want.credential == "a b") != (found.Malformed != "") {
			t.Errorf("%q: got %+v", value, found)
		}
		if rest := place.WithoutCredential(value); want.credential != "" && rest != want.rest {
			t.Errorf("%q: the rest is %q", value, rest)
		}
	}
	bare := place
	bare.Scheme = ""
	if bare.ReadsList() {
		t.Error("without a scheme the whole value is the credential")
	}
}
