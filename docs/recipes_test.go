package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/test/cases"
)

// recipe is a heading of a page: its policies, and the requests of the page's test data that they must decide.
type recipe struct {
	slug string
	file cases.File
}

// theRecipes are the headings of a page that have a policy. A part "SLUG.yaml" of the test data is what is there beside it.
func theRecipes(t *testing.T, page string) []recipe {
	t.Helper()
	parts := map[string]string{}
	for _, f := range txtar.Parse([]byte(read(t, "testdata/"+page+".txtar"))).Files {
		parts[f.Name] = string(f.Data)
	}
	var out []recipe
	for _, text := range strings.Split("\n"+read(t, page+".md"), "\n## ")[1:] {
		title, body, _ := strings.Cut(text, "\n")
		r := recipe{slug: anchors("# " + title)[0]}
		var manifests []string
		for _, b := range (document{page + ".md", body}).blocks("yaml") {
			if strings.Contains(b.text, "kind: AgentAuthPolicy") {
				manifests = append(manifests, b.text)
			}
		}
		requests, there := parts[r.slug]
		if (len(manifests) > 0) != there {
			t.Errorf("%s: %d policies on the page, and its requests in testdata: %t", r.slug, len(manifests), there)
			continue
		}
		if !there {
			continue
		}
		if given, ok := parts[r.slug+".yaml"]; ok {
			manifests = append(manifests, given)
		}
		var err error
		r.file, err = cases.Parse(r.slug, []byte("-- policies.yaml --\n"+strings.Join(manifests, "---\n")+"\n-- requests --\n"+requests))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
		delete(parts, r.slug)
		delete(parts, r.slug+".yaml")
	}
	for name := range parts {
		t.Errorf("testdata/%s.txtar: the page has no heading for %s", page, name)
	}
	return out
}

// Each policy decides tokens as its provider documents them, good and bad ones, by the command that users have.
func TestRecipesDecideWhatProvidersIssue(t *testing.T) {
	cases.Now = time.Now()
	keys, err := cases.Expand("${jwks rsa1}")
	if err != nil {
		t.Fatal(err)
	}
	set := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(set, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	recipes := theRecipes(t, "recipes")
	if len(recipes) < 15 {
		t.Errorf("expected at least 15 recipes with policies, found %d", len(recipes))
	}
	for _, r := range append(recipes, theRecipes(t, "delegation")...) {
		t.Run(r.slug, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "recipe.yaml"), []byte(r.file.Policies), 0o600); err != nil {
				t.Fatal(err)
			}
			outcomes := map[authz.Outcome]bool{}
			for _, c := range r.file.Cases {
				t.Run(c.Name, func(t *testing.T) {
					d := decide(t, c.Raw, "--policies", dir, "--jwks", set)
					outcomes[d.Outcome] = true
					if err := cases.Check(&d, c.Want, true); err != nil {
						t.Error(err)
					}
				})
			}
			if !outcomes[authz.Allow] || !outcomes[authz.Deny] {
				t.Error("expected a request that is allowed and one that is refused")
			}
		})
	}
}

// decide has `agentauth check` decide a request.
func decide(t *testing.T, raw authz.Raw, args ...string) authz.Decision {
	t.Helper()
	args = append([]string{"check", "-o", "json", "-X", raw.Method}, args...)
	if raw.Source.Address != fromNowhere {
		args = append(args, "--source", raw.Source.Address)
	}
	for _, h := range raw.Headers {
		args = append(args, "-H", h.Name+": "+h.Value)
	}
	cmd := exec.CommandContext(t.Context(), agentauth(), append(args, raw.Scheme+"://"+raw.Host+raw.Path)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // the exit code says again what the output says
	var said struct {
		Decision, Policy, Method, Rule, Detail, Body string
		Status                                       int
		Reason                                       authz.Reason
		Identity                                     *authz.Identity
		Headers, ResponseHeaders                     []authz.Header
		RemoveHeaders                                []string
		Metadata                                     map[string]any
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("agentauth %q: %v: %s%s", args, err, out, stderr.String())
	}
	d := authz.Decision{
		Status: said.Status, Reason: said.Reason, Policy: said.Policy, Method: said.Method, Rule: said.Rule, Detail: said.Detail,
		Identity: said.Identity, Set: said.Headers, Remove: said.RemoveHeaders, Headers: said.ResponseHeaders, Body: said.Body, Metadata: said.Metadata,
	}
	all := []authz.Outcome{authz.Allow, authz.Deny, authz.Error}
	i := slices.IndexFunc(all, func(o authz.Outcome) bool { return o.String() == said.Decision })
	if i < 0 {
		t.Fatal(fmt.Sprint("expected allow, deny or error, got ", said.Decision))
	}
	d.Outcome = all[i]
	return d
}

// fromNowhere is the address of cases that name none.
const fromNowhere = "192.0.2.7"
