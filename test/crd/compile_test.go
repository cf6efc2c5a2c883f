package crd

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// noKeys stands for key sets that are fetched: compiling fetches none.
type noKeys struct{ engine.RemoteKeys }

func TestWhatOnlyCompileSeesItRefuses(t *testing.T) {
	e := engine.New(engine.Deps{Remote: engine.Remote{Keys: func(engine.RemoteSource) engine.RemoteKeys { return noKeys{} }}}, engine.Options{OneTenant: true})
	for _, s := range invalidSamples(t, "compile-only", 20) {
		t.Run(s.name, func(t *testing.T) {
			_, policy, _ := decode(t, s.data)
			_, reports := e.Compile(engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{policy}})
			var got []string
			for _, p := range reports[0].Problems {
				if p.Severity == authz.Invalid {
					got = append(got, p.Field+": "+p.Message)
				}
			}
			if len(got) != 1 || !below(strings.SplitN(got[0], ": ", 2)[0], s.path) || !strings.Contains(got[0], s.message) {
				t.Errorf("expected %s: …%s…, got %q", s.path, s.message, got)
			}
		})
	}
}
