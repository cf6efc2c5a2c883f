package crd

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// onlyGo says whether a finding is of the kinds that no schema can express.
func onlyGo(err authz.Problem) bool {
	return strings.Contains(err.Field, ".matches[") ||
		strings.HasSuffix(err.Field, ".jwks.uri") ||
		strings.HasPrefix(err.Message, "Invalid value: issuer must be an http(s) URL") ||
		strings.HasPrefix(err.Message, "Duplicate value: expected names that differ in more than punctuation")
}

// nasty values start the fuzzer where rules end.
var nasty = []string{
	"", " ", "a", "A", "a b", "a\n", "é", "\xff", "*", "*.", "*.a", ".a", "a.", "a..b", "a_b", "-a", "a-", ":path", "host", "Cookie",
	"x-envoy-a", "X-Forwarded-For", "x_agent_id", "X-AGENT-ID", "www-authenticate", "/", "//", "/.", "/..", "/a/./b", "/%2f", "/%2F", "/%61", "/%c3",
	"/a#b", "/a?b", "/a b", "(", "[", "https://a", "http://a/b?c#d", "https://u:p@a", "https://a:b", "urn:a", "30", "30s", "5m", "5m1s", "1.5s",
	"99999h", "-1s", "HS256", "RS256", "none", "Exact", "PathPrefix", "RegularExpression", "Required", "Forward", "JWT", "logout+jwt",
	"APPLICATION/DPOP+JWT", "a/b", "a/b/c", "/a", "a=b", "a,b", "\"", "\\", "\x7f", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("é", 256),
}

// Whatever a policy says, the two gates agree on it, but for what only Go
// sees. The policy is one of the samples; at places that seed chooses a text
// comes in, something is left out or is there twice.
func FuzzValidate(f *testing.F) {
	files, err := filepath.Glob("../../testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("expected samples in testdata/invalid, got %v %v", files, err)
	}
	everything := readFile(f, "testdata/everything.yaml")
	for i := range uint64(500) {
		f.Add(i, nasty[i%uint64(len(nasty))])
	}
	g := serverGate(f)
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		random := rand.New(rand.NewPCG(seed, 0))
		data := everything
		if random.IntN(4) == 0 {
			data = readFile(t, files[random.IntN(len(files))])
		}
		obj, _, _ := decode(t, data)
		for range 1 + random.IntN(2) {
			mutate(random, obj, text)
		}
		raw, err := utiljson.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		p := &v1alpha1.AgentAuthPolicy{}
		if json.UnmarshalCaseSensitivePreserveInts(raw, p) != nil {
			return
		}
		validate.Policy(p) // without defaults it must not panic
		agree(t, g, p)
	})
}

func agree(t *testing.T, g *gate, p *v1alpha1.AgentAuthPolicy) {
	// From the Go type, in which "" and absent are the same.
	_, server := g.create(toObject(t, p))
	own := refusals(validate.Default(p))
	switch {
	case len(server) > 0 && len(own) == 0:
		t.Errorf("the API server refuses what validate accepts: %v", server)
	case len(server) == 0:
		for _, err := range own {
			if !onlyGo(err) {
				t.Errorf("validate refuses what the API server accepts: %v", err)
			}
		}
	}
}

// mutate changes one place of a JSON value, in place.
func mutate(random *rand.Rand, v any, text string) {
	switch v := v.(type) {
	case map[string]any:
		key := slices.Sorted(maps.Keys(v))[random.IntN(max(1, len(v))):]
		if len(key) == 0 {
			return
		}
		v[key[0]] = mutated(random, v[key[0]], text)
		switch random.IntN(20) {
		case 0:
			delete(v, key[0])
		case 1:
			v[text] = v[key[0]]
		}
	case []any:
		if len(v) > 0 {
			i := random.IntN(len(v))
			v[i] = mutated(random, v[i], text)
		}
	}
}

func mutated(random *rand.Rand, v any, text string) any {
	switch v := v.(type) {
	case string:
		return []string{text, v + text, text + v, strings.ToUpper(v)}[random.IntN(4)]
	case []any:
		if n := random.IntN(12); n == 0 && len(v) > 0 {
			return append(v, v[0])
		} else if n == 1 {
			return []any{}
		}
	case bool:
		return !v
	case int64:
		return random.Int64N(1000)
	}
	mutate(random, v, text)
	return v
}
