package audit_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

var at = time.Date(2027, 1, 15, 8, 0, 0, 123456789, time.UTC)

// sink collects lines. While it is held, a line waits.
type sink struct {
	mu    sync.Mutex
	text  bytes.Buffer
	holds sync.Mutex
	fails bool
}

func (s *sink) Write(line []byte) (int, error) {
	s.holds.Lock()
	defer s.holds.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return 0, errors.New("no space left on device")
	}
	return s.text.Write(line)
}

func (s *sink) fail(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = yes
}

func begin(t *testing.T, to *sink, change func(*audit.Config)) *audit.Stream {
	t.Helper()
	c := audit.Config{Sinks: []audit.Sink{audit.Writer("stdout", to)}, Allows: 1, Process: audit.Process{Version: "v1", Host: "pod-1", PID: 7}}
	if change != nil {
		change(&c)
	}
	s, err := audit.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func end(t *testing.T, s *audit.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func records(t *testing.T, text string) (out []audit.Record) {
	t.Helper()
	for r, err := range audit.Read(strings.NewReader(text)) {
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		out = append(out, r)
	}
	return out
}

func request() authz.Raw {
	return authz.Raw{
		ID: "req-1", Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/v1/patients/4711?token=secret-in-the-query",
		Headers: []authz.Header{{Name: "authorization", Value: "Bearer a-secret-token"}, {Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		Body:    []byte("a-secret-body"), BodyKnown: true, Source: authz.Source{Address: "192.0.2.7", Principal: "spiffe://prod.example.com/agent"},
	}
}

func allowed() *authz.Decision {
	return &authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/orders", Version: &authz.PolicyVersion{Generation: 4, Digest: "sha256:0123456789ab"},
		Identity: &authz.Identity{Method: "partners", Issuer: "https://idp.example.com", Subject: "agent-7", Audiences: []string{"orders"}, Scopes: []string{"orders:read"}, Groups: []string{"ops"},
			CredentialID: "jti-1", ExpiresAt: at.Add(time.Hour), Actor: &authz.Actor{Issuer: "https://idp.example.com", Subject: "bot"}, Claims: map[string]any{"email": "someone@example.com"}},
		Set: []authz.Header{{Name: "authorization", Value: "Bearer upstream-secret"}}, Token: "authorization"}
}

func TestADecisionIsALineThatSaysWhoAndWhyAndHoldsNoCredential(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	raw, d := request(), allowed()
	s.Decision(t.Context(), &raw, d, at, 1500*time.Microsecond)
	refused := &authz.Decision{Outcome: authz.Deny, Reason: authz.TokenExpired, Policy: "shop/orders", Method: "partners", Detail: "exp was", Status: 401,
		Refused: &authz.Identity{Method: "partners", Subject: "agent-8"},
		Shadow:  &authz.Decision{Outcome: authz.Deny, Reason: authz.RuleDenied, Policy: "shop/next", Rule: "r", Status: 403, Version: &authz.PolicyVersion{Generation: 2}}}
	s.Decision(t.Context(), &raw, refused, at, 0)
	s.Decision(t.Context(), &raw, &authz.Decision{Outcome: authz.Error, Reason: authz.Unavailable, Status: 503, Claimed: &authz.Claim{Method: "cron", Subject: "alice"}}, at, 0)
	end(t, s)
	text := to.text.String()
	for _, secret := range []string{"secret", "Bearer", "someone@example.com"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
	got := records(t, text)
	if len(got) != 5 || got[0].Event.Action != audit.ActionStart || got[4].Event.Action != audit.ActionStop || got[0].Agentauth.Process.Host != "pod-1" {
		t.Fatalf("got %+v", got)
	}
	want := audit.Record{Seq: 2, Prev: got[1].Prev, Schema: audit.Schema, Time: at,
		Event: audit.Event{ID: got[1].Event.ID, Action: audit.ActionDecision, Outcome: "success", Reason: "Allowed", Duration: 1_500_000},
		Trace: audit.Trace{ID: "0af7651916cd43dd8448eb211c80319c"}, URL: audit.URL{Domain: "api.example.com", Path: "/v1/patients/4711"}, Source: audit.Source{IP: "192.0.2.7"},
		Agentauth: audit.Details{Decision: "allow", Policy: "shop/orders", Generation: 4, Digest: "sha256:0123456789ab", Principal: "spiffe://prod.example.com/agent",
			Identity: &audit.Identity{Method: "partners", Issuer: "https://idp.example.com", Subject: "agent-7", Audiences: []string{"orders"}, Scopes: []string{"orders:read"}, Groups: []string{"ops"},
				CredentialID: "jti-1", ExpiresAt: at.Add(time.Hour), Actor: &audit.Actor{Issuer: "https://idp.example.com", Subject: "bot"}}}}
	want.HTTP.Request.ID, want.HTTP.Request.Method = "req-1", "GET"
	if !reflect.DeepEqual(got[1], want) {
		t.Errorf("expected %+v\ngot %+v", want, got[1])
	}
	if r := got[2]; r.Event.Outcome != "failure" || r.HTTP.Response.StatusCode != 401 || r.Agentauth.Identity != nil || r.Agentauth.Refused.Subject != "agent-8" ||
		r.Agentauth.Shadow.Rule != "r" || r.Agentauth.Shadow.StatusCode != 403 || r.Agentauth.Shadow.Generation != 2 {
		t.Errorf("got %+v", r)
	}
	if r := got[3]; r.Event.Outcome != "unknown" || r.Agentauth.Claimed.Subject != "alice" || r.Agentauth.Refused != nil {
		t.Errorf("got %+v", r)
	}
	ids := map[string]bool{}
	for _, r := range got {
		ids[r.Event.ID] = true
	}
	if len(ids) != len(got) {
		t.Errorf("ids are not unique: %v", ids)
	}
}

func TestARevokedCredentialBesideAnAcceptedOneIsRecordedAsRefused(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	raw, d := request(), allowed()
	d.Refused = &authz.Identity{Method: "keys", Subject: "robot", CredentialID: "first"}
	s.Decision(t.Context(), &raw, d, at, 0)
	end(t, s)
	if r := records(t, to.text.String())[1]; r.Event.Outcome != "success" || r.Agentauth.Identity.Subject != "agent-7" || r.Agentauth.Refused == nil || r.Agentauth.Refused.Subject != "robot" || r.Agentauth.Refused.CredentialID != "first" {
		t.Errorf("got %+v", r)
	}
}

func TestOfClaimsThoseThatTheOperatorNamesAreRecorded(t *testing.T) {
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) { c.Claims = []string{"department", "roles", "level", "none", "long"} })
	d := allowed()
	d.Identity.Claims = map[string]any{"department": "sales\n", "roles": []any{"a", "b"}, "level": 3.0, "email": "someone@example.com", "long": strings.Repeat("x", 9000)}
	raw := request()
	s.Decision(t.Context(), &raw, d, at, 0)
	end(t, s)
	got := records(t, to.text.String())[1].Agentauth.Identity
	if c := got.Claims; len(c) != 4 || c["department"] != "sales�" || c["roles"] != `["a","b"]` || c["level"] != "3" || len(c["long"]) > 520 || !got.Cut {
		t.Errorf("got %+v", got)
	}
}

// What a door reads of a request is used again for the next one.
func TestARecordHoldsNothingOfTheRequestThatItIsMadeOf(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	to.holds.Lock()
	buffer := []byte("/v1/orders")
	raw := authz.Raw{Method: "GET", Host: "api.example.com", Path: unsafe.String(&buffer[0], len(buffer))}
	s.Decision(t.Context(), &raw, allowed(), at, 0)
	copy(buffer, "/XXXXXXXXX")
	to.holds.Unlock()
	end(t, s)
	if got := records(t, to.text.String()); got[1].URL.Path != "/v1/orders" {
		t.Errorf("got %q", got[1].URL.Path)
	}
}

func TestWhatACallerWritesIsBoundedAndWritesNoLineOfItsOwn(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	raw := request()
	raw.ID, raw.Host, raw.Path = strings.Repeat("é", 4000), "a\n{\"schema\":1}\x1b[31m", "/\xff\u202e\u2028/x"
	d := allowed()
	d.Identity.Scopes = slices.Repeat([]string{strings.Repeat("s", 4000)}, 4000)
	s.Decision(t.Context(), &raw, d, at, 0)
	end(t, s)
	got := records(t, to.text.String())
	if len(got) != 3 || len(got[1].HTTP.Request.ID) > 520 || strings.ContainsAny(got[1].URL.Domain, "\n\x1b") || strings.ContainsAny(got[1].URL.Path, "\u202e\u2028") {
		t.Errorf("got %+v", got)
	}
	if id := got[1].Agentauth.Identity; len(id.Scopes) != 64 || !id.Cut || len(id.Scopes[0]) > 520 {
		t.Errorf("got %d scopes, cut %t", len(id.Scopes), id.Cut)
	}
}

// A time in the year 9999 is one in the year 10000 elsewhere, which JSON cannot write.
func TestACredentialWithAnOddEndIsRecorded(t *testing.T) {
	for _, end := range []string{"9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "0000-01-01T00:00:00Z"} {
		to := &sink{}
		s := begin(t, to, nil)
		raw, d := request(), allowed()
		d.Identity.ExpiresAt, _ = time.Parse(time.RFC3339, end)
		s.Decision(t.Context(), &raw, d, at, 0)
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := records(t, to.text.String()); len(got) != 3 || got[1].Agentauth.Identity.ExpiresAt.IsZero() {
			t.Errorf("%s: got %+v", end, got)
		}
	}
}

func TestAUserAndAPasswordBeforeAHostAreNotRecorded(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	for _, raw := range []authz.Raw{
		{Host: "alice:pa@ss@shop.example.com", Path: "/x@y"}, {Host: "shop.example.com", Path: "https://alice:pass@shop.example.com/x@y#pass"},
	} {
		s.Decision(t.Context(), &raw, &authz.Decision{Reason: authz.BadRequest, Status: 400}, at, 0)
	}
	end(t, s)
	if got := records(t, to.text.String()); strings.Contains(to.text.String(), "pass") || got[1].URL.Domain != "shop.example.com" || got[1].URL.Path != "/x@y" || got[2].URL.Path != "https://shop.example.com/x@y" {
		t.Errorf("got\n%s", to.text.String())
	}
}

func TestOfRequestsWithoutAnIDThePartIsRecordedToo(t *testing.T) {
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) { c.Allows = 0.5 })
	for range 1000 {
		s.Decision(t.Context(), &authz.Raw{}, allowed(), at, 0)
	}
	end(t, s)
	if n := strings.Count(to.text.String(), `"allow"`); n < 350 || n > 650 {
		t.Errorf("expected about 500, got %d", n)
	}
}

func TestAPathIsRecordedAsTheOperatorWantsIt(t *testing.T) {
	for mode, want := range map[audit.PathMode]string{
		audit.PathFull: "/v1/patients/4711", audit.PathTemplate: "/v1/patients/{}", audit.PathNone: "", audit.PathHash: "hmac-sha256:",
	} {
		to := &sink{}
		s := begin(t, to, func(c *audit.Config) { c.Path = mode })
		for _, path := range []string{"/v1/patients/4711?x=1", "/v1/patients/4711", "/v1/patients/4712"} {
			raw := authz.Raw{Method: "GET", Path: path}
			s.Decision(t.Context(), &raw, allowed(), at, 0)
		}
		end(t, s)
		got := records(t, to.text.String())
		if path := got[1].URL.Path; mode != audit.PathHash && path != want || !strings.HasPrefix(path, want) || strings.Contains(path, "?") {
			t.Errorf("%s: expected %q, got %q", mode, want, path)
		}
		if mode == audit.PathHash && (got[1].URL.Path != got[2].URL.Path || got[1].URL.Path == got[3].URL.Path || strings.Contains(to.text.String(), "4711")) {
			t.Errorf("got %q, %q, %q", got[1].URL.Path, got[2].URL.Path, got[3].URL.Path)
		}
		if mode != audit.PathFull && got[1].Agentauth.PathMode != mode {
			t.Errorf("got mode %q", got[1].Agentauth.PathMode)
		}
	}
	for _, c := range [][2]string{
		{"/users/a@example.com/x", "/users/{}/x"}, {"/users/%61lice", "/users/{}"}, {"/a/b;v=1/c", "/a/b/c"}, {"/v12/x", "/v12/x"}, {"/v123/x", "/{}/x"},
		{"/" + strings.Repeat("x", 33), "/{}"}, {"/550e8400-e29b-41d4-a716-446655440000/", "/{}/"},
	} {
		to := &sink{}
		s := begin(t, to, func(c *audit.Config) { c.Path = audit.PathTemplate })
		s.Decision(t.Context(), &authz.Raw{Path: c[0]}, allowed(), at, 0)
		end(t, s)
		if got := records(t, to.text.String())[1].URL.Path; got != c[1] {
			t.Errorf("%s: expected %s, got %s", c[0], c[1], got)
		}
	}
}

func TestOfAllowancesTheWantedPartIsRecordedAndOfTheOthersAll(t *testing.T) {
	for ratio, bounds := range map[float64][2]int{0: {0, 0}, 0.25: {150, 350}, 1: {1000, 1000}} {
		to := &sink{}
		s := begin(t, to, func(c *audit.Config) { c.Allows = ratio })
		for i := range 1000 {
			raw := authz.Raw{ID: fmt.Sprint("req-", i)}
			s.Decision(t.Context(), &raw, allowed(), at, 0)
			s.Decision(t.Context(), &raw, &authz.Decision{Outcome: authz.Outcome(i % 2 * 2), Reason: authz.NoPolicy}, at, 0)
		}
		end(t, s)
		count := map[string]int{}
		for _, r := range records(t, to.text.String()) {
			count[r.Agentauth.Decision]++
		}
		if n := count["allow"]; n < bounds[0] || n > bounds[1] || count["deny"] != 500 || count["error"] != 500 {
			t.Errorf("%v: got %v", ratio, count)
		}
	}
}

func TestASinkThatBlocksHoldsUpNoDecisionAndTheStreamSaysWhatIsMissing(t *testing.T) {
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) { c.MaxWaiting = 500 })
	to.holds.Lock()
	raw := request()
	const all = 2000
	for range all {
		if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
			t.Fatal("expected every decision to be given")
		}
	}
	to.holds.Unlock()
	waitFor(t, func() bool { st := s.Stats()[0]; return st.Written+st.Dropped >= all })
	s.Decision(t.Context(), &raw, allowed(), at, 0)
	end(t, s)
	var decisions, missing int
	for _, r := range records(t, to.text.String()) {
		if r.Event.Action == audit.ActionDecision {
			decisions++
		}
		missing += int(r.Agentauth.Missing)
	}
	st := s.Stats()[0]
	if missing == 0 || decisions+missing != all+1 || st.Dropped != uint64(missing) {
		t.Errorf("expected %d decisions recorded or missing, got %d and %d; %+v", all+1, decisions, missing, st)
	}
	var v audit.Verifier
	if err := v.File(&to.text); err != nil {
		t.Error(err)
	}
}

// What is being written waits too.
func TestNoMoreRecordsWaitThanMay(t *testing.T) {
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) { c.MaxWaiting = 100 })
	waitFor(t, func() bool { return s.Stats()[0].Written == 1 })
	raw := request()
	to.holds.Lock()
	for range 1000 {
		s.Decision(t.Context(), &raw, allowed(), at, 0)
		time.Sleep(20 * time.Microsecond)
	}
	if lost := s.Stats()[0].Dropped; lost != 900 {
		t.Errorf("expected 100 of 1000 records to wait, and %d were lost", lost)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Close(ended); err == nil || !strings.Contains(err.Error(), "100 records were not written") {
		t.Errorf("got %v", err)
	}
	to.holds.Unlock()
}

// What is said to be missing is as much as is, however often that could not be written,
// and stands where it is missing.
func TestTheStreamSaysWhereRecordsAreMissingAndHowMany(t *testing.T) {
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) { c.MaxWaiting = 10 })
	decide := func(ids ...int) {
		for _, id := range ids {
			s.Decision(t.Context(), &authz.Raw{ID: fmt.Sprint(id)}, allowed(), at, 0)
		}
	}
	done := func(n uint64) {
		waitFor(t, func() bool { st := s.Stats()[0]; return st.Written+st.Dropped == n })
		time.Sleep(10 * time.Millisecond)
	}
	done(1)
	to.fail(true)
	for i := range 5 {
		decide(i)
		done(uint64(2 + i))
	}
	to.fail(false)
	decide(5)
	done(8) // a record dropped is among the written
	to.holds.Lock()
	decide(6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17) // the last two are lost
	to.holds.Unlock()
	done(21)
	end(t, s)
	var got []string
	for _, r := range records(t, to.text.String()) {
		if r.Agentauth.Missing > 0 {
			got = append(got, fmt.Sprintf("missing %d", r.Agentauth.Missing))
		} else {
			got = append(got, cmp.Or(r.HTTP.Request.ID, string(r.Event.Action)))
		}
	}
	want := "start,missing 5,5,6,7,8,9,10,11,12,13,14,15,missing 2,stop"
	if strings.Join(got, ",") != want || s.Stats()[0].Dropped != 7 {
		t.Errorf("expected %s\ngot %v, %+v", want, got, s.Stats())
	}
}

func TestWhereRecordsAreRequiredNoDecisionIsGivenWithoutItsLine(t *testing.T) {
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) { c.Required = true })
	raw := request()
	if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Fatal("expected the decision to be given")
	}
	if got := records(t, to.text.String()); len(got) != 2 {
		t.Fatalf("expected the line to be there when the decision is given, got %+v", got)
	}
	to.fail(true)
	if s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected no decision where the disk is full")
	}
	to.fail(false)
	to.holds.Lock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if s.Decision(ctx, &raw, allowed(), at, 0) {
		t.Error("expected no decision where the sink blocks")
	}
	to.holds.Unlock()
	if !s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected decisions again")
	}
	end(t, s)
	if s.Decision(t.Context(), &raw, allowed(), at, 0) {
		t.Error("expected no decision behind the end of the stream")
	}
}

func TestAChangeOfAPolicyIsRecordedAndHowManyAreNotListed(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	s.Policies([]authz.PolicyChange{{Policy: "shop/orders", Kind: authz.PolicyChanged, From: 4, To: 5, Digest: "sha256:0123456789ab", Ready: "Ready"}}, 3)
	end(t, s)
	got := records(t, to.text.String())
	if a := got[1].Agentauth; got[1].Event.Action != audit.ActionPolicy || a.Policy != "shop/orders" || a.Change != "changed" || a.PreviousGeneration != 4 || a.Generation != 5 || a.Ready != "Ready" {
		t.Errorf("got %+v", a)
	}
	if got[2].Agentauth.Missing != 2 {
		t.Errorf("got %+v", got[2])
	}
}

func TestAFileGoesOnWhereTheLastProcessEndedAndIsReplacedWhenItIsLarge(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	raw := request()
	for range 2 {
		f, err := audit.File(path, audit.FileOptions{MaxSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		s := begin(t, nil, func(c *audit.Config) { c.Sinks = []audit.Sink{f} })
		for range 2000 {
			s.Decision(t.Context(), &raw, allowed(), at, 0)
		}
		end(t, s)
		if st := s.Stats()[0]; st.Dropped != 0 || st.Written != 2002 {
			t.Errorf("got %+v", st)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "audit*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("expected files that were replaced, got %v, %v", files, err)
	}
	slices.SortFunc(files, func(a, b string) int { // the current one is the last
		if a == path || b == path {
			return map[bool]int{true: 1, false: -1}[a == path]
		}
		return strings.Compare(a, b)
	})
	var v audit.Verifier
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(name); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		if err := v.File(bytes.NewReader(data)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if v.Lines != 4004 || v.Seq != 4004 || v.First != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestAFileThatSomebodyRemovesMovesOrCutsIsWrittenAnewAndTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for what, harm := range map[string]func() error{
		"removed": func() error { return os.Remove(path) },
		"moved":   func() error { return os.Rename(path, path+".1") },
		"cut":     func() error { return os.Truncate(path, 0) },
	} {
		t.Run(what, func(t *testing.T) {
			_ = os.Remove(path)
			var told atomic.Int32
			f, err := audit.File(path, audit.FileOptions{Gone: func() { told.Add(1) }})
			if err != nil {
				t.Fatal(err)
			}
			s := begin(t, nil, func(c *audit.Config) { c.Sinks, c.Required = []audit.Sink{f}, true })
			raw := request()
			if s.Decision(t.Context(), &raw, allowed(), at, 0); told.Load() > 0 {
				t.Error("told before it was so")
			}
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); told.Load() == 0 && time.Now().Before(deadline); {
				s.Decision(t.Context(), &raw, allowed(), at, 0)
			}
			end(t, s)
			data, err := os.ReadFile(path)
			var v audit.Verifier
			if err = cmp.Or(err, v.File(bytes.NewReader(data))); err != nil || v.First <= 1 || v.Seq != s.Stats()[0].Seq || told.Load() != 1 {
				t.Errorf("expected a whole chain that does not begin with the first line, and to be told once, got %v, %d times, %+v", err, told.Load(), v)
			}
		})
	}
}

func TestNoTwoWriteOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit", "audit.log")
	f, err := audit.File(path, audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.File(path, audit.FileOptions{}); err == nil || !strings.Contains(err.Error(), "another process writes it") {
		t.Errorf("expected the second to be refused, got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = audit.File(path, audit.FileOptions{}); err != nil {
		t.Fatalf("expected a file that was closed to be free, got %v", err)
	}
	_ = f.Close()
}

func TestALineThatACrashCutIsPartOfTheChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	raw := request()
	write := func() {
		f, err := audit.File(path, audit.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := begin(t, nil, func(c *audit.Config) { c.Sinks = []audit.Sink{f} })
		s.Decision(t.Context(), &raw, allowed(), at, 0)
		end(t, s)
	}
	write()
	data, _ := os.ReadFile(path)
	if err := os.WriteFile(path, data[:len(data)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	var cut audit.Verifier
	if err := cmp.Or(cut.File(bytes.NewReader(data[:len(data)-100])), cut.End()); err == nil {
		t.Error("expected a cut line at the end to be told")
	}
	write()
	data, _ = os.ReadFile(path)
	var v audit.Verifier
	if err := v.File(bytes.NewReader(data)); err != nil || v.Torn != 1 {
		t.Errorf("got %v, %+v", err, v)
	}
}

// The record before a line that was cut is a part of the chain, and so are its number and
// the files that were replaced.
func TestWhatIsBeforeALineThatACrashCutCannotBeChanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	raw := request()
	write := func() {
		t.Helper()
		f, err := audit.File(path, audit.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := begin(t, nil, func(c *audit.Config) { c.Sinks = []audit.Sink{f} })
		s.Decision(t.Context(), &raw, allowed(), at, 0)
		end(t, s)
	}
	cut := func(n int) {
		data, _ := os.ReadFile(path)
		if err := os.WriteFile(path, data[:len(data)-n], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(texts ...string) (v audit.Verifier, err error) {
		for _, text := range texts {
			if err = v.File(strings.NewReader(text)); err != nil {
				return v, err
			}
		}
		return v, v.End()
	}
	write() // 1 to 3
	cut(100)
	write() // 3 to 5, behind the line that is no third one
	cut(30)
	old := filepath.Join(dir, "audit-2027-01-15T08-00-00.000.log")
	if err := os.Rename(path, old); err != nil { // replaced, and nothing was written to the next
		t.Fatal(err)
	}
	write()
	first, _ := os.ReadFile(old)
	second, _ := os.ReadFile(path)
	v, err := verify(string(first), string(second))
	if err != nil || v.Torn != 2 || v.Seq != 7 || v.First != 1 || !v.Begun {
		t.Fatalf("got %v, %+v", err, v)
	}
	list := strings.SplitAfter(string(first), "\n")
	changed := strings.Replace(string(first), `"allow"`, `"deny"`, 1)
	for what, text := range map[string]string{
		"the record before":         changed,
		"the record before is gone": list[0] + strings.Join(list[2:], ""),
		"all before are gone":       strings.Join(list[2:], ""),
	} {
		if v, err := verify(text, string(second)); err == nil && v.Begun {
			t.Errorf("%s: expected it to be found", what)
		}
	}
}

func TestAFileOfSomethingElseIsNotWrittenTo(t *testing.T) {
	for _, text := range []string{"root:x:0:0::/root:/bin/sh\n", "{\"level\":\"info\"}\n", strings.Repeat("x", 3<<20)} {
		path := filepath.Join(t.TempDir(), "other")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := audit.File(path, audit.FileOptions{})
		if data, _ := os.ReadFile(path); err == nil || string(data) != text {
			t.Errorf("%.20q: expected it to be left alone, got %v", text, err)
		}
	}
}

func TestWhatIsChangedRemovedAddedOrMovedIsFound(t *testing.T) {
	to := &sink{}
	s := begin(t, to, nil)
	raw := request()
	for range 3 {
		s.Decision(t.Context(), &raw, allowed(), at, 0)
	}
	end(t, s)
	whole := to.text.Bytes()
	var v audit.Verifier
	if err := v.File(bytes.NewReader(whole)); err != nil || v.Lines != 5 {
		t.Fatalf("got %v, %+v", err, v)
	}
	broken := func(what string, data []byte) {
		t.Helper()
		var now audit.Verifier
		if err := cmp.Or(now.File(bytes.NewReader(data)), now.End()); err == nil && now.Hash == v.Hash && now.Seq == v.Seq && now.First == v.First && now.Lines == v.Lines {
			t.Errorf("%s: expected it to be found", what)
		}
	}
	for i := range whole {
		data := slices.Clone(whole)
		data[i] ^= 1 << (i % 6)
		broken(fmt.Sprintf("byte %d", i), data)
	}
	list := bytes.SplitAfter(whole, []byte("\n"))
	list = list[:len(list)-1]
	for i := range list {
		broken(fmt.Sprint("without line ", i), bytes.Join(slices.Delete(slices.Clone(list), i, i+1), nil))
		broken(fmt.Sprint("twice line ", i), bytes.Join(slices.Insert(slices.Clone(list), i, list[i]), nil))
		for j := range i {
			moved := slices.Clone(list)
			moved[i], moved[j] = moved[j], moved[i]
			broken(fmt.Sprint("swapped ", i, j), bytes.Join(moved, nil))
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come about")
		}
	}
}

func BenchmarkDecision(b *testing.B) {
	f, err := audit.File(filepath.Join(b.TempDir(), "audit.log"), audit.FileOptions{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := audit.New(audit.Config{Sinks: []audit.Sink{f}, Allows: 1})
	if err != nil {
		b.Fatal(err)
	}
	raw, d := request(), allowed()
	b.ReportAllocs()
	for b.Loop() {
		s.Decision(b.Context(), &raw, d, at, time.Millisecond)
	}
	b.StopTimer()
	_ = s.Close(context.Background())
}
