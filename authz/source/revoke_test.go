package source_test

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

const keysPolicy = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: keys, namespace: shop}
spec:
  routes: [{hostnames: [keys.example.com]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: orders}}}}]}
`

const usersPolicy = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: users, namespace: shop}
spec:
  routes: [{hostnames: [users.example.com]}]
  authentication: {methods: [{name: users, basic: {users: {secretRef: {name: users}}, allowPlaintext: true}}]}
`

const (
	aliceKey = "alices-key-is-long-enough"
	bobKey   = "bobs-key-is-long-enough-too"
)

func keySecret(annotations string, entries ...string) string {
	s := "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop, labels: {agentauth.dev/use: api-key, team: orders}, annotations: {agentauth.dev/plain-keys: '*', " + annotations + "}}\nstringData:\n"
	for i := 0; i < len(entries); i += 2 {
		s += "  " + entries[i] + ": " + entries[i+1] + "\n"
	}
	return s
}

func userSecret(t *testing.T, users ...string) string {
	t.Helper()
	var lines []string
	for _, u := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte("password of "+u), bcrypt.MinCost+1)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, u+":"+string(hash))
	}
	return htpasswd(lines)
}

func htpasswd(lines []string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: shop, labels: {agentauth.dev/use: basic}}\ndata:\n  auth: " +
		base64.StdEncoding.EncodeToString([]byte(strings.Join(lines, "\n")+"\n")) + "\n"
}

func (k *kept) files(t *testing.T, files map[string]string, known ...authz.Problem) bool {
	t.Helper()
	var list []manifest.File
	for _, path := range slices.Sorted(maps.Keys(files)) {
		list = append(list, manifest.File{Path: path, Data: []byte(files[path])})
	}
	tree, remains, problems := manifest.ReadRemains(list, known...)
	return k.Directory(t.Context(), tree, remains, problems)
}

func (k *kept) asks(host, name, value string) authz.Outcome {
	raw := authz.Raw{Host: host, Method: "GET", Path: "/", Scheme: "https", Time: time.Now(), Headers: []authz.Header{{Name: name, Value: value}}}
	return k.Engine.Decide(context.Background(), raw).Outcome
}

func (k *kept) key(key string) bool {
	return k.asks("keys.example.com", "x-api-key", key) == authz.Allow
}

func (k *kept) user(name string) bool {
	basic := base64.StdEncoding.EncodeToString([]byte(name + ":password of " + name))
	return k.asks("users.example.com", "authorization", "Basic "+basic) == authz.Allow
}

const brokenYAML = "apiVersion: [\n"

func TestAKeyThatIsGoneIsRefusedAlthoughAnotherFileIsBroken(t *testing.T) {
	both := keySecret("", "alice", aliceKey, "bob", bobKey)
	invalidPolicy := strings.ReplaceAll(invalid, "NAME", "other")
	for name, c := range map[string]struct {
		files      map[string]string
		known      []authz.Problem
		alice, bob bool
	}{
		"an entry, beside YAML that is broken":  {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "bob", bobKey), "x.yaml": brokenYAML}, nil, false, true},
		"an entry, beside an invalid policy":    {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "bob", bobKey), "x.yaml": invalidPolicy}, nil, false, true},
		"an entry, beside it in one file":       {map[string]string{"p.yaml": keysPolicy, "k.yaml": invalidPolicy + "---\n" + keySecret("", "bob", bobKey)}, nil, false, true},
		"an entry, its policy being invalid":    {map[string]string{"p.yaml": keysPolicy + "  mistake: true\n", "k.yaml": keySecret("", "bob", bobKey)}, nil, false, true},
		"an entry, its policy being unreadable": {map[string]string{"k.yaml": keySecret("", "bob", bobKey)}, []authz.Problem{{Severity: authz.Invalid, Position: authz.Position{File: "p.yaml"}}}, false, true},
		"an entry, before a broken document":    {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "bob", bobKey) + "---\n" + brokenYAML}, nil, false, true},
		"an entry that moved to another file":   {map[string]string{"p.yaml": keysPolicy, "z.yaml": keySecret("", "bob", bobKey), "x.yaml": brokenYAML}, nil, false, true},
		"an entry that has another key":         {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "alice", "another-key-of-20-bytes", "bob", bobKey), "x.yaml": brokenYAML}, nil, false, true},
		"the Secret":                            {map[string]string{"p.yaml": keysPolicy, "x.yaml": brokenYAML}, nil, false, false},
		"the label":                             {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "agentauth.dev/use: api-key, ", "", 1), "x.yaml": brokenYAML}, nil, false, false},
		"the label that selects it":             {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "team: orders", "team: none", 1), "x.yaml": brokenYAML}, nil, false, false},
		"an earlier end":                        {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret(`agentauth.dev/expires-at: "2020-01-01T00:00:00Z"`, "alice", aliceKey, "bob", bobKey), "x.yaml": brokenYAML}, nil, false, false},
		"an earlier end of one":                 {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret(`expires-at.agentauth.dev/alice: "2020-01-01T00:00:00Z"`, "alice", aliceKey, "bob", bobKey), "x.yaml": brokenYAML}, nil, false, true},
		"an end that is misspelt":               {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret(`agentauth.dev/expire-at: "2020-01-01T00:00:00Z"`, "alice", aliceKey, "bob", bobKey), "x.yaml": brokenYAML}, nil, false, false},
		"a label that is misspelt":              {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "team: orders", "team: orders, agentauth.dev/used: x", 1), "x.yaml": brokenYAML}, nil, false, false},
		"a name in plain-keys":                  {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "'*'", "bob", 1), "x.yaml": brokenYAML}, nil, false, true},
		"other claims":                          {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret(`claims.agentauth.dev/role: clerk`, "alice", aliceKey, "bob", bobKey), "x.yaml": brokenYAML}, nil, false, false},

		"nothing, and plain keys are by name":    {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "'*'", "bob alice", 1), "x.yaml": brokenYAML}, nil, true, true},
		"nothing, and a key came with an end":    {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret(`expires-at.agentauth.dev/eve: "2099-01-01T00:00:00Z"`, "alice", aliceKey, "bob", bobKey, "eve", "eves-key-is-long-enough-too"), "x.yaml": brokenYAML}, nil, true, true},
		"nothing, and a key came":                {map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "alice", aliceKey, "bob", bobKey, "eve", "eves-key-is-long-enough-too"), "x.yaml": brokenYAML}, nil, true, true},
		"nobody knows: its file has a mistake":   {map[string]string{"p.yaml": keysPolicy, "k.yaml": keysPolicy + "  mistake: true\n"}, nil, true, true},
		"nobody knows: its file is broken":       {map[string]string{"p.yaml": keysPolicy, "k.yaml": brokenYAML}, nil, true, true},
		"nobody knows: its file is empty":        {map[string]string{"p.yaml": keysPolicy, "k.yaml": ""}, nil, true, true},
		"nobody knows: its file cannot be read":  {map[string]string{"p.yaml": keysPolicy}, []authz.Problem{{Severity: authz.Invalid, Position: authz.Position{File: "k.yaml"}}}, true, true},
		"nobody knows: its kind is mistyped":     {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "kind: Secret", "kind: Secrte", 1)}, nil, true, true},
		"nobody knows: its name cannot be read":  {map[string]string{"p.yaml": keysPolicy, "k.yaml": strings.Replace(both, "{name: keys,", "{name: [],", 1)}, nil, true, true},
		"the Secret, and what is left is broken": {map[string]string{"p.yaml": brokenYAML}, nil, false, false},
		"nothing: there is no document any more": {map[string]string{}, []authz.Problem{{Severity: authz.Invalid, Position: authz.Position{File: "dir"}}}, true, true},
		"nothing: the tree is empty":             {map[string]string{}, nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := keep(t)
			if !k.files(t, map[string]string{"p.yaml": keysPolicy, "k.yaml": both}) || !k.key(aliceKey) || !k.key(bobKey) {
				t.Fatalf("expected both keys to be good: %+v", k.loads)
			}
			if k.files(t, c.files, c.known...) {
				t.Error("expected it to be refused")
			}
			if a, b := k.key(aliceKey), k.key(bobKey); a != c.alice || b != c.bob {
				t.Errorf("expected alice %v and bob %v, got %v and %v", c.alice, c.bob, a, b)
			}
			if k.key("eves-key-is-long-enough-too") {
				t.Error("expected no right to be added")
			}
			if told := strings.Contains(k.log.String(), "that are gone are refused"); told == (c.alice && c.bob) {
				t.Errorf("expected a revocation to be logged, and nothing else: %s", &k.log)
			}
			if !k.files(t, map[string]string{"p.yaml": keysPolicy, "k.yaml": both}) || !k.key(aliceKey) || !k.key(bobKey) {
				t.Error("expected both keys to be good once the files are")
			}
		})
	}
}

func TestAKeyThatIsGoneWithItsEndTakesNoOtherKeyAlong(t *testing.T) {
	k := keep(t)
	before := keySecret(`expires-at.agentauth.dev/alice: "2099-01-01T00:00:00Z"`, "alice", aliceKey, "bob", bobKey)
	if !k.files(t, map[string]string{"p.yaml": keysPolicy, "k.yaml": before}) || !k.key(aliceKey) {
		t.Fatalf("expected both keys to be good: %+v", k.loads)
	}
	k.files(t, map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "bob", bobKey), "x.yaml": brokenYAML})
	if k.key(aliceKey) || !k.key(bobKey) {
		t.Errorf("expected bob's key alone, got alice %v and bob %v", k.key(aliceKey), k.key(bobKey))
	}
}

func TestAnUnreadableFolderRevokesNothing(t *testing.T) {
	k := keep(t)
	k.files(t, map[string]string{"d/p.yaml": keysPolicy, "d/sub/k.yaml": keySecret("", "alice", aliceKey)})
	k.files(t, map[string]string{"d/p.yaml": keysPolicy}, authz.Problem{Severity: authz.Invalid, Position: authz.Position{File: "d/sub"}})
	if !k.key(aliceKey) {
		t.Error("expected the key to be good")
	}
	k.files(t, map[string]string{"d/p.yaml": keysPolicy}, authz.Problem{Severity: authz.Invalid, Position: authz.Position{File: "d/su"}})
	if k.key(aliceKey) {
		t.Error("expected the key to be refused: its folder is another")
	}
}

func TestAUserWhoIsGoneIsRefusedAlthoughAnotherFileIsBroken(t *testing.T) {
	k := keep(t)
	text := userSecret(t, "alice", "bob")
	k.files(t, map[string]string{"p.yaml": usersPolicy, "u.yaml": text})
	k.Engine = engineWithPasswords(t)
	k.files(t, map[string]string{"p.yaml": usersPolicy, "u.yaml": text})
	if !k.user("alice") || !k.user("bob") {
		t.Fatalf("expected both users to be let in: %+v", k.loads)
	}
	_, encoded, _ := strings.Cut(text, "auth: ")
	lines, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(lines)), "\n")
	k.files(t, map[string]string{"p.yaml": usersPolicy, "u.yaml": htpasswd(all[1:]), "x.yaml": brokenYAML})
	if k.user("alice") || !k.user("bob") {
		t.Errorf("expected bob alone to be let in, got %v and %v", k.user("alice"), k.user("bob"))
	}
	k.files(t, map[string]string{"p.yaml": usersPolicy, "x.yaml": brokenYAML})
	if k.user("bob") {
		t.Error("expected nobody to be let in")
	}
}

func TestATreeThatHadPoliciesAndHasNoneIsRefused(t *testing.T) {
	k := keep(t)
	if !k.files(t, map[string]string{"c.yaml": keySecret("", "alice", aliceKey)}) {
		t.Error("expected a tree without policies to be in force where there was none before")
	}
	k.files(t, map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "alice", aliceKey)})
	if k.files(t, map[string]string{"k.yaml": keySecret("", "bob", bobKey)}) {
		t.Error("expected a tree without policies to be refused")
	}
	if p := k.loads[len(k.loads)-1].Problems; len(p) != 1 || !strings.Contains(p[0].Message, "is a volume not mounted?") {
		t.Errorf("expected a problem that says so, got %+v", p)
	}
	if k.key(aliceKey) {
		t.Error("expected the key that is gone to be refused")
	}
}

// A pass that panics is not in force, and what it takes away is.
func TestAKeyThatIsGoneIsRefusedAlthoughAPassPanics(t *testing.T) {
	k := keep(t)
	with, _ := tree(t, keysPolicy+"---\n"+keySecret("", "alice", aliceKey, "bob", bobKey))
	without, _ := tree(t, keysPolicy+"---\n"+keySecret("", "bob", bobKey))
	k.Cluster(t.Context(), with.Input)
	bad := without.Input
	bad.Policies = append(slices.Clone(bad.Policies), nil)
	if _, inForce := k.Cluster(t.Context(), bad); inForce || k.key(aliceKey) || !k.key(bobKey) {
		t.Errorf("expected bob's key alone to be good, got %v and %v", k.key(aliceKey), k.key(bobKey))
	}
	if _, behind := k.Behind(); !behind {
		t.Error("expected a change that is not in force to be told")
	}
	if _, inForce := k.Cluster(t.Context(), without.Input); !inForce {
		t.Error("expected it in force")
	}
	if since, behind := k.Behind(); behind {
		t.Errorf("expected nothing to wait, got %s", since)
	}
}

// Who is not in force any more is refused; nobody is told that something is missing.
func TestACredentialThatChangedIsRefusedAndTheNewOneIsNotYetAccepted(t *testing.T) {
	const hmacPolicy = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: users, namespace: shop}
spec:
  routes: [{hostnames: [users.example.com]}]
  authentication: {methods: [{name: t, jwt: {anyIssuer: true, anyAudience: true, METHOD}}]}
`
	token := map[string]string{"HS256": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln", "ES256": "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9." + strings.Repeat("A", 86)}
	const jwk = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
	secret := func(use, kind, entries string) string {
		return "apiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: shop, labels: {agentauth.dev/use: " + use + "}}\ntype: " + kind + "\nstringData: {" + entries + "}\n"
	}
	basic := func(name string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+name))
	}
	for name, c := range map[string]struct{ policy, before, after, value string }{
		"a password":       {usersPolicy, secret("basic", "kubernetes.io/basic-auth", "username: alice, password: old"), secret("basic", "kubernetes.io/basic-auth", "username: alice, password: new"), basic("old")},
		"the new password": {usersPolicy, secret("basic", "kubernetes.io/basic-auth", "username: alice, password: old"), secret("basic", "kubernetes.io/basic-auth", "username: alice, password: new"), basic("new")},
		"a user name":      {usersPolicy, secret("basic", "kubernetes.io/basic-auth", "username: alice, password: old"), secret("basic", "kubernetes.io/basic-auth", "username: bob, password: old"), basic("old")},
		"the only user":    {usersPolicy, userSecret(t, "alice"), userSecret(t, "bob"), basic("password of alice")},
		"a shared secret":  {strings.ReplaceAll(hmacPolicy, "METHOD", "hmac: {secretRef: {name: users}}"), secret("hmac", "Opaque", "secret: "+strings.Repeat("a", 32)), secret("hmac", "Opaque", "secret: "+strings.Repeat("b", 32)), "Bearer " + token["HS256"]},
		"the only key":     {strings.ReplaceAll(hmacPolicy, "METHOD", "jwks: {secretRef: {name: users}}"), secret("jwks", "Opaque", "jwks.json: '"+jwk+"'"), secret("jwks", "Opaque", "jwks.json: '"+strings.Replace(jwk, `"kty"`, `"kid":"other","kty"`, 1)+"'"), "Bearer " + token["ES256"]},
	} {
		t.Run(name, func(t *testing.T) {
			k := keep(t)
			k.Engine = engineWithPasswords(t)
			if !k.files(t, map[string]string{"p.yaml": c.policy, "u.yaml": c.before}) {
				t.Fatalf("%+v", k.loads)
			}
			k.files(t, map[string]string{"p.yaml": c.policy, "u.yaml": c.after, "x.yaml": brokenYAML})
			raw := authz.Raw{Host: "users.example.com", Method: "GET", Path: "/", Scheme: "https", Time: time.Now(), Headers: []authz.Header{{Name: "authorization", Value: c.value}}}
			if d := k.Engine.Decide(t.Context(), raw); d.Outcome != authz.Deny || d.Status != 401 {
				t.Errorf("expected 401, got %s %d %s %s", d.Outcome, d.Status, d.Reason, d.Detail)
			}
		})
	}
}

func TestAPolicyThatIsGoneAnswers503AlthoughAnotherFileIsBroken(t *testing.T) {
	k := keep(t)
	a, b := policy(open, "a"), policy(open, "b")
	k.files(t, map[string]string{"a.yaml": a, "b.yaml": b})
	k.files(t, map[string]string{"b.yaml": b, "x.yaml": brokenYAML})
	k.decides(t, "a.example.com", authz.Error)
	k.decides(t, "b.example.com", authz.Allow)
	k.files(t, map[string]string{"a.yaml": brokenYAML, "b.yaml": b})
	k.decides(t, "b.example.com", authz.Allow)
	k.files(t, map[string]string{"a.yaml": a, "b.yaml": b})
	k.decides(t, "a.example.com", authz.Allow)
	k.files(t, map[string]string{"a.yaml": brokenYAML, "b.yaml": b})
	k.decides(t, "a.example.com", authz.Allow) // nobody knows
	k.files(t, map[string]string{"a.yaml": strings.ReplaceAll(invalid, "NAME", "other"), "b.yaml": b})
	k.decides(t, "a.example.com", authz.Allow) // nor here: its file has a mistake
	k.files(t, map[string]string{"a.yaml": brokenYAML})
	k.decides(t, "b.example.com", authz.Error)
}

func TestAFileThatIsGoneIsGoneAlthoughTheOthersCannotBeRead(t *testing.T) {
	for name, remains := range map[string]*manifest.Remains{
		"they move":        manifest.Unread([]string{"p.yaml", "x.yaml"}),
		"the key's does":   manifest.Unread([]string{"p.yaml", "k.yaml"}),
		"nothing is there": manifest.Unread(nil),
	} {
		t.Run(name, func(t *testing.T) {
			k := keep(t)
			k.files(t, map[string]string{"p.yaml": keysPolicy, "k.yaml": keySecret("", "alice", aliceKey)})
			k.Directory(t.Context(), nil, remains, []authz.Problem{{Severity: authz.Invalid, Message: "still changing"}})
			if got := k.key(aliceKey); got != (name != "they move") {
				t.Errorf("the key is good: %v", got)
			}
		})
	}
}
