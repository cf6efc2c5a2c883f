package authz

import (
	"slices"
	"testing"
)

func withHeaders(h ...Header) func(*Raw) { return func(r *Raw) { r.Headers = h } }

func TestHeadersOfOneNameAreJoinedAndCounted(t *testing.T) {
	r := read(t, withHeaders(
		Header{"X-Agent", "one"}, Header{"x-agent", "two"}, Header{"x-AGENT", ""},
		Header{"cookie", "a=1"}, Header{"Cookie", "b=2"}, Header{"empty", ""}))
	for name, want := range map[string]struct {
		value  string
		fields int
	}{
		"x-agent": {"one,two,", 3},
		"cookie":  {"a=1; b=2", 2},
		"empty":   {"", 1},
		"absent":  {"", 0},
		"X-Agent": {"", 0}, // names are asked for in lower case
	} {
		if value, fields := r.Header(name); value != want.value || fields != want.fields {
			t.Errorf("%s: expected %q of %d fields, got %q of %d", name, want.value, want.fields, value, fields)
		}
	}
	var names []string
	for name := range r.Headers() {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"cookie", "empty", "x-agent"}) {
		t.Errorf("got the names %q", names)
	}
	n := 0
	for range r.Headers() {
		n++
		break
	}
	if n != 1 {
		t.Error("the iteration does not end when it is told to")
	}
}

func TestPseudoHeadersMustSayWhatTheDoorSays(t *testing.T) {
	r := read(t, withHeaders(
		Header{":authority", "API.example.com:443"}, Header{":method", "GET"},
		Header{":path", "/v1/orders?a=1"}, Header{":scheme", "HTTPS"}, Header{"host", "api.example.com"}))
	if _, fields := r.Header(":path"); fields != 0 {
		t.Error("a pseudo-header is shown as a header")
	}
	for name, h := range map[string]Header{
		"another authority":            {":authority", "evil.example.com"},
		"an authority that is no host": {":authority", "api.example.com."},
		"another method":               {":method", "POST"},
		"another path":                 {":path", "/v1/orders"},
		"another scheme":               {":scheme", "http"},
		"another host header":          {"Host", "evil.example.com"},
		"an empty host header":         {"host", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, withHeaders(h)) })
	}
	t.Run("two host headers", func(t *testing.T) {
		refused(t, withHeaders(Header{"host", "api.example.com"}, Header{"host", "api.example.com"}))
	})
}

func TestAHeaderThatIsNoFieldIsRefused(t *testing.T) {
	for name, h := range map[string]Header{
		"no name":                      {"", "v"},
		"a name with a space":          {"x agent", "v"},
		"a name with a trailing space": {"x-agent ", "v"},
		"a name with a colon":          {"x:agent", "v"},
		"a name beyond ASCII":          {"x-ägent", "v"},
		"a name with a line break":     {"x\r\ny", "v"},
		"a value with a CR":            {"x-agent", "a\rb"},
		"a value with a LF":            {"x-agent", "a\nb"},
		"a value with a NUL":           {"x-agent", "a\x00b"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, withHeaders(h)) })
	}
	for _, name := range []string{"x_agent_id", "x.agent.id", "x!agent!id", "X-Agent-Id"} {
		read(t, withHeaders(Header{name, "v"}))
	}
}

func TestCookiesAreFoundWhereverTheyAre(t *testing.T) {
	r := read(t, withHeaders(
		Header{"cookie", "a=1; b=2;c=3 ; a=4"}, Header{"Cookie", "d=x=y; e; =f; A=5; g=\"q\""}))
	for name, want := range map[string][]string{
		"a": {"1", "4"}, "b": {"2"}, "c": {"3"}, "d": {"x=y"}, "e": {""}, "A": {"5"}, "g": {`"q"`}, "h": nil,
	} {
		if got := slices.Collect(r.Cookie(name)); !slices.Equal(got, want) {
			t.Errorf("%s: expected %q, got %q", name, want, got)
		}
	}
}

func TestACookieIsSeenWhereverALenientServerSeesOne(t *testing.T) {
	for header, want := range map[string]int{
		"": 0, "a=1": 1, "a": 1, "b=1; a=2": 1, "a=1; a=2": 2, "a=1,a=2": 2, "b=x,a=2": 1, "b=\"x; a=2\"": 1,
		"b=\"a=2\"": 1, "b=x a=2": 1, "b=x\ta=2": 1, "b=x\x01a=2": 1, "b=é a=2": 1, "b=éa=2": 1,
		"A=1": 0, "aa=1": 0, "b=a": 0, "b=xa=2": 0, "b=;": 0,
	} {
		if got := read(t, withHeaders(Header{"cookie", header})).CookieSightings("a"); got != want {
			t.Errorf("%q: expected %d, got %d", header, want, got)
		}
	}
}

func TestAnAliasIsWhatALenientServerMakesOfAName(t *testing.T) {
	for name, want := range map[string]string{
		"x-agent-id": "x-agent-id", "X_Agent_Id": "x-agent-id", "x.agent.id": "x-agent-id", "x!agent~id": "x-agent-id",
		"X-AGENT-ID9": "x-agent-id9", "": "", "é": "--",
	} {
		if got := Alias(name); got != want {
			t.Errorf("%q: expected %q, got %q", name, want, got)
		}
	}
}

func TestAFieldValueIsSentAsItIsOrNotAtAll(t *testing.T) {
	for value, want := range map[string]bool{
		"": true, "a": true, "a b": true, "a\tb": true, "é": true, "\xff": true, "!": true,
		" a": false, "a ": false, "\ta": false, "a\t": false, " ": false,
		"a\r\nb": false, "a\nb": false, "a\x00b": false, "a\x7fb": false, "a\x1fb": false,
	} {
		if got := ValidFieldValue(value); got != want {
			t.Errorf("value %q: expected %t, got %t", value, want, got)
		}
	}
	for name, want := range map[string]bool{
		"x-agent": true, "X_Agent.1!": true, "": false, "x agent": false, "x:y": false, ":path": false, "é": false, "a\n": false,
	} {
		if got := ValidFieldName(name); got != want {
			t.Errorf("name %q: expected %t, got %t", name, want, got)
		}
	}
}
