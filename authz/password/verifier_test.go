package password

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/work"
)

var owner = work.Owner{Namespace: "shop", Policy: "orders"}

func newVerifier(testing.TB) *Verifier { return New(work.New(work.Options{}), Options{}) }

// counted makes v note every hash it computes.
func counted(v *Verifier) (hashes func() []hash) {
	var mu sync.Mutex
	var seen []hash
	match := v.match
	v.match = func(h hash, pass []byte) bool {
		mu.Lock()
		seen = append(seen, h)
		mu.Unlock()
		return match(h, pass)
	}
	return func() []hash {
		mu.Lock()
		defer mu.Unlock()
		got := seen
		seen = nil
		return got
	}
}

func TestVerifyTellsWhoIsWho(t *testing.T) {
	users := parse(t, "alice:"+horse+"\nbob:"+argon+"\ncarol:"+sha512+"\nlong:"+seventyTwo)
	x72 := strings.Repeat("x", 72)
	for name, c := range map[string]struct {
		users      *Users
		user, pass string
		want       error
	}{
		"bcrypt":                                   {users, "alice", "correct horse", nil},
		"argon2id":                                 {users, "bob", "password", nil},
		"sha512-crypt":                             {users, "carol", "Zürich", nil},
		"plain":                                    {Plain("dave", []byte("pw")), "dave", "pw", nil},
		"bcrypt of 72 bytes":                       {users, "long", x72, nil},
		"the 73rd byte of a bcrypt password":       {users, "long", x72 + "x", ErrMismatch},
		"a wrong password":                         {users, "alice", "correct horsE", ErrMismatch},
		"the beginning of a password":              {users, "alice", "correct hors", ErrMismatch},
		"another user's password":                  {users, "alice", "password", ErrMismatch},
		"an empty password":                        {users, "alice", "", ErrMismatch},
		"bcrypt's repetition through NUL":          {users, "alice", "correct horse\x00correct horse", ErrMismatch},
		"a NUL after the password":                 {users, "alice", "correct horse\x00", ErrMismatch},
		"a newline after the password":             {users, "alice", "correct horse\n", ErrMismatch},
		"a very long password":                     {users, "bob", strings.Repeat("x", 257), ErrMismatch},
		"the hash as password":                     {users, "alice", horse, ErrMismatch},
		"a wrong plain password":                   {Plain("dave", []byte("pw")), "dave", "Pw", ErrMismatch},
		"an unknown user":                          {users, "mallory", "correct horse", ErrUnknownUser},
		"an unknown user of a plain table":         {Plain("dave", []byte("pw")), "mallory", "pw", ErrUnknownUser},
		"a user in another case":                   {users, "Alice", "correct horse", ErrUnknownUser},
		"an empty name":                            {users, "", "correct horse", ErrUnknownUser},
		"an empty table":                           {parse(t, ""), "alice", "correct horse", ErrUnknownUser},
		"the zero table":                           {&Users{}, "alice", "correct horse", ErrUnknownUser},
		"no table":                                 {nil, "alice", "correct horse", ErrUnknownUser},
		"a plain table without a password":         {Plain("dave", nil), "dave", "", ErrUnknownUser},
		"a plain table of an impossible pair":      {Plain("da:ve", []byte("pw")), "da:ve", "pw", ErrUnknownUser},
		"a plain table whose password has newline": {Plain("dave", []byte("pw\n")), "dave", "pw\n", ErrUnknownUser},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t)
			for range 2 { // the second time from memory, if at all
				err := v.Verify(t.Context(), owner, c.users, c.user, []byte(c.pass))
				if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
					t.Fatalf("expected %v, got %v", c.want, err)
				}
			}
		})
	}
}

func TestARefusedFormIsExplainedWithoutThePassword(t *testing.T) {
	v, users := newVerifier(t), parse(t, "alice:"+horse)
	for pass, want := range map[string]string{
		strings.Repeat("Secret", 13)[:73]: "1 to 72 bytes, got 73",
		"Secret\n":                        "trailing newline",
	} {
		err := v.Verify(t.Context(), owner, users, "alice", []byte(pass))
		if !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Secret") {
			t.Errorf("expected ErrMismatch with %q, got %v", want, err)
		}
	}
}

func TestEveryRefusalComputesOneHashLikeAWrongPassword(t *testing.T) {
	file := "alice:" + horse
	for name, pair := range map[string][2]string{
		"a wrong password":             {"alice", "wrong"},
		"an unknown user":              {"mallory", "wrong"},
		"a known one's password":       {"mallory", "correct horse"},
		"73 bytes":                     {"alice", strings.Repeat("x", 73)},
		"73 bytes of an unknown user":  {"mallory", strings.Repeat("x", 73)},
		"an empty password":            {"alice", ""},
		"a NUL":                        {"alice", "a\x00"},
		"a NUL of an unknown user":     {"mallory", "a\x00"},
		"an empty name and a password": {"", "correct horse"},
	} {
		t.Run(name, func(t *testing.T) {
			v, users := newVerifier(t), parse(t, file)
			hashes := counted(v)
			for range 2 { // a failure is not remembered either
				if err := v.Verify(t.Context(), owner, users, pair[0], []byte(pair[1])); err == nil {
					t.Fatal("expected an error")
				}
				if got := hashes(); len(got) != 1 || got[0].(bcryptHash)[5] != '4' {
					t.Fatalf("expected one bcrypt of cost 4, got %v", got)
				}
			}
		})
	}
}

func TestUnknownUsersOfAMixedTableCostWhatItsUsersCost(t *testing.T) {
	v, users := newVerifier(t), parse(t, "a:"+horse+"\nb:"+horse+"\nc:"+argon)
	hashes := counted(v)
	kinds := map[string]int{}
	kindOf := func(user string) string {
		if err := v.Verify(t.Context(), owner, users, user, []byte("password")); err != ErrUnknownUser {
			t.Fatalf("expected ErrUnknownUser, got %v", err)
		}
		got := hashes()
		if len(got) != 1 {
			t.Fatalf("expected one hash, got %d", len(got))
		}
		return fmt.Sprintf("%T", got[0])
	}
	for i := range 300 {
		kinds[kindOf(fmt.Sprint("nobody", i))]++
	}
	// 100 of 300 expected; 50 is six standard deviations off.
	if n := kinds["password.argonHash"]; n < 50 || n > 150 {
		t.Errorf("expected about a third of argon2id, got %v", kinds)
	}
	for i := range 20 {
		user := fmt.Sprint("nobody", i)
		if first := kindOf(user); first != kindOf(user) {
			t.Fatalf("expected %s to cost the same each time", user)
		}
	}
}

func TestAVerifiedPasswordIsRememberedForItsTimeAndNotProlonged(t *testing.T) {
	now := time.Unix(1e9, 0)
	v := New(work.New(work.Options{Slots: 1}), Options{Now: func() time.Time { return now }})
	users, hashes := parse(t, "alice:"+horse), counted(v)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {0, 0}, {30 * time.Second, 0}, {30*time.Second - 1, 0}, {1, 1}, {time.Second, 0}} {
		now = now.Add(step.after)
		if err := v.Verify(t.Context(), owner, users, "alice", []byte("correct horse")); err != nil {
			t.Fatal(err)
		}
		if got := len(hashes()); got != step.want {
			t.Fatalf("expected %d hashes at %v, got %d", step.want, now, got)
		}
	}
}

func TestWhatIsRememberedHelpsNobodyElse(t *testing.T) {
	v := newVerifier(t)
	hashes := counted(v)
	check := func(users *Users, user, pass string, want error, hashed int) {
		t.Helper()
		if err := v.Verify(t.Context(), owner, users, user, []byte(pass)); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("expected %v, got %v", want, err)
		}
		if got := len(hashes()); got != hashed {
			t.Errorf("expected %d hashes, got %d", hashed, got)
		}
	}
	before := parse(t, "alice:"+horse+"\nbob:"+horse)
	check(before, "alice", "correct horse", nil, 1)
	check(before, "bob", "correct horse", nil, 1)             // another user of the same hash
	check(before, "alice", "correct hors", ErrMismatch, 1)    // another password
	check(before, "alicecorrect", "horse", ErrUnknownUser, 1) // the same bytes, divided otherwise

	check(parse(t, "carol:"+horse+"\nalice:"+horse), "alice", "correct horse", nil, 0) // her entry is as it was
	check(parse(t, "alice:"+argon), "alice", "correct horse", ErrMismatch, 1)          // her password changed
	check(parse(t, "bob:"+horse), "alice", "correct horse", ErrUnknownUser, 1)         // she is gone
	check(Plain("alice", []byte("x")), "alice", "correct horse", ErrMismatch, 1)
}

func TestWithoutRememberingEveryCheckIsHashed(t *testing.T) {
	v := New(work.New(work.Options{Slots: 1}), Options{Remember: -1})
	users, hashes := parse(t, "alice:"+horse), counted(v)
	for range 3 {
		if err := v.Verify(t.Context(), owner, users, "alice", []byte("correct horse")); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(hashes()); got != 3 {
		t.Fatalf("expected 3 hashes, got %d", got)
	}
}

func TestTheOldestIsForgottenWhenTheMemoryIsFull(t *testing.T) {
	v := New(work.New(work.Options{Slots: 1}), Options{Entries: 2})
	users, hashes := parse(t, "a:"+horse+"\nb:"+horse+"\nc:"+horse), counted(v)
	for _, step := range []struct {
		user string
		want int
	}{{"a", 1}, {"b", 1}, {"a", 0}, {"c", 1}, {"b", 0}, {"c", 0}, {"a", 1}, {"c", 0}, {"b", 1}} {
		if err := v.Verify(t.Context(), owner, users, step.user, []byte("correct horse")); err != nil {
			t.Fatal(err)
		}
		if got := len(hashes()); got != step.want {
			t.Fatalf("%s: expected %d hashes, got %d", step.user, step.want, got)
		}
		if v.good.len > 2 || len(v.good.namespaces["shop"].order) != v.good.len {
			t.Fatalf("expected at most 2 entries, each once, got %d and %d", v.good.len, len(v.good.namespaces["shop"].order))
		}
	}
}

func TestNoPasswordIsKeptInPlain(t *testing.T) {
	v, users := newVerifier(t), Plain("dave", []byte("hunter2hunter2"))
	table := parse(t, "alice:"+horse)
	if err := v.Verify(t.Context(), owner, table, "alice", []byte("correct horse")); err != nil {
		t.Fatal(err)
	}
	for _, held := range []string{fmt.Sprintf("%s", *users.entries[0]), fmt.Sprintf("%s", v.good.namespaces["shop"].until)} {
		if strings.Contains(held, "hunter2") || strings.Contains(held, "correct horse") {
			t.Fatalf("expected digests only, got %s", held)
		}
	}
}

func TestManyRequestsOfOneClientNeedOneHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, users := New(work.New(work.Options{Slots: 1}), Options{}), parse(t, "alice:"+horse)
		var n atomic.Int32
		v.match = func(h hash, pass []byte) bool {
			n.Add(1)
			time.Sleep(time.Second)
			return h.match(pass)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := v.Verify(t.Context(), owner, users, "alice", []byte("correct horse")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n.Load() != 1 {
			t.Fatalf("expected 1 hash, got %d", n.Load())
		}
	})
}

func TestUnderAFloodTheRememberedGoOnAndTheTenantsOthersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, users := New(work.New(work.Options{Slots: 1, MaxWaitingPerOwner: 1}), Options{}), parse(t, "alice:"+horse)
		verify := func(user string) error {
			return v.Verify(t.Context(), owner, users, user, []byte("correct horse"))
		}
		if err := verify("alice"); err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		match := v.match
		v.match = func(h hash, pass []byte) bool {
			if _, ok := h.(plain); !ok {
				<-gate
			}
			return match(h, pass)
		}
		var flood sync.WaitGroup
		flood.Go(func() { verify("mallory") })
		flood.Go(func() { verify("mallory") }) // it waits
		synctest.Wait()
		if err := verify("alice"); err != nil {
			t.Errorf("expected what is remembered not to queue, got %v", err)
		}
		if err := verify("nobody"); !errors.Is(err, ErrOverloaded) {
			t.Errorf("expected ErrOverloaded, got %v", err)
		}
		if err := v.Verify(t.Context(), owner, Plain("dave", []byte("pw")), "dave", []byte("pw")); err != nil {
			t.Errorf("expected a plain table not to queue, got %v", err)
		}
		close(gate)
		flood.Wait()
	})
}

func TestADeadlineDuringTheHashIsNoVerdictButItsResultHelpsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, users := New(work.New(work.Options{Slots: 1}), Options{}), parse(t, "alice:"+horse)
		var n atomic.Int32
		v.match = func(h hash, pass []byte) bool {
			n.Add(1)
			time.Sleep(time.Second)
			return h.match(pass)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		pass := []byte("correct horse")
		if err := v.Verify(ctx, owner, users, "alice", pass); err != context.DeadlineExceeded {
			t.Fatalf("expected DeadlineExceeded, got %v", err)
		}
		clear(pass) // the caller drops the credential; the hash works on its own copy
		time.Sleep(time.Second)
		synctest.Wait()
		if err := v.Verify(t.Context(), owner, users, "alice", []byte("correct horse")); err != nil || n.Load() != 1 {
			t.Fatalf("expected a yes from memory, got %v after %d hashes", err, n.Load())
		}
	})
}

func TestAnEndedContextIsNeverAYes(t *testing.T) {
	v, users := newVerifier(t), Plain("dave", []byte("pw"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Verify(ctx, owner, users, "dave", []byte("pw")); err != context.Canceled {
		t.Fatalf("expected Canceled, got %v", err)
	}
}

func TestThePasswordOfTheCallerIsLeftAlone(t *testing.T) {
	v, users := newVerifier(t), parse(t, "alice:"+horse)
	pass := []byte("correct horse")
	if err := v.Verify(t.Context(), owner, users, "alice", pass); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pass, []byte("correct horse")) {
		t.Fatalf("expected the slice as it was, got %q", pass)
	}
}

func TestAPanicInAHashIsThePanicOfVerifyAndNothingIsRemembered(t *testing.T) {
	v, users := New(work.New(work.Options{Slots: 1}), Options{}), parse(t, "alice:"+horse)
	match := v.match
	v.match = func(hash, []byte) bool { panic("boom") }
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("expected boom, got %v", got)
			}
		}()
		v.Verify(t.Context(), owner, users, "alice", []byte("wrong"))
	}()
	v.match = match
	if err := v.Verify(t.Context(), owner, users, "alice", []byte("wrong")); err != ErrMismatch {
		t.Fatalf("expected ErrMismatch, got %v", err)
	}
}

func TestTheZeroVerifierVerifiesNobody(t *testing.T) {
	for name, v := range map[string]*Verifier{"zero": {}, "no limiter": New(nil, Options{})} {
		for _, users := range []*Users{Plain("dave", []byte("pw")), parse(t, "dave:"+horse)} {
			if err := v.Verify(t.Context(), owner, users, "dave", []byte("pw")); !errors.Is(err, ErrOverloaded) {
				t.Errorf("%s: expected ErrOverloaded, got %v", name, err)
			}
		}
	}
}

func TestCheckPlainSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ user, pass, want string }{
		"nothing":                    {"dave", "pw", ""},
		"no name":                    {"", "pw", "got none"},
		"a colon in the name":        {"da:ve", "pw", "colon"},
		"a newline after the name":   {"dave\n", "pw", "control characters"},
		"no password":                {"dave", "", "got none"},
		"a newline after a password": {"dave", "Secret\n", "trailing newline"},
		"a password of 257 bytes":    {"dave", strings.Repeat("Secret", 43)[:257], "1 to 256 bytes, got 257"},
		"a password of 256 bytes":    {"dave", strings.Repeat("x", 256), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckPlain(c.user, []byte(c.pass))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "Secret")) {
				t.Fatalf("expected %q, got %v", c.want, err)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	ten, err := Hash([]byte("correct horse"))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		users    *Users
		remember time.Duration
	}{
		{"bcrypt-10", parse(b, "alice:"+ten), -1},
		{"remembered", parse(b, "alice:"+ten), time.Hour},
		{"plain", Plain("alice", []byte("correct horse")), 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			v := New(work.New(work.Options{}), Options{Remember: c.remember})
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Verify(b.Context(), owner, c.users, "alice", []byte("correct horse")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
