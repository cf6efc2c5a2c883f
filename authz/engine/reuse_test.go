package engine

import (
	"fmt"
	"sync"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// The request that a decision was made of is read into again for the next one.
func TestADecisionHoldsNothingOfTheRequestThatIsUsedAgain(t *testing.T) {
	p := onHost("p", "api.example.com", partners(idp), anonymous())
	p.Spec.Response = &v1alpha1.Response{
		Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{{Name: "x-path", Value: "request.path"}, {Name: "x-sub", Value: "identity.subject"}}},
		Metadata: map[string]v1alpha1.Expression{"query": "request.query", "headers": "request.headers", "path": "request.path", "identity": "identity.claims", "context": "context"},
	}
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	token := tokenOf(t, idp)
	decide := func(i int) authz.Decision {
		raw := get("api.example.com", fmt.Sprintf("/v1/%d?a=%d&b=x%%20y&c=%d", i, i, i), header("x-a", fmt.Sprint("value ", i)), header("x_sub", "forged"), header("accept", "*/*"))
		raw.ContextExtensions = map[string]string{"n": fmt.Sprint(i)}
		switch i % 4 {
		case 0:
			raw.Headers = append(raw.Headers, header("authorization", "Bearer "+token))
		case 1:
			raw.Headers = append(raw.Headers, header("authorization", "Bearer bad"))
		case 2:
			raw.Path = "/%"
		}
		return e.Decide(t.Context(), raw)
	}
	shown := func(d authz.Decision) string {
		id := authz.Identity{}
		if d.Identity != nil {
			id = *d.Identity
		}
		d.Identity = nil
		return fmt.Sprintf("%+v %+v", d, id)
	}
	var all sync.WaitGroup
	for first := range 4 {
		all.Go(func() {
			var made []authz.Decision
			var was []string
			for i := range 100 {
				d := decide(first*1000 + i)
				made, was = append(made, d), append(was, shown(d))
			}
			for i, d := range made {
				if is := shown(d); is != was[i] {
					t.Errorf("expected %s, got %s", was[i], is)
				}
			}
		})
	}
	all.Wait()
}
