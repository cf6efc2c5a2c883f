package manifest

import (
	"reflect"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// decode reads a document into the object o, strictly.
func (c *checker) decode(doc *yaml.Node, kind string, o any) {
	text := c.check(doc, reflect.TypeOf(o).Elem(), "")
	if strict, err := json.UnmarshalStrict(text, o); (err != nil || len(strict) > 0) && len(c.unread) == 0 {
		c.report(doc, "", "it cannot be read as "+kind)
	}
}

// maxExplained is how many bytes of JSON are parsed a second time, to explain
// what is wrong: nodes take up to a hundred times the memory of their text.
const maxExplained = 256 << 10

// Spec reads the spec of a policy in JSON, as an API server has it. Each part
// that this version of agentauth cannot read is a problem: an unknown field, a
// field that comes twice or is of another type. spec.Unread gets the paths of
// these parts. So the policy is invalid, whatever the caller does with the
// problems.
func Spec(data []byte, spec *v1alpha1.PolicySpec) []authz.Problem {
	const at = "spec"
	strict, err := json.UnmarshalStrict(data, spec)
	if err == nil && len(strict) > 0 {
		err = strict[0]
	}
	if err == nil {
		return nil
	}
	problems, unread := explain(data, reflect.TypeOf(spec).Elem(), at)
	if len(problems) == 0 {
		problems, unread = []authz.Problem{{Severity: authz.Invalid, Field: at, Message: err.Error()}}, []string{at}
	}
	spec.Unread = append(spec.Unread, unread...)
	return problems
}

// explain says what is wrong with JSON of type t, and gives the paths of it. It
// returns nothing for JSON that is too large or too deep.
func explain(data []byte, t reflect.Type, at string) (problems []authz.Problem, unread []string) {
	if len(data) > maxExplained {
		return nil, nil
	}
	docs, broken := parseJSON(data)
	if broken != nil || len(docs) != 1 {
		return nil, nil
	}
	c := &checker{say: func(_ *yaml.Node, field, message string) {
		if len(problems) < maxProblems {
			problems = append(problems, authz.Problem{Severity: authz.Invalid, Field: field, Message: message})
		}
	}}
	c.check(docs[0], t, at)
	return problems, c.unread[:min(len(c.unread), maxProblems)]
}
