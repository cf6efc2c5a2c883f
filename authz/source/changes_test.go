package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/source"
)

func (k *kept) changes() []authz.PolicyChange { return k.loads[len(k.loads)-1].Changes }

func TestALoadTellsWhichPoliciesItChanged(t *testing.T) {
	k := keep(t)
	k.directory(t, policy(open, "b")+policy(open, "a"))
	first := k.changes()
	if len(first) != 2 || first[0].Policy != "shop/a" || first[0].Kind != authz.PolicyAdded || first[0].Ready != "Ready" || !strings.HasPrefix(first[0].Digest, "sha256:") || first[0].Digest == first[1].Digest {
		t.Fatalf("got %+v", first)
	}
	k.directory(t, "# read again\n"+policy(open, "a")+policy(open, "b"))
	if got := k.changes(); got != nil {
		t.Errorf("expected nothing of policies that are as they were, got %+v", got)
	}
	k.directory(t, policy(unresolved, "a")+policy(open, "c"))
	want := []authz.PolicyChange{
		{Policy: "shop/a", Kind: authz.PolicyChanged, Ready: "RefNotFound"}, {Policy: "shop/b", Kind: authz.PolicyRemoved}, {Policy: "shop/c", Kind: authz.PolicyAdded, Ready: "Ready"},
	}
	got := k.changes()
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i].Digest == first[0].Digest {
			t.Errorf("%s: expected another digest of another spec", got[i].Policy)
		}
		if got[i].Digest = ""; got[i] != want[i] {
			t.Errorf("expected %+v, got %+v", want[i], got[i])
		}
	}
	k.directory(t, policy(open, "a"))
	if got := k.changes(); len(got) != 2 || got[0].Digest != first[0].Digest {
		t.Errorf("expected the digest to be that of the spec, got %+v", got)
	}
}

func TestARefusedLoadChangesNoPolicy(t *testing.T) {
	k := keep(t)
	k.directory(t, policy(open, "a"))
	k.directory(t, policy(open, "a")+policy(invalid, "b"))
	if got := k.changes(); got != nil {
		t.Errorf("got %+v", got)
	}
	k.directory(t, policy(open, "a")+policy(open, "b"))
	if got := k.changes(); len(got) != 1 || got[0].Policy != "shop/b" || got[0].Kind != authz.PolicyAdded {
		t.Errorf("got %+v", got)
	}
}

func TestAPolicyOfAClusterTellsItsGenerationsAndWhenItIsReady(t *testing.T) {
	k := keep(t)
	read, _ := tree(t, policy(unresolved, "a")+policy(open, "same")+`
apiVersion: v1
kind: Secret
metadata: {name: nowhere, namespace: shop, labels: {agentauth.dev/use: basic}}
type: kubernetes.io/basic-auth
stringData: {username: alice, password: sesame-sesame}
`)
	in := read.Input
	load := func(in engine.Input) []authz.PolicyChange {
		t.Helper()
		if _, inForce := k.Cluster(t.Context(), in); !inForce {
			t.Fatal("not in force")
		}
		return k.changes()
	}
	in.Policies[0].Generation = 4
	if got := load(in); len(got) != 2 || got[0].From != 0 || got[0].To != 4 || got[0].Ready != "Ready" {
		t.Errorf("got %+v", got)
	}
	next := in
	next.Policies = append(next.Policies[:0:0], in.Policies...)
	next.Policies[0] = in.Policies[0].DeepCopy()
	next.Policies[0].Generation, next.Policies[0].Spec.Routes[0].Hostnames[0] = 5, "elsewhere.example.com"
	if got := load(next); len(got) != 1 || got[0].From != 4 || got[0].To != 5 || got[0].Kind != authz.PolicyChanged {
		t.Errorf("got %+v", got)
	}
	next.Secrets = nil
	if got := load(next); len(got) != 1 || got[0].From != 5 || got[0].To != 5 || got[0].Ready != "RefNotFound" {
		t.Errorf("expected the policy that is ready no more, got %+v", got)
	}
	next.Policies = next.Policies[1:]
	if got := load(next); len(got) != 1 || got[0].From != 5 || got[0].To != 0 || got[0].Kind != authz.PolicyRemoved {
		t.Errorf("got %+v", got)
	}
}

func TestEachOfManyPoliciesThatChangeIsTold(t *testing.T) {
	k := keep(t)
	var text strings.Builder
	for i := range 50 {
		text.WriteString(policy(open, fmt.Sprintf("p%02d", i)))
	}
	k.directory(t, text.String())
	if l := k.loads[0]; len(l.Changes) != 50 || l.Changed != 50 || l.Changes[49].Policy != "shop/p49" {
		t.Errorf("got %d of %d", len(l.Changes), l.Changed)
	}
}

func (k *kept) last() source.Load { return k.loads[len(k.loads)-1] }

func TestReplicasWithTheSamePoliciesHaveTheSameHashHoweverTheyCameToThem(t *testing.T) {
	one, other := keep(t), keep(t)
	one.directory(t, policy(open, "a")+policy(unresolved, "b")+policy(open, "c"))
	other.directory(t, policy(open, "c"))
	if one.last().Hash == other.last().Hash || other.last().Hash == 0 || one.last().NotReady != 1 || other.last().NotReady != 0 {
		t.Errorf("got %+v and %+v", one.last(), other.last())
	}
	other.directory(t, policy(open, "b")+policy(open, "c"))
	other.directory(t, policy(open, "d")+policy(open, "c")+policy(unresolved, "b"))
	other.directory(t, policy(open, "c")+policy(unresolved, "b")+policy(open, "a"))
	if got, want := other.last().Hash, one.last().Hash; got != want || want >= 1<<48 {
		t.Errorf("expected %d, got %d", want, got)
	}
	one.directory(t, policy(open, "a")+policy(unresolved, "a2")+policy(open, "c"))
	if got := one.last().Hash; got == other.last().Hash {
		t.Error("expected another hash of other policies")
	}
}
