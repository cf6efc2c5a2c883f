package source_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

func revocationOf(entries ...string) string {
	s := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: revoked, labels: {agentauth.dev/use: revocations}}\ndata:\n"
	for i, e := range entries {
		s += "  " + string(rune('a'+i)) + ": '" + e + "'\n"
	}
	return s
}

var (
	untilLater = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	ofAlice    = "{secret: shop/keys, credentialId: alice, until: " + untilLater + "}"
	ofBob      = "{secret: shop/keys, credentialId: bob, until: " + untilLater + "}"
)

func (k *kept) hasKeys(t *testing.T, alice, bob authz.Outcome) {
	t.Helper()
	if got := k.asks("keys.example.com", "x-api-key", aliceKey); got != alice {
		t.Errorf("alice: expected %s, got %s", alice, got)
	}
	if got := k.asks("keys.example.com", "x-api-key", bobKey); got != bob {
		t.Errorf("bob: expected %s, got %s", bob, got)
	}
}

func TestARevocationIsInForceAlthoughAFileBesideItIsBroken(t *testing.T) {
	k := keep(t)
	files := map[string]string{"policy.yaml": keysPolicy, "keys.yaml": keySecret("", "alice", aliceKey, "bob", bobKey)}
	if !k.files(t, files) {
		t.Fatal("expected the files to be in force")
	}
	k.hasKeys(t, authz.Allow, authz.Allow)
	files["broken.yaml"], files["revoked.yaml"] = "kind: [", revocationOf(ofAlice)
	if k.files(t, files) {
		t.Fatal("expected the broken file to refuse the load")
	}
	k.hasKeys(t, authz.Deny, authz.Allow)
	files["revoked.yaml"] = "kind: ["
	k.files(t, files)
	k.hasKeys(t, authz.Deny, authz.Allow) // nobody knows that it is gone
	delete(files, "broken.yaml")
	files["revoked.yaml"] = revocationOf(ofBob)
	if !k.files(t, files) {
		t.Fatal("expected the files to be in force")
	}
	k.hasKeys(t, authz.Allow, authz.Deny)
}

func TestARevocationThatIsGoneWaitsForTheLoadThatItIsAPartOf(t *testing.T) {
	k := keep(t)
	files := map[string]string{"policy.yaml": keysPolicy, "keys.yaml": keySecret("", "alice", aliceKey, "bob", bobKey), "revoked.yaml": revocationOf(ofAlice)}
	k.files(t, files)
	k.hasKeys(t, authz.Deny, authz.Allow)
	files["revoked.yaml"], files["policy.yaml"] = revocationOf(ofBob), strings.Replace(keysPolicy, "routes:", "rautes:", 1)
	if k.files(t, files) {
		t.Fatal("expected the load to be refused")
	}
	k.hasKeys(t, authz.Deny, authz.Deny)
	k.files(t, map[string]string{})
	k.hasKeys(t, authz.Deny, authz.Deny) // a volume that is not mounted takes nothing back
	files["policy.yaml"] = keysPolicy
	if !k.files(t, files) {
		t.Fatal("expected the files to be in force")
	}
	k.hasKeys(t, authz.Allow, authz.Deny)
}

func TestAnEntryOfAFileThatCannotBeReadIsAnErrorOfTheLoadWithItsPlace(t *testing.T) {
	k := keep(t)
	files := map[string]string{"policy.yaml": keysPolicy, "keys.yaml": keySecret("", "alice", aliceKey, "bob", bobKey), "revoked.yaml": revocationOf(ofAlice)}
	k.files(t, files)
	files["revoked.yaml"] = revocationOf("{secrat: shop/keys}", ofBob)
	if k.files(t, files) {
		t.Fatal("expected the load to be refused")
	}
	k.hasKeys(t, authz.Deny, authz.Deny) // what it said before, and what the one beside it says
	problems := k.loads[len(k.loads)-1].Problems
	if len(problems) != 1 || problems[0].File != "revoked.yaml" || problems[0].Line != 5 || problems[0].Field != "data[a].secrat" || !strings.Contains(problems[0].Message, "holds on") {
		t.Errorf("expected the file, the line and the field, got %+v", problems)
	}
}

func TestRevocationsThatHoldForNobodyAreWarnedOf(t *testing.T) {
	k := keep(t)
	const jwtPolicy = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tokens, namespace: shop}
spec:
  routes: [{hostnames: [tokens.example.com]}]
  authentication: {methods: [{name: idp, jwt: {issuer: "https://idp.example.com", anyAudience: true, jwks: {inline: '{"keys":[]}'}}}]}
`
	elsewhere := strings.Replace(revocationOf("{issuer: https://idp.example.com, subject: a, until: "+untilLater+"}"), "{name: revoked,", "{name: elsewhere, namespace: bank,", 1)
	k.files(t, map[string]string{"policy.yaml": jwtPolicy, "b.yaml": elsewhere, "r.yaml": revocationOf(
		"{issuer: https://idp.example.com/, subject: a, until: "+untilLater+"}", "{issuer: https://idp.example.com, subject: a, until: "+untilLater+"}")})
	var told []string
	for _, p := range k.loads[len(k.loads)-1].Problems {
		if p.Lint == authz.RevokesNothing {
			told = append(told, p.File+" "+p.Message)
		}
	}
	if len(told) != 2 || !strings.Contains(told[0]+told[1], "a final slash differs") || !strings.Contains(told[0]+told[1], "no policy is in namespace bank") {
		t.Errorf("expected a warning of the slash and of the namespace, got %q", told)
	}

	// A policy that takes tokens of any issuer beside it leaves the slash a mistake.
	anybody := strings.NewReplacer("name: tokens,", "name: any,", "tokens.example.com", "any.example.com", `issuer: "https://idp.example.com"`, "anyIssuer: true").Replace(jwtPolicy)
	k.files(t, map[string]string{"policy.yaml": jwtPolicy, "any.yaml": anybody, "r.yaml": revocationOf("{issuer: https://idp.example.com/, subject: a, until: " + untilLater + "}")})
	told = nil
	for _, p := range k.loads[len(k.loads)-1].Problems {
		if p.Lint == authz.RevokesNothing && strings.Contains(p.Message, "a final slash differs") {
			told = append(told, p.Message)
		}
	}
	if len(told) != 1 {
		t.Errorf("expected a warning of the slash, got %q", told)
	}
}

func TestARevocationOfAClusterWaitsForNoLoad(t *testing.T) {
	k := keep(t)
	tree, problems := manifest.Read([]manifest.File{{Path: "a.yaml", Data: []byte(keysPolicy)}, {Path: "b.yaml", Data: []byte(keySecret("", "alice", aliceKey, "bob", bobKey))}})
	if tree == nil {
		t.Fatal(problems)
	}
	of := func(entries ...string) []revoke.ConfigMap {
		c := revoke.ConfigMap{Namespace: "agentauth", Name: "revoked", Everywhere: true, Data: map[string][]byte{}}
		for _, e := range entries {
			c.Data[strings.NewReplacer("{", "", "}", "", ":", "-", " ", "", ",", "_", "/", ".").Replace(e)] = []byte(e)
		}
		return []revoke.ConfigMap{c}
	}
	k.Revoke(of(ofAlice))
	if _, ok := k.Cluster(t.Context(), tree.Input); !ok {
		t.Fatal("expected it to be in force")
	}
	k.hasKeys(t, authz.Deny, authz.Allow)
	k.Revoke(of(ofBob)) // while a load is under way, or hangs
	k.hasKeys(t, authz.Deny, authz.Deny)
	broken := of(ofBob)
	broken[0].Data["x"] = []byte("{")
	k.Revoke(broken)
	k.Cluster(t.Context(), tree.Input)
	k.hasKeys(t, authz.Allow, authz.Deny)
	last := k.loads[len(k.loads)-1]
	if len(last.Problems) != 1 || last.Problems[0].Severity != authz.Warning || last.Problems[0].Object != "ConfigMap agentauth/revoked" {
		t.Errorf("expected what cannot be read to be told and to stop nothing, got %+v", last.Problems)
	}
	k.Revoke(nil)
	k.hasKeys(t, authz.Allow, authz.Deny) // what is gone waits for the next load
	k.Cluster(t.Context(), tree.Input)
	k.hasKeys(t, authz.Allow, authz.Allow)
}
