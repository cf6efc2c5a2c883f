//go:build e2e && !quick

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAStatusThatIsRefusedIsTriedLessAndLessAndConcernsNoCheck(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "writes")
	key := credential("cluster-api-key-while-status-fails")
	k.apply(t, keysOn(ns, "kept", "kept.writes.test", key))
	failing := map[string]string{
		"conflict":  `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409}`,
		"forbidden": `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`,
		"broken":    `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500}`,
	}
	a := k.behindProxy(t, "one", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		for policy, status := range failing {
			if strings.HasSuffix(r.URL.Path, "/"+policy+"/status") {
				var code struct{ Code int }
				must(t, json.Unmarshal([]byte(status), &code))
				respond(w, code.Code, status)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
	answers(t, soon, a.Agentauth, "kept.writes.test", key, 0)
	stop := steadily(t, a, "kept.writes.test", key)
	defer stop()
	for policy := range failing {
		k.apply(t, publicOn(ns, policy, policy+".writes.test", ""))
		answers(t, soon, a.Agentauth, policy+".writes.test", "", 0)
	}
	for i := 0; ; i++ { // of others there is something to write all the time
		other := fmt.Sprint("other-", i%5)
		k.apply(t, publicOn(ns, other, other+".writes.test", fmt.Sprintf("  authorization: {rules: [{name: r%d, require: 'true'}]}", i)))
		k.wait(t, ns, other, "Ready")
		done := true
		for policy := range failing {
			done = done && len(a.statusWrites(policy)) >= 4
		}
		if done {
			break
		}
		if i > 500 {
			t.Fatal("the failing ones are not tried again")
		}
	}
	for policy := range failing {
		tries := a.statusWrites(policy)
		for i, least := range []time.Duration{time.Second, 2 * time.Second} { // and what a clock may differ
			if waited := tries[i+2].At.Sub(tries[i+1].At); waited < least-least/4 {
				t.Errorf("%s: expected try %d at least %s after the one before, got %s", policy, i+2, least, waited)
			}
		}
		if n := len(tries); n > 8 {
			t.Errorf("%s: expected few tries, got %d", policy, n)
		}
	}
	a.proxy.Do(nil)
	for policy := range failing {
		k.wait(t, ns, policy, "Ready")
	}
}

func TestALeaderThatWasPausedAndItsSuccessorDoNotWriteAgainstEachOther(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "paused")
	one, two := k.behindProxy(t, "one", nil), k.behindProxy(t, "two", nil)
	k.apply(t, publicOn(ns, "before", "before.paused.test", ""))
	k.wait(t, ns, "before", "Ready")
	leader, other := one, two
	if !k.leads(t, one) {
		leader, other = two, one
	}
	must(t, leader.Signal(syscall.SIGSTOP))
	goOn := func() { must(t, leader.Signal(syscall.SIGCONT)) }
	t.Cleanup(goOn)
	k.apply(t, publicOn(ns, "during", "during.paused.test", ""))
	answers(t, soon, other.Agentauth, "during.paused.test", "", 0)
	k.wait(t, ns, "during", "Ready")
	if !k.leads(t, other) || len(leader.statusWrites("during")) != 0 {
		t.Error("expected the other one to have taken over")
	}

	goOn()
	answers(t, time.Minute, leader.Agentauth, "during.paused.test", "", 0)
	writes := func(policy string) int { return len(one.statusWrites(policy)) + len(two.statusWrites(policy)) }
	// The first may go on until it learns that it leads no more: then a change may be written by both, once each.
	k.apply(t, publicOn(ns, "first", "first.paused.test", ""))
	k.wait(t, ns, "first", "Ready")
	within(t, time.Minute, "that the first leads no more", func() error {
		records, err := leader.Records()
		for _, r := range records {
			if strings.Contains(fmt.Sprint(r["msg"]), "writes no status any more") {
				return err
			}
		}
		return fmt.Errorf("not told, %v", err)
	})
	for i := range 5 {
		name := fmt.Sprint("then-", i)
		k.apply(t, publicOn(ns, name, name+".paused.test", ""))
		k.wait(t, ns, name, "Ready")
		if n := writes(name); n != 1 {
			t.Errorf("%s: expected one write, got %d", name, n)
		}
	}
	for _, policy := range []string{"before", "during", "first"} {
		if n := writes(policy); n < 1 || n > 2 {
			t.Errorf("%s: expected one write, or one of each, got %d", policy, n)
		}
	}
	if !k.leads(t, other) {
		t.Error("expected the other one to lead still")
	}
}

// leads says whether a replica holds the lease.
func (k *kube) leads(t tester, a *behind) bool {
	t.Helper()
	holder := k.kubectl(t, "", "get", "lease", "agentauth-status", "-n", "agentauth-system", "-o", "jsonpath={.spec.holderIdentity}")
	return strings.Contains(holder, fmt.Sprintf("-%d-", a.Pid()))
}
