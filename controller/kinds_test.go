package controller

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// crd has versions that are served, and others, which begin with "-".
func crd(kind string, status crdv1.ConditionStatus, versions ...string) *crdv1.CustomResourceDefinition {
	out := &crdv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: kind + ".gateway.networking.k8s.io"},
		Status:     crdv1.CustomResourceDefinitionStatus{Conditions: []crdv1.CustomResourceDefinitionCondition{{Type: crdv1.Established, Status: status}}},
	}
	for _, v := range versions {
		name, not := strings.CutPrefix(v, "-")
		out.Spec.Versions = append(out.Spec.Versions, crdv1.CustomResourceDefinitionVersion{Name: name, Served: !not, Schema: &crdv1.CustomResourceValidation{}})
	}
	return out
}

func TestAKindIsFollowedOnceItIsEstablishedAndServedAsItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		crd  *crdv1.CustomResourceDefinition
		want string
	}{
		"established":                    {crd("gateways", "True", "v1"), "v1"},
		"not yet":                        {crd("gateways", "False", "v1"), ""},
		"not served":                     {crd("gateways", "True", "-v1"), ""},
		"another version":                {crd("gateways", "True", "v1beta1"), ""},
		"grants of both versions":        {crd("referencegrants", "True", "v1beta1", "v1"), "v1 v1beta1"},
		"grants of an older Gateway API": {crd("referencegrants", "True", "v1alpha2", "v1beta1"), "v1beta1"},
		"grants of a newer one":          {crd("referencegrants", "True", "v1", "-v1beta1"), "v1"},
		"grants that are not there yet":  {crd("referencegrants", "False", "v1", "v1beta1"), ""},
		"another kind":                   {crd("udproutes", "True", "v1"), ""},
	} {
		var got []string
		for _, v := range served(slimCRD(c.crd).CustomResourceDefinition, optional[c.crd.Name]) {
			got = append(got, v.name)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s: expected %q, got %q", name, c.want, got)
		}
	}
	if slimCRD(crd("gateways", "True", "v1")).Spec.Versions[0].Schema != nil {
		t.Error("the schema of a CRD is kept")
	}
}

func TestOnlyWhatChangesWhoServesWhatIsCompiled(t *testing.T) {
	kinds := map[reflect.Type]objects{}
	var all []objects
	for _, v := range append(slices.Concat(slices.Collect(maps.Values(optional))...), version{"v1", &corev1.Namespace{}}) {
		o := newObjects()
		o.kind = v.object
		kinds[reflect.TypeOf(v.object)] = o
		all = append(all, o)
	}
	route := func(uid types.UID, generation int64) *gatewayv1.HTTPRoute {
		return &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: uid, Generation: generation}}
	}
	class := func(accepted metav1.ConditionStatus) *gatewayv1.GatewayClass {
		return &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "proxy"}, Status: gatewayv1.GatewayClassStatus{
			Conditions: []metav1.Condition{{Type: "Accepted", Status: accepted}}}}
	}
	namespace := func(labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
	}
	for i, step := range []struct {
		object client.Object
		want   bool
	}{
		{route("1", 1), true}, {route("1", 1), false}, {route("1", 2), true}, {route("2", 2), true},
		{class("True"), true}, {class("True"), false}, {class("False"), true}, {class("True"), true},
		{namespace(nil), true}, {namespace(nil), false}, {namespace(map[string]string{"team": "a"}), true},
		{&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: "edge"}}, true}, {&gatewayv1.GRPCRoute{}, true}, {&gatewayv1.ListenerSet{}, true},
		{&gatewayv1.ReferenceGrant{}, true}, {&gatewayv1.ReferenceGrant{}, false}, {&gatewayv1beta1.ReferenceGrant{}, true},
	} {
		o := kinds[reflect.TypeOf(step.object)]
		o.put(t, step.object)
		if told(o.changed) != step.want {
			t.Errorf("step %d: expected a signal: %t", i, step.want)
		}
	}
	if in := inputOf(all...); len(in.HTTPRoutes) != 1 || len(in.GRPCRoutes) != 1 || len(in.Gateways) != 1 || len(in.ListenerSets) != 1 || len(in.ReferenceGrants) != 2 || !slices.Equal(in.GatewayClasses, []engine.GatewayClass{{Name: "proxy", Accepted: true}}) || in.Namespaces[0].Labels["team"] != "a" {
		t.Errorf("got %+v", in)
	}
	routes := kinds[reflect.TypeOf(route("2", 2))]
	if err := routes.Delete(route("2", 2)); err != nil || !told(routes.changed) || len(inputOf(all...).HTTPRoutes) != 0 {
		t.Errorf("expected it to be gone, error %v", err)
	}
}

// apiServers are of one kind in one version each.
type apiServers map[string]*apiServer

func (a apiServers) read(resource string, kind client.Object, _ string) (*toolscache.ListWatch, error) {
	name := resource
	if _, beta := kind.(*gatewayv1beta1.ReferenceGrant); beta {
		name += "/v1beta1"
	}
	if used, ok := kind.(usedMap); ok {
		name, kind = "configmaps."+used.use, used.ConfigMap
	}
	if a[name] == nil {
		a[name] = &apiServer{streams: true, kind: kind}
	}
	return a[name].listWatch(), nil
}

// inCluster runs kinds in a bubble, with what API servers have.
func inCluster(t *testing.T, a apiServers, f func(*kinds)) {
	synctest.Test(t, func(t *testing.T) {
		k, err := newKinds(Config{Log: slog.New(slog.DiscardHandler)}, a.read)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		if err := k.begin(ctx, &running); err != nil {
			t.Fatal(err)
		}
		running.Go(k.run)
		synctest.Wait()
		f(k)
		cancel()
		running.Wait()
		time.Sleep(2 * expiry) // timers
	})
}

// install makes a CRD known.
func (k *kinds) install(t *testing.T, c *crdv1.CustomResourceDefinition) {
	t.Helper()
	if err := k.inForce(allCRDs)[0].Update(c); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func grant(name string) *gatewayv1.ReferenceGrant {
	return &gatewayv1.ReferenceGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "identity", Name: name}}
}

func TestAKindIsInForceWhileItIsInstalledAndOnceItWasRead(t *testing.T) {
	grants := &apiServer{streams: true, silent: true, kind: grant(""), objects: []runtime.Object{grant("keys")}}
	inCluster(t, apiServers{"referencegrants": grants}, func(k *kinds) {
		if !hasSynced(k.inForce()) {
			t.Error("expected the required kinds to be read")
		}
		k.install(t, crd("referencegrants", "True", "v1"))
		if hasSynced(k.inForce()) || len(k.input().ReferenceGrants) != 0 {
			t.Error("expected nothing before all was read")
		}
		told(k.changed)
		grants.bring(grants.last())
		synctest.Wait()
		if !told(k.changed) || !hasSynced(k.inForce()) || len(k.input().ReferenceGrants) != 1 {
			t.Errorf("expected the grant, got %+v", k.input())
		}
		old := k.inForce("referencegrants.gateway.networking.k8s.io")[0]
		k.install(t, crd("referencegrants", "False", "v1"))
		if !told(k.changed) || len(k.input().ReferenceGrants) != 0 || !grants.last().IsStopped() {
			t.Errorf("expected the grant and its watch to go, got %+v", k.input())
		}
		if err := old.Update(grant("late")); err != nil || len(k.input().ReferenceGrants) != 0 {
			t.Error("what a stopped watch still brings is in force")
		}
		time.Sleep(time.Hour)
		if age := k.age(); age != 0 {
			t.Errorf("what is not installed is not watched, and has no age, got %s", age)
		}
		k.install(t, crd("referencegrants", "True", "v1"))
		if age := k.age(); age != 0 && age > time.Minute || len(k.input().ReferenceGrants) != 0 {
			t.Errorf("expected it to begin empty and now, got age %s and %+v", age, k.input())
		}
	})
}

// Nobody would tell that a grant is gone whose version is not watched any more.
func TestAGrantOfAVersionThatIsGoneIsNotInForceForEver(t *testing.T) {
	beta := (*gatewayv1beta1.ReferenceGrant)(grant("keys"))
	for name, readable := range map[string]bool{"it is never read": false, "it is read": true} {
		v1 := &apiServer{streams: true, silent: true, kind: grant("")}
		v1beta1 := &apiServer{streams: true, kind: beta, objects: []runtime.Object{beta}}
		inCluster(t, apiServers{"referencegrants/v1beta1": v1beta1, "referencegrants": v1}, func(k *kinds) {
			k.install(t, crd("referencegrants", "True", "v1beta1"))
			k.install(t, crd("referencegrants", "True", "v1", "-v1beta1"))
			if !v1beta1.last().IsStopped() {
				t.Errorf("%s: expected the watch of what is not served to be stopped", name)
			}
			time.Sleep(expiry - time.Second)
			if in := k.input(); len(in.ReferenceGrants) != 1 {
				t.Errorf("%s: expected the grant to stay until the new version was read, got %+v", name, in.ReferenceGrants)
			}
			told(k.changed)
			if readable { // and has no grants
				v1.bring(v1.last())
				synctest.Wait()
			} else {
				time.Sleep(2 * time.Second)
			}
			if in := k.input(); len(in.ReferenceGrants) != 0 || !told(k.changed) {
				t.Errorf("%s: expected the grant to go, got %+v", name, in.ReferenceGrants)
			}
		})
	}
}

func TestPoliciesAreReadAgainAndAgainAfterTheirCRDChanged(t *testing.T) {
	policies := &apiServer{streams: true, kind: &v1alpha1.AgentAuthPolicy{}}
	inCluster(t, apiServers{"agentauthpolicies": policies}, func(k *kinds) {
		own, older := builtFor(t), builtFor(t)
		delete(spec(older).Properties, "response")
		k.install(t, own)
		time.Sleep(time.Hour)
		if synctest.Wait(); len(policies.listed) != 0 {
			t.Error("what was read by this CRD is read again")
		}
		start := time.Now()
		k.install(t, older)
		time.Sleep(time.Hour)
		synctest.Wait()
		var after []time.Duration
		for _, at := range policies.listed {
			after = append(after, at.Sub(start))
		}
		const s = time.Second
		if want := []time.Duration{0, s, 6 * s, 36 * s, 156 * s}; !slices.Equal(after, want) {
			t.Errorf("expected policies to be read after %v, got %v", want, after)
		}
	})
}

func TestWithoutTheKindOfGatewayClassesTheInputSaysSoWhereThereAreGateways(t *testing.T) {
	inCluster(t, apiServers{}, func(k *kinds) {
		wants := func(when string, want bool) {
			t.Helper()
			if got := k.input().NoGatewayClasses; got != want {
				t.Errorf("%s: expected %t, got %t", when, want, got)
			}
		}
		wants("without Gateway API", false)
		k.install(t, crd("gateways", "True", "v1"))
		wants("with Gateways alone", true)
		k.install(t, crd("gatewayclasses", "True", "v1beta1"))
		wants("with classes of an older version", true)
		k.install(t, crd("gatewayclasses", "True", "v1"))
		wants("with both", false)
		k.install(t, crd("gatewayclasses", "False", "v1"))
		wants("with classes that are gone", true)
	})
}

func TestTheInputNamesTheKindsOfTargetsThatAreNotInstalled(t *testing.T) {
	inCluster(t, apiServers{}, func(k *kinds) {
		if got := fmt.Sprint(k.input().Absent); got != "[GRPCRoute Gateway HTTPRoute]" {
			t.Errorf("got %s", got)
		}
		k.install(t, crd("httproutes", "True", "v1"))
		if got := fmt.Sprint(k.input().Absent); got != "[GRPCRoute Gateway]" {
			t.Errorf("got %s", got)
		}
		k.install(t, crd("httproutes", "False", "v1"))
		if got := fmt.Sprint(k.input().Absent); got != "[GRPCRoute Gateway HTTPRoute]" {
			t.Errorf("got %s", got)
		}
	})
}

func TestWhereTheOperatorNamesClassesNoneIsRead(t *testing.T) {
	a := apiServers{}
	inCluster(t, a, func(k *kinds) {
		k.classesNamed = true
		k.install(t, crd("gateways", "True", "v1"))
		k.install(t, crd("gatewayclasses", "True", "v1"))
		if k.input().NoGatewayClasses || a["gatewayclasses"] != nil || a["gateways"] == nil {
			t.Error("expected Gateways to be read and no classes")
		}
	})
}

// Whoever may write ConfigMaps elsewhere grants nothing.
func TestOnlyConfigMapsOfItsOwnNamespaceGrantHostnames(t *testing.T) {
	grants := func(namespace string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "grants",
			Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseHostnameGrants}}, Data: map[string]string{"shop": "*"}}
	}
	inCluster(t, apiServers{}, func(k *kinds) {
		if err := k.inForce("configmaps")[0].Update(grants("evil")); err != nil || len(k.input().HostnameGrants) != 0 {
			t.Errorf("a ConfigMap of another namespace grants %v, error %v", k.input().HostnameGrants, err)
		}
		own := k.inForce(hostGrants)
		told(k.changed)
		if err := own[0].Update(grants("agentauth-system")); err != nil || len(own) != 1 || len(k.input().HostnameGrants) != 1 || !told(k.changed) {
			t.Errorf("expected one ConfigMap of grants at once, got %v, error %v", k.input().HostnameGrants, err)
		}
		changed := grants("agentauth-system")
		changed.Data["shop"] = "shop.test"
		if err := own[0].Update(changed); err != nil || !told(k.changed) || string(k.input().HostnameGrants[0].Data["shop"]) != "shop.test" {
			t.Errorf("expected the change, got %v, error %v", k.input().HostnameGrants, err)
		}
		if err := own[0].Delete(changed); err != nil || !told(k.changed) || len(k.input().HostnameGrants) != 0 {
			t.Errorf("expected the grants to go, got %v, error %v", k.input().HostnameGrants, err)
		}
	})
}
