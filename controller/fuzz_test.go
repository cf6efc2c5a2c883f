package controller

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// nobody is a key set that is never fetched.
type nobody struct{ jwks.Set }

func (nobody) Start()                 {}
func (nobody) Close()                 {}
func (nobody) Ready() <-chan struct{} { return nil }
func (nobody) Status() jwks.Status    { return jwks.Status{} }

func (nobody) Lookup(context.Context, string, string) ([]jwks.Key, error) { return nil, nil }
func (nobody) Renewed(context.Context, string, string, []jwks.Key) ([]jwks.Key, error) {
	return nil, jwks.ErrUnknownKey
}

func newEngine() *engine.Engine {
	scheduler := work.New(work.Options{Slots: 1})
	return engine.New(engine.Deps{Passwords: password.New(scheduler, password.Options{}), Scheduler: scheduler,
		Remote: engine.Remote{Keys: func(engine.RemoteSource) engine.RemoteKeys { return nobody{} }}}, engine.Options{})
}

// grantTexts are ReferenceGrants of which the first two are the borrower's.
var grantTexts = []string{
	`{metadata: {name: g, namespace: vault}, spec: {from: [{group: agentauth.dev, kind: AgentAuthPolicy, namespace: somewhere-else}], to: [{group: "", kind: Secret}]}}`,
	`{metadata: {name: g, namespace: vault}, spec: {from: [{group: agentauth.dev, kind: AgentAuthPolicy, namespace: somewhere-else}], to: [{kind: ConfigMap}, {kind: Secret, name: treasure}]}}`,
	`{metadata: {name: g, namespace: vault}, spec: {from: [{group: agentauth.dev, kind: AgentAuthPolicy, namespace: shop}], to: [{kind: Secret, name: treasure}]}}`,
	`{metadata: {name: g, namespace: somewhere-else}, spec: {from: [{group: agentauth.dev, kind: AgentAuthPolicy, namespace: somewhere-else}], to: [{kind: Secret}]}}`,
	`{metadata: {name: g, namespace: vault}, spec: {from: [{}], to: [{kind: Secret, name: ""}]}}`,
}

// grantsTreasure is what Gateway API says of a grant, for the borrower.
func grantsTreasure(g *gatewayv1.ReferenceGrant) bool {
	return g.Namespace == "vault" &&
		slices.ContainsFunc(g.Spec.From, func(f gatewayv1.ReferenceGrantFrom) bool {
			return f == gatewayv1.ReferenceGrantFrom{Group: "agentauth.dev", Kind: "AgentAuthPolicy", Namespace: "somewhere-else"}
		}) && slices.ContainsFunc(g.Spec.To, func(to gatewayv1.ReferenceGrantTo) bool {
		return to.Group == "" && to.Kind == "Secret" && (to.Name == nil || *to.Name == "treasure")
	})
}

// FuzzWhateverAClusterHolds: no object, whatever its fields are, keeps the
// others out of force, leaves its policy without conditions, or grants more
// than it says. The schema refuses most of these; a cluster may have had
// another one.
func FuzzWhateverAClusterHolds(f *testing.F) {
	files, err := filepath.Glob("../testdata/invalid/*.yaml")
	samples, err2 := filepath.Glob("../config/samples/*.yaml")
	if err != nil || err2 != nil || len(files) < 100 || len(samples) == 0 {
		f.Fatalf("expected manifests to begin with, got %d and %d: %v %v", len(files), len(samples), err, err2)
	}
	for _, file := range append(files, samples...) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(data), "\n---\n") {
			f.Add([]byte(doc))
		}
	}
	for _, text := range grantTexts {
		f.Add([]byte(text))
	}
	borrower := policy("borrower", "2", 1)
	borrower.Namespace = "somewhere-else"
	borrower.Spec = v1alpha1.PolicySpec{
		Routes: []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{"borrower.agentauth.example"}}},
		Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{{Name: "staff", Basic: &v1alpha1.Basic{
			Users: v1alpha1.Users{SecretRef: v1alpha1.ObjectKeyReference{Name: "treasure", Namespace: "vault"}}}}}},
	}
	neighbour := policy("neighbour", "1", 1)
	neighbour.Namespace = "somewhere-else"
	neighbour.Spec = v1alpha1.PolicySpec{
		Routes:         []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{"neighbour.agentauth.example"}}},
		Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{{Name: "public", Anonymous: &v1alpha1.Anonymous{}}}},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		policies, grant := newObjects(), &gatewayv1.ReferenceGrant{}
		policies.put(t, neighbour)
		policies.put(t, borrower)
		all := []objects{policies, newObjects(), newObjects(), newObjects()} // one for each kind
		for i, o := range []any{&v1alpha1.AgentAuthPolicy{}, &corev1.Secret{}, &corev1.ConfigMap{}, grant} {
			if yaml.Unmarshal(data, o) != nil {
				if o == any(grant) {
					*grant = gatewayv1.ReferenceGrant{} // what was read until then is not put
				}
				continue
			}
			all[i].kind = o.(client.Object)
			all[i].put(t, o)
		}
		e := newEngine()
		snapshot, reports := e.Compile(inputOf(all...))
		e.Swap(snapshot)
		for _, r := range reports {
			refused := strings.Contains(r.Conditions[2].Message, "no ReferenceGrant")
			if r.Policy == nameOf(borrower) && !strings.Contains(string(data), "borrower") && refused == grantsTreasure(grant) {
				t.Errorf("granted: %t, and the condition is %+v", grantsTreasure(grant), r.Conditions[2])
			}
			if next, _ := merge(nil, r.Conditions, metav1.Now()); len(next) != 4 {
				t.Errorf("expected four conditions, got %v", next)
			}
			for _, c := range r.Conditions {
				if c.Reason == "" || c.Message == "" || c.Status == "" || len(c.Message) > 32768 {
					t.Errorf("no API server takes the condition %+v", c)
				}
			}
		}
		if strings.Contains(string(data), "agentauth.example") {
			return // a claim of the neighbour's host, perhaps
		}
		d := e.Decide(t.Context(), authz.Raw{Method: "GET", Scheme: "https", Host: "neighbour.agentauth.example", Path: "/"})
		if d.Outcome != authz.Allow && !strings.Contains(string(data), "*") {
			t.Errorf("the neighbour is not in force any more: %s %s", d.Reason, d.Detail)
		}
	})
}

// FuzzWhateverAnAPIServerSends: no object in a list, whatever it is, keeps the
// other objects of any kind from being read.
func FuzzWhateverAnAPIServerSends(f *testing.F) {
	for _, k := range oddKinds {
		everyOddObject(k.good, k.odd, func(_, object string) { f.Add([]byte("{" + object + "}")) }, func(_, object string) { f.Add([]byte("{" + object + "}")) })
	}
	for _, text := range []string{"5", "null", "[]", `""`, "{}", `{"metadata":5}`, `{"metadata":{"name":"n"},"metadata":7}`, `{"Metadata":{"name":"n"}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return // of no API server
		}
		for _, v := range versions() {
			if _, builtIn := v.object.(interface{ Marshal() ([]byte, error) }); builtIn {
				continue // not sent as JSON
			}
			const before, after = `{"metadata":{"name":"before","namespace":"shop"},"spec":{}}`, `{"metadata":{"name":"after","namespace":"shop"},"spec":{}}`
			list := &receivedList{}
			if err := json.Unmarshal([]byte(`{"items":[`+before+","+string(data)+","+after+`]}`), list); err != nil {
				t.Fatalf("%T: %v", v.object, err)
			}
			o := newObjects()
			o.kind = v.object
			for i := range list.Items {
				o.put(t, &list.Items[i])
			}
			for _, key := range []string{"shop/before", "shop/after"} {
				if i := o.get(key); i == nil || i.unreadable != "" && !strings.Contains(string(data), "before") && !strings.Contains(string(data), "after") {
					t.Errorf("%T: %s is not read: %+v", v.object, key, i)
				}
			}
			_ = o.input()
			for _, i := range o.items.List() {
				for _, c := range mustMerge(i.(*item)) {
					if !json.Valid(c) {
						t.Errorf("%s cannot be written", c)
					}
				}
			}
		}
	})
}

// mustMerge is what would be written as ancestors.
func mustMerge(i *item) []jsontext.Value {
	r := &engine.Report{Ancestors: []gatewayv1.PolicyAncestorStatus{ours("edge", metav1.Time{})}, Conditions: report(1)[0].Conditions}
	out, _, _ := mergeAncestors(i.status.Ancestors, r, noon)
	return out
}
