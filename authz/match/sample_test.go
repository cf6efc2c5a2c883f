package match

import (
	"math/rand/v2"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
)

// asked is a Headers of a sample.
type asked []Field

func (a asked) Read(name string) authz.Reading {
	for _, f := range a {
		if f.Name == name {
			return authz.Reading{Value: f.Value, Came: true}
		}
	}
	return authz.Reading{}
}

// finds says whether the entry is found by one of its samples.
func finds(t *testing.T, e Entry) bool {
	t.Helper()
	x := mustBuild(t, []Entry{e})
	for s := range Samples(SampleHost(e.Hostname), e.Match) {
		if x.Lookup(s.Host, View{Method: s.Method, Path: s.Path, Query: s.Query, Headers: asked(s.Headers)}).found != nil {
			return true
		}
	}
	return false
}

func TestEachEntryIsFoundByASampleOfItsOwn(t *testing.T) {
	for _, pattern := range []string{"/.*", ".*", "/[a-z]+/x", "/(v1|v2)/.*", "/v[0-9]{1,3}", "/a?b*c+", "(/[^/]+){3}", "/\\d+-\\w", "/[^a-z0-9_-]", "(?i)/Admin", "/x\\.y", "/(|a)", "[/]v1", "/..x"} {
		if e := (Entry{Hostname: "*", Match: gatewayv1.HTTPRouteMatch{Path: pathMatch("RegularExpression", pattern)}}); Check(e) == nil && !finds(t, e) {
			t.Errorf("%s: no sample finds it", pattern)
		}
	}
	for _, line := range []string{"0 a.test", "0 *.a.test exact:/a/", "0 * prefix:/a/", "0 a.test prefix:/ GET header:x=1 query:q=1", "0 a.test regex:/[a-z]+ header~:x=[a-z]{3} query~:q=[0-9]+"} {
		if e := entry(t, line); !finds(t, e) {
			t.Errorf("%s: no sample finds it", line)
		}
	}
	d := rand.New(rand.NewPCG(1, 5))
	for range 200 {
		if e := randomEntry(d, 0); !finds(t, e) {
			t.Errorf("%+v: no sample finds it", e)
		}
	}
}
