package attach_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// largeRoute is a route with 16 hostnames of its own and 128 matches.
func largeRoute(namespace string, number int, kind gatewayv1.PathMatchType) *gatewayv1.HTTPRoute {
	r := httpRoute(namespace, fmt.Sprint("r", number), "", "edge")
	r.CreationTimestamp = metav1.Unix(int64(number), 0)
	r.Spec.Hostnames = nil
	for i := range 16 {
		r.Spec.Hostnames = append(r.Spec.Hostnames, gatewayv1.Hostname(fmt.Sprintf("h%d.r%d.example.com", i, number)))
	}
	for i := range 2 {
		rule := gatewayv1.HTTPRouteRule{Name: new(gatewayv1.SectionName(fmt.Sprint("rule", i)))}
		for j := range 64 {
			rule.Matches = append(rule.Matches, gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: new(fmt.Sprintf("/%d/%d", i, 1000*number+j))}})
		}
		r.Spec.Rules = append(r.Spec.Rules, rule)
	}
	return r
}

// What a namespace's routes are beyond its share of the tables is not read. It is
// never decided wrongly, and the policies there are told.
func TestANamespaceHasNoMoreOfTheTablesThanItsShare(t *testing.T) {
	for kind, n := range map[gatewayv1.PathMatchType]int{gatewayv1.PathMatchPathPrefix: 1 << 16 / 2048, gatewayv1.PathMatchRegularExpression: 1 << 12 / 128} {
		objects := attach.Objects{Gateways: []*gatewayv1.Gateway{gateway("edge", "*.example.com")}}
		for i := range n + 1 {
			objects.HTTPRoutes = append(objects.HTTPRoutes, largeRoute("shop", i, kind))
		}
		objects.HTTPRoutes = append(objects.HTTPRoutes, largeRoute("bank", n+1, kind))
		last, within := fmt.Sprint("r", n), fmt.Sprint("r", n-1)
		policies := []attach.Policy{on("first", "HTTPRoute", "r0", ""), on("within", "HTTPRoute", within, "rule0"),
			on("over-0", "HTTPRoute", last, "rule0"), on("over-1", "HTTPRoute", last, "rule1")}
		a := attach.New(objects, policies, attach.Tenancy{})
		deciding(t, a, policies, "h3.r0.example.com", get("/0/0"), "first")
		deciding(t, a, policies, "h3."+within+".example.com", get(fmt.Sprint("/0/", 1000*(n-1))), "within")
		deciding(t, a, policies, "h3."+within+".example.com", get("/nothing"))
		deciding(t, a, policies, fmt.Sprintf("h3.r%d.example.com", n+1), get("/nothing")) // bank's
		deciding(t, a, policies, "h3."+last+".example.com", get("/nothing"), "over-0", "over-1")
		named, _ := a.Named(&authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: last, SectionName: "rule1"}, "h3."+last+".example.com")
		if got := deciders(a, policies, named); !slices.Equal(got, []string{"over-1"}) {
			t.Errorf("with the proxy's word: got %v", got)
		}
		for i, over := range []bool{false, false, true, true} {
			problems := a.Status(i).Problems()
			if said := len(problems) == 1 && problems[0].Severity == authz.Ambiguous && strings.Contains(problems[0].Message, "in all routes of a namespace, got "); said != over || len(problems) > 1 {
				t.Errorf("%s: got %v", policies[i].Name, problems)
			}
			if a.Status(i).Reason() != v1alpha1.ReasonAccepted {
				t.Errorf("%s: got %s", policies[i].Name, a.Status(i).Reason())
			}
		}
	}
}

// However many routes are over the bound, what each of them costs is its hostnames.
func TestRoutesOverTheBoundEnd(t *testing.T) {
	objects := attach.Objects{Gateways: []*gatewayv1.Gateway{gateway("edge", "*.example.com")}}
	for i := range 1000 {
		objects.HTTPRoutes = append(objects.HTTPRoutes, largeRoute("shop", i, gatewayv1.PathMatchPathPrefix))
	}
	policies := []attach.Policy{on("edge", "Gateway", "edge", "")}
	began := time.Now()
	a := attach.New(objects, policies, attach.Tenancy{})
	deciding(t, a, policies, "h3.r999.example.com", get("/nothing"), "edge")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	if p := a.Status(0).Problems(); len(p) != 1 || !strings.Contains(p[0].Message, "expected at most 65536 pairs of a match and a hostname on a listener in all routes of a namespace, got 2048000 in namespace shop") {
		t.Errorf("got %v", p)
	}
}
