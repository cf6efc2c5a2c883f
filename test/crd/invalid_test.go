package crd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// sample is a file of testdata/invalid. Its first line says what it breaks:
// "# wants: <field path>: <substring of the message>".
type sample struct {
	name, path, message string
	data                []byte
}

func invalidSamples(t *testing.T, dir string, least int) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../../testdata/invalid", dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < least {
		t.Fatalf("expected at least %d files in testdata/invalid/%s, got %d", least, dir, len(files))
	}
	var out []sample
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ := strings.Cut(string(data), "\n")
		wants, ok := strings.CutPrefix(header, "# wants: ")
		path, message, ok2 := strings.Cut(wants, ": ")
		if !ok || !ok2 || message == "" {
			t.Fatalf("%s: expected a first line \"# wants: <field path>: <message>\", got %q", file, header)
		}
		out = append(out, sample{strings.TrimSuffix(filepath.Base(file), ".yaml"), path, message, data})
	}
	return out
}

// below says whether a field is the wanted one or part of it: a schema speaks
// of the list where Go speaks of the entry. Keys of maps are written in two
// ways.
func below(got, wanted string) bool {
	got, wanted = flat(got), flat(wanted)
	return got == wanted || strings.HasPrefix(got, wanted+".")
}

func flat(path string) string { return strings.NewReplacer("[", ".", "]", "").Replace(path) }

// refusals are the problems for which a policy is not used.
func refusals(p *v1alpha1.AgentAuthPolicy) (out []authz.Problem) {
	for _, problem := range validate.Policy(p) {
		if problem.Severity.Fatal() {
			out = append(out, problem)
		}
	}
	return out
}

// problems are the errors of the API server in our own shape.
func problems(errs field.ErrorList) (out []authz.Problem) {
	for _, err := range errs {
		out = append(out, authz.Problem{Field: err.Field, Message: err.ErrorBody()})
	}
	return out
}

// refused says what is wrong with how a policy was refused, if anything.
func (s sample) refused(errs []authz.Problem, message string) error {
	said := false
	for _, err := range errs {
		if !below(err.Field, s.path) {
			return fmt.Errorf("expected only %s to be wrong, got %v", s.path, err)
		}
		said = said || strings.Contains(err.String(), message)
	}
	if !said {
		return fmt.Errorf("expected %s: %s, got %v", s.path, message, errs)
	}
	return nil
}

func TestWhatTheCRDRefusesFilesRefuseToo(t *testing.T) {
	g := serverGate(t)
	own := map[string]bool{}
	for _, r := range rulesOf(g) {
		own[r.message] = r.own
	}
	for _, s := range invalidSamples(t, "", 150) {
		t.Run(s.name, func(t *testing.T) {
			obj, policy, strict := decode(t, s.data)
			if len(strict) > 0 {
				t.Fatalf("expected a policy of the right form, got %v", strict)
			}
			unknown, errs := g.create(obj)
			if len(unknown) > 0 {
				t.Fatalf("expected only known fields, got %v", unknown)
			}
			if err := s.refused(problems(errs), s.message); err != nil {
				t.Errorf("API server: %v", err)
			}
			// Our own rules have one text; the schema's are Kubernetes' words.
			message := ""
			if own[s.message] {
				message = s.message
			}
			own := refusals(validate.Default(policy))
			if err := s.refused(own, message); err != nil {
				t.Errorf("validate: %v", err)
			} else if len(own) != 1 {
				t.Errorf("validate: expected one problem, got %v", own)
			}
		})
	}
}

func TestWhatOnlyCompileSeesTheCRDAccepts(t *testing.T) {
	g := serverGate(t)
	for _, s := range invalidSamples(t, "compile-only", 20) {
		t.Run(s.name, func(t *testing.T) {
			obj, policy, strict := decode(t, s.data)
			unknown, errs := g.create(obj)
			if len(strict) > 0 || len(unknown) > 0 || len(errs) > 0 {
				t.Errorf("expected the CRD to accept it, got %v %v %v", strict, unknown, errs)
			}
			if errs := refusals(validate.Default(policy)); len(errs) > 0 {
				if err := s.refused(errs, s.message); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
