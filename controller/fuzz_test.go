package controller

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/limit"
	"github.com/agentauth-dev/agentauth/authz/password"
)

// nobody is a key set that is never fetched.
type nobody struct{ jwks.Set }

func (nobody) Start()                 {}
func (nobody) Close()                 {}
func (nobody) Ready() <-chan struct{} { return nil }
func (nobody) Status() jwks.Status    { return jwks.Status{} }

func (nobody) Lookup(context.Context, string, string) ([]jwks.Key, error) { return nil, nil }

// FuzzWhateverAClusterHolds: no object, whatever its fields are, keeps the
// others out of force or leaves its policy without conditions. The schema
// refuses most of these; a cluster may have had another one.
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
	neighbour := policy("neighbour", "1", 1)
	neighbour.Namespace = "somewhere-else"
	neighbour.Spec = v1alpha1.PolicySpec{
		Routes:         []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{"neighbour.agentauth.example"}}},
		Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{{Name: "public", Anonymous: &v1alpha1.Anonymous{}}}},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newStore()
		s.put(neighbour)
		for _, o := range []any{&v1alpha1.AgentAuthPolicy{}, &corev1.Secret{}, &corev1.ConfigMap{}} {
			if yaml.Unmarshal(data, o) != nil {
				continue
			}
			kept, err := slim(o)
			if err != nil {
				t.Fatal(err)
			}
			s.put(kept)
		}
		slow := limit.New(1, 1)
		e := engine.New(engine.Deps{Passwords: password.New(slow, password.Options{}), Slow: slow,
			Remote: func(engine.RemoteSource) engine.RemoteKeys { return nobody{} }}, engine.Options{})
		snapshot, reports := e.Compile(s.input())
		e.Swap(snapshot)
		for _, r := range reports {
			if next, _ := merge(nil, r.Conditions, metav1.Now()); len(next) != 3 {
				t.Errorf("expected three conditions, got %v", next)
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
