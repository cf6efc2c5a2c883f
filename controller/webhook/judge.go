package webhook

import (
	"runtime"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Objects are what is known of the cluster.
type Objects interface {
	// Find returns a Secret or ConfigMap as *engine.Object, or an object of
	// Gateway API; nil if there is none. known is false where that cannot be
	// said: nothing was read yet, or the namespace is not watched.
	Find(kind string, name types.NamespacedName) (object any, known bool)
}

// Judge says of a policy what Compile says of it by itself.
type Judge struct {
	// Options are those of the engine that will decide by the policy.
	Options engine.Options
	// CheckURL says why a URL will never be fetched; nil: that is not told.
	CheckURL func(url string) error
	Objects  Objects
}

// verdict is nil and nil for a policy that nothing is wrong with.
type verdict struct {
	invalid  []engine.Problem
	warnings []string
}

// judge takes a policy in a namespace. It costs what the policy costs, however
// many others there are.
func (j *Judge) judge(p *v1alpha1.AgentAuthPolicy) verdict {
	// Compile costs what the CRD's limits let it cost: routes are hostnames times
	// matches. Whoever reaches the port may send what no API server ever saw, and
	// must not use up the memory of what decides.
	if invalid := validate(p); invalid != nil {
		return verdict{invalid: invalid}
	}
	// An engine of its own: nothing of it outlives the review, and it is never
	// put in force, so that no key is fetched.
	e := engine.New(engine.Deps{
		Remote:   func(engine.RemoteSource) engine.RemoteKeys { return noKeys{} },
		CheckURL: j.CheckURL,
	}, j.Options)
	alone, reports := e.Compile(engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	if invalid := of(reports[0].Problems, engine.Invalid); invalid != nil {
		return verdict{invalid: invalid}
	}
	known := newSurroundings(j.Objects, p, reports[0].Problems)
	_, reports = e.Compile(known.input)
	runtime.KeepAlive(alone) // holds the expressions, which need not be compiled again
	return verdict{warnings: known.warnings(reports[0].Problems)}
}

// validate tells the rules of the API that a policy breaks, as Compile does.
func validate(p *v1alpha1.AgentAuthPolicy) (out []engine.Problem) {
	for _, err := range engine.Validate(engine.Default(p)) {
		out = append(out, engine.Problem{Severity: engine.Invalid, Field: err.Field, Message: err.ErrorBody()})
	}
	return out
}

func of(problems []engine.Problem, severity engine.Severity) (out []engine.Problem) {
	for _, p := range problems {
		if p.Severity == severity {
			out = append(out, p)
		}
	}
	return out
}

// noKeys stands for key sets that are fetched: compiling fetches none.
type noKeys struct{ engine.RemoteKeys }

// surroundings are the objects of a policy's namespace that it refers to, in
// so far as they are known.
type surroundings struct {
	input engine.Input
	// unknown are objects, and targets found, of which nothing more can be said.
	unknown map[string]bool
}

// newSurroundings looks up what Compile missed. Nothing that an object holds is
// taken along: the answer goes to whoever asks.
func newSurroundings(objects Objects, p *v1alpha1.AgentAuthPolicy, missed []engine.Problem) surroundings {
	s := surroundings{input: engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{p}}, unknown: map[string]bool{}}
	for _, m := range of(missed, engine.Unresolved) {
		kind, name, _ := strings.Cut(m.Object, " ")
		namespace, name, _ := strings.Cut(name, "/")
		if namespace != p.Namespace { // nobody else's: whether it is there is not told
			s.unknown[m.Object] = true
			continue
		}
		found, known := objects.Find(kind, types.NamespacedName{Namespace: namespace, Name: name})
		s.unknown[m.Object] = !known
		if o, ok := found.(*engine.Object); ok {
			bare := &engine.Object{Namespace: o.Namespace, Name: o.Name, Labels: o.Labels, Type: o.Type}
			if kind == "Secret" {
				s.input.Secrets = append(s.input.Secrets, bare)
			} else {
				s.input.ConfigMaps = append(s.input.ConfigMaps, bare)
			}
		}
	}
	for i, ref := range p.Spec.TargetRefs {
		found, known := objects.Find(string(ref.Kind), types.NamespacedName{Namespace: p.Namespace, Name: ref.Name})
		if found != nil {
			s.input.AddGateway(found)
		}
		// Listeners may be a ListenerSet's, which names its Gateway.
		s.unknown[targetField(i)] = !known || found != nil && ref.Kind == v1alpha1.TargetGateway
	}
	return s
}

func (s surroundings) warnings(problems []engine.Problem) []string {
	var out []string
	for _, p := range problems {
		switch p.Severity {
		case engine.Unresolved: // a key: it is about content
			if p.Key != "" || s.unknown[p.Object] {
				continue
			}
		case engine.Unattached:
			if s.unknown[p.Field] {
				continue
			}
		case engine.Warning, engine.Conflicting: // without others: what the operator does not grant
			if p.Object != "" {
				continue
			}
		default:
			continue
		}
		out = append(out, p.String())
	}
	return out
}
