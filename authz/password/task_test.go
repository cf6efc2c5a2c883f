package password

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// A file names as many parameters as it likes; the scheduler keeps a mean for
// each kind.
func TestKindsOfHashesAreFewWhateverIsInTheFiles(t *testing.T) {
	kinds := map[string]bool{}
	for range 20_000 {
		p := 1 + rand.IntN(maxArgonLanes)
		h, err := parseHash(strings.Replace(argon, "m=256,t=2,p=1", fmt.Sprintf("m=%d,t=%d,p=%d", 8*p+rand.IntN(maxArgonMemory-8*p+1), 1+rand.IntN(maxArgonTime), p), 1))
		if err != nil {
			t.Fatal(err)
		}
		task := h.task()
		if task.Memory < 1 || task.Memory > MaxMemory || task.Threads != p {
			t.Fatalf("got %+v for p=%d", task, p)
		}
		kinds[task.Kind] = true
		h, err = parseHash(strings.Replace(sha512, "=1000", fmt.Sprint("=", minSHA512Rounds+rand.IntN(maxSHA512Rounds-minSHA512Rounds+1)), 1))
		if err != nil {
			t.Fatal(err)
		}
		kinds[h.task().Kind] = true
	}
	if len(kinds) > 25*maxArgonLanes {
		t.Errorf("expected few kinds, got %d", len(kinds))
	}
	for encoded, want := range map[string]string{horse: "bcrypt-04", strings.Replace(horse, "$04$", "$12$", 1): "bcrypt-12"} {
		h, err := parseHash(encoded)
		if err != nil || h.task().Kind != want {
			t.Errorf("expected %s, got %v, %v", want, h.task(), err)
		}
	}
}

func TestHashesInProgressTakeNoMoreThanTheBudgetOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(work.New(work.Options{Slots: 16, Memory: 2 * MaxMemory, MaxWaitingPerOwner: 100}), Options{})
		var mu sync.Mutex
		now, most := 0, 0
		v.match = func(hash, []byte) bool {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return false
		}
		users := parse(t, "alice:"+strings.Replace(argon, "m=256,t=2,p=1", "m=65536,t=3,p=4", 1))
		var all sync.WaitGroup
		for i := range 45 {
			all.Go(func() {
				o := work.Owner{Namespace: fmt.Sprint(i % 3)}
				if err := v.Verify(t.Context(), o, users, fmt.Sprint("nobody", i), []byte("x")); err != ErrUnknownUser {
					t.Errorf("expected ErrUnknownUser, got %v", err)
				}
			})
		}
		all.Wait()
		if most != 2 {
			t.Errorf("expected 2 hashes of 64 MiB at once, got %d", most)
		}
	})
}
