package expr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// large is a request whose every part is as long as given.
func large(t testing.TB, value, body, names int) *Input {
	t.Helper()
	in := input(t)
	raw := authz.Raw{Method: "POST", Scheme: "https", Host: "a", Path: "/" + strings.Repeat("p", value-1) + "?v=" + strings.Repeat("v", value),
		Headers: []authz.Header{{Name: "x", Value: strings.Repeat("h", value)}}, Body: make([]byte, body), BodyKnown: true, Time: now}
	for i := range names - 1 {
		raw.Path += fmt.Sprintf("&q%d=1", i)
		raw.Headers = append(raw.Headers, authz.Header{Name: fmt.Sprintf("x-%d", i), Value: "1"})
	}
	r, err := authz.NewRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	in.Request = r
	return in
}

func TestWhatIsAsLongAsTheLimitIsReadAndWhatIsLongerIsAnError(t *testing.T) {
	least, beyond := large(t, MaxValue, MaxBody, 1), large(t, MaxValue+1, MaxBody+1, 1)
	least.Identity.Subject, beyond.Identity.Subject = strings.Repeat("s", MaxEntry), strings.Repeat("s", MaxEntry+1)
	least.Identity.Groups, beyond.Identity.Groups = []string{strings.Repeat("g", MaxEntry)}, []string{strings.Repeat("g", MaxEntry+1)}
	least.Identity.Claims["s"], beyond.Identity.Claims["s"] = strings.Repeat("c", MaxClaim), strings.Repeat("c", MaxClaim+1)
	least.Identity.Claims["l"], beyond.Identity.Claims["l"] = []any{strings.Repeat("c", MaxEntry)}, []any{strings.Repeat("c", MaxEntry+1)}
	for src, want := range map[string]string{
		`request.headers["x"] != ""`:                          "the header is too long to be read in an expression: 8193 bytes, at most 8192",
		`request.headers.?x.orValue("") != ""`:                "the header is too long",
		`request.headers.exists(k, request.headers[k] != "")`: "the header is too long",
		`request.query["v"] != ""`:                            "the query parameter is too long to be read in an expression: 8193 bytes, at most 8192",
		`request.query == {"v": ""} || true == false`:         "the query parameter is too long",
		`request.path != ""`:                                  "request.path is too long to be read in an expression: 8193 bytes, at most 8192",
		`request.body != b""`:                                 "request.body is too long to be read in an expression: 65537 bytes, at most 65536",
		`string(request.body) != "x"`:                         "request.body is too long",
		`identity.subject != ""`:                              "identity.subject is too long to be read in an expression: 1025 bytes, at most 1024",
		`identity.groups[0] != ""`:                            "an entry of identity.groups is too long to be read in an expression: 1025 bytes, at most 1024",
		`identity.groups.all(g, true)`:                        "an entry of identity.groups is too long",
		`identity.claims.l.all(x, x != "")`:                   "the entry of a list is too long to be read in an expression: 1025 bytes, at most 1024",
		`identity.claims.s != ""`:                             "a text is too long to be read in an expression: 16385 bytes, at most 16384",
	} {
		p := mustCompile(t, Bool, src)
		if _, err := p.Bool(t.Context(), least); err != nil {
			t.Errorf("%s within the limits: %v", src, err)
		}
		ok, err := p.Bool(t.Context(), beyond)
		if ok || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v and error %v, want %q", src, ok, err, want)
		}
	}
	for _, src := range []string{`"x" in request.headers`, `"v" in request.query`, `has(request.body)`} {
		if ok, err := mustCompile(t, Bool, src).Bool(t.Context(), beyond); !ok || err != nil {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
}

func TestTooManyNamesAreAnErrorOfWhoReadsThemAll(t *testing.T) {
	least, beyond := large(t, 1, 1, MaxNames), large(t, 1, 1, MaxNames+1)
	for _, of := range []struct{ field, called string }{{"headers", "headers"}, {"query", "query parameters"}} {
		for _, format := range []string{
			`request.%[1]s.all(k, true)`, `request.%[1]s.all(k, true) || true`, `!request.%[1]s.exists(k, false)`,
			`request.%[1]s.size() == 256`, `request.%[1]s == request.%[1]s`, `request.%[1]s != {"a": "b"}`, `{"a": "b"} != request.%[1]s`,
			`request.%[1]s.map(k, 1) != []`, `[1].all(i, request.%[1]s == request.%[1]s)`,
		} {
			src := fmt.Sprintf(format, of.field)
			p := mustCompile(t, Bool, src)
			if ok, err := p.Bool(t.Context(), least); !ok || err != nil {
				t.Errorf("%s within the limit: got %v and error %v", src, ok, err)
			}
			// What || absorbs of size() and ==, it does not of a loop.
			ok, err := p.Bool(t.Context(), beyond)
			if want := "there are too many " + of.called + " to read all in an expression: at most 256"; ok || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v and error %v, want %q", src, ok, err, want)
			}
		}
	}
	for _, src := range []string{`request.query.q7 == "1"`, `[1].all(i, request.query.q7 == "1")`, `request.headers["x-7"] == "1"`} {
		if ok, err := mustCompile(t, Bool, src).Bool(t.Context(), beyond); !ok || err != nil {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
}

// TestWhatTakesAsLongAsItsArgumentsAreIsCounted loops over a list of more
// entries than the estimate assumes.
func TestWhatTakesAsLongAsItsArgumentsAreIsCounted(t *testing.T) {
	readLongLists(t)
	in := large(t, MaxValue, MaxBody, MaxNames)
	list := make([]any, 4000)
	for i := range list {
		list[i] = []any{int64(i)}
	}
	in.Identity.Claims["list"], in.Identity.Claims["same"] = list, append([]any{}, list...)
	in.Identity.Claims["text"], in.Identity.Claims["digits"] = strings.Repeat("c", MaxClaim), strings.Repeat("9", MaxClaim)
	for _, condition := range []string{
		`size(request.headers["x"]) > 0`, `request.headers.x.size() > 0`, `size(identity.claims.text) > 0`,
		`identity.claims.list == identity.claims.same`, `optional.of(identity.claims.list) == optional.of(identity.claims.same)`,
		`dyn({"a": identity.claims.list}) == {"a": identity.claims.same}`,
		`identity.claims.list[3999] in identity.claims.same`, `"x" in identity.claims.list || true`,
		`identity.claims.text + "a" == "" || true`, `dyn(identity.claims.text) < dyn(identity.claims.text + "a")`,
		`request.headers.x.indexOf("") == 0`, `"".indexOf(request.headers.x) < 0`,
		`double(identity.claims.digits) > 0.0`, `duration(identity.claims.digits + "ns") > duration("1s") || true`,
		`request.time.getHours("Europe/Berlin") > 0`,
	} {
		src := `identity.claims.list.all(l, ` + condition + `)`
		ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		if ok || err == nil || !strings.Contains(err.Error(), "costs more than 1000000 units") {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
	for _, condition := range []string{`request.headers["x"] != ""`, `request.path != ""`, `"v" in request.query`, `l == l`} {
		src := `identity.claims.list.all(l, ` + condition + `)`
		if ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in); !ok || err != nil {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
}

func TestOneCallThatWouldCostTooMuchIsNotBegun(t *testing.T) {
	readLongLists(t)
	in := input(t)
	list := make([]any, 4000)
	for i := range list {
		list[i] = strings.Repeat("c", 1+i%4)
	}
	in.Identity.Claims["list"], in.Identity.Claims["others"] = list, slices.Repeat([]any{"x"}, 4000)
	for _, src := range []string{
		`sets.contains(identity.claims.list, identity.claims.list)`,
		`sets.equivalent(identity.claims.list, identity.claims.list)`,
		`sets.intersects(identity.claims.list, identity.claims.others)`,
	} {
		ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		if ok || err == nil || !strings.Contains(err.Error(), "costs more than 1000000 units") {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
}

// A grammar found it: a long text in place of a list, whose length was taken for entries.
func TestACallOnWhatIsNoListCostsNothing(t *testing.T) {
	readLongLists(t)
	in := input(t)
	in.Identity.Claims["l"], in.Identity.Claims["s"] = slices.Repeat([]any{strings.Repeat("a", 60)}, 1000), strings.Repeat("a", 4000)
	for _, f := range []string{"sets.contains", "sets.equivalent", "sets.intersects"} {
		for _, args := range []string{`(dyn([identity.claims.l]), dyn(identity.claims.s))`, `(dyn(identity.claims.s), dyn([identity.claims.l]))`, `(dyn(identity.claims), dyn(identity.claims.l))`} {
			ok, err := mustCompile(t, Bool, f+args).Bool(t.Context(), in)
			if ok || err == nil || !strings.Contains(err.Error(), "a type that the operator or function does not take") {
				t.Errorf("%s: expected that it takes no such value, got %v and %v", f+args, ok, err)
			}
		}
	}
}

func TestTheRegularExpressionsAndLoopsOfAttacksAreRefusedOrEnd(t *testing.T) {
	in := large(t, 60<<10, 4<<20, 9000)
	for _, src := range []string{
		`string(request.body).matches("[a-z]{1,60}[0-9]")`,
		`request.headers["x"].matches("[a-z]{1,300}[0-9]")`,
		`request.query.all(k, request.query[k] == "")`,
		`request.query == request.query`,
	} {
		if ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in); ok || err == nil {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
	for _, src := range []string{
		`string(request.body).matches("[a-z]{1,90}[0-9]")`,
		`request.headers["x"].matches("[a-z]{1,500}[0-9]") && request.path.matches("[a-z]{1,500}[0-9]")`,
		`identity.groups.all(a, identity.scopes.all(b, size(request.headers["x"]) > 0))`,
	} {
		if _, err := Compile(Bool, src); err == nil || !strings.Contains(err.Error(), "expected an expression that costs at most") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestWhoeverFailsWhenTheContextHasEndedSaysThatItEnded(t *testing.T) {
	in := input(t)
	for _, src := range []string{
		`identity.groups.all(g, g != "")`,
		// The loop is the second error, which && does not show.
		`identity.claims.gone == "" && identity.groups.all(g, g != "")`,
	} {
		p := mustCompile(t, Bool, src)
		for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
			in.Identity.Groups = make([]string, 500)
			for i := range in.Identity.Groups {
				in.Identity.Groups[i] = "g"
			}
			for _, ctx := range []context.Context{ended(t, want), &endsUnderWay{Context: ended(t, want), done: closed(), err: want}} {
				if ok, err := p.Bool(ctx, in); ok || !errors.Is(err, want) {
					t.Errorf("%s: got %v and error %v, want %v", src, ok, err, want)
				}
			}
		}
	}
}

// ended is a context that has ended, for a cause of its own.
func ended(t *testing.T, with error) context.Context {
	t.Helper()
	if with == context.DeadlineExceeded {
		ctx, cancel := context.WithDeadlineCause(t.Context(), now, errors.New("too slow"))
		t.Cleanup(cancel)
		return ctx
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the client left"))
	return ctx
}
