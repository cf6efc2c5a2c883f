package crd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// everything is a policy that has one of everything.
func everything(t testing.TB) *v1alpha1.AgentAuthPolicy {
	t.Helper()
	_, p, strict := decode(t, readFile(t, "testdata/everything.yaml"))
	if len(strict) > 0 {
		t.Fatal(strict)
	}
	return p
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// accepted fails the test unless both gates take the manifest, and give it the
// same defaults.
func accepted(t *testing.T, data []byte) {
	t.Helper()
	if errs := refusals(acceptedByServer(t, data)); len(errs) > 0 {
		t.Errorf("expected Validate to accept it, got %v", errs)
	}
}

// acceptedByServer returns the policy with its defaults.
func acceptedByServer(t *testing.T, data []byte) *v1alpha1.AgentAuthPolicy {
	t.Helper()
	obj, policy, strict := decode(t, data)
	unknown, errs := serverGate(t).create(obj)
	if len(strict) > 0 || len(unknown) > 0 || len(errs) > 0 {
		t.Errorf("expected the API server to accept it, got %v %v %v", strict, unknown, errs)
	}
	full := validate.Default(policy)
	if diff := cmp.Diff(fromObject(t, obj), full); diff != "" {
		t.Errorf("the API server's defaults are -, Default's are +:\n%s", diff)
	}
	return full
}

func TestAPolicyThatHasEverythingIsAccepted(t *testing.T) {
	accepted(t, readFile(t, "testdata/everything.yaml"))
}

func TestAPolicyWithTargetsIsAccepted(t *testing.T) {
	accepted(t, readFile(t, "testdata/targets.yaml"))
}

func TestAPolicyThatHasEverythingOfAnMCPServerIsAccepted(t *testing.T) {
	accepted(t, readFile(t, "testdata/mcp.yaml"))
}

func TestEveryPolicyOfTheSamplesIsAccepted(t *testing.T) {
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("expected samples in config/samples, got %v %v", files, err)
	}
	for _, file := range files {
		decoder := yaml.NewDecoder(strings.NewReader(string(readFile(t, file))))
		for i := 0; ; i++ {
			var doc map[string]any
			if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if doc["kind"] != v1alpha1.Kind {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(file), i), func(t *testing.T) {
				data, err := yaml.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				accepted(t, data)
			})
		}
	}
}

// Whatever a policy leaves out, both gates fill in the same.
func TestDefaultsAreThoseOfTheAPIServer(t *testing.T) {
	g := serverGate(t)
	samples := append(invalidSamples(t, "", 1), invalidSamples(t, "compile-only", 1)...)
	for _, s := range samples {
		obj, policy, _ := decode(t, s.data)
		g.fill(obj)
		if diff := cmp.Diff(fromObject(t, obj), validate.Default(policy)); diff != "" {
			t.Errorf("%s: the API server's defaults are -, Default's are +:\n%s", s.name, diff)
		}
	}
}

// In a file an optional string that is there but empty counts as left out.
func TestAnEmptyStringIsRefusedInAClusterAndLeftOutInAFile(t *testing.T) {
	_, policy, _ := decode(t, readFile(t, "testdata/everything.yaml"))
	policy.Spec.Authentication.Methods[0].Basic.Realm = ""
	obj, fromFile, _ := decode(t, []byte(strings.Replace(
		string(readFile(t, "testdata/everything.yaml")), "realm: Orders & more", `realm: ""`, 1)))
	if _, errs := serverGate(t).create(obj); len(errs) != 1 {
		t.Errorf("expected the API server to refuse an empty realm, got %v", errs)
	}
	if diff := cmp.Diff(validate.Default(policy), validate.Default(fromFile)); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownFieldsAreRefusedWhereverTheyAre(t *testing.T) {
	g := serverGate(t)
	for path, change := range map[string]func(map[string]any){
		"spec.targets": func(o map[string]any) { o["spec"].(map[string]any)["targets"] = []any{} },
		"spec.audit":   func(o map[string]any) { o["spec"].(map[string]any)["audit"] = "Enforce" },
		"spec.Routes":  func(o map[string]any) { o["spec"].(map[string]any)["Routes"] = []any{} },
		"spec.authentication.methods[0].basic.user": func(o map[string]any) {
			methods := o["spec"].(map[string]any)["authentication"].(map[string]any)["methods"]
			methods.([]any)[0].(map[string]any)["basic"].(map[string]any)["user"] = "me"
		},
		"spec.authentication.methods[0].anonymous.scopes": func(o map[string]any) {
			methods := o["spec"].(map[string]any)["authentication"].(map[string]any)["methods"]
			methods.([]any)[0].(map[string]any)["anonymous"] = map[string]any{"scopes": []any{}}
		},
		"spec.routes[0].matches[0].path.prefix": func(o map[string]any) {
			route := o["spec"].(map[string]any)["routes"].([]any)[0].(map[string]any)
			route["matches"].([]any)[0].(map[string]any)["path"].(map[string]any)["prefix"] = "/"
		},
	} {
		t.Run(path, func(t *testing.T) {
			obj := toObject(t, everything(t))
			change(obj)
			raw, err := utiljson.Marshal(obj)
			if err != nil {
				t.Fatal(err)
			}
			if unknown, _ := g.create(obj); len(unknown) != 1 || unknown[0] != path {
				t.Errorf("API server: expected %s to be unknown, got %v", path, unknown)
			}
			if _, _, strict := decode(t, raw); len(strict) != 1 || !strings.Contains(strict[0].Error(), path) {
				t.Errorf("strict decoding: expected %s to be unknown, got %v", path, strict)
			}
		})
	}
}

// The API server's budget for all rules of one object is fixed. A policy is as
// large as etcd takes it, about 1.5 MiB.
func TestTheBiggestPolicyFitsTheBudgetOfTheRules(t *testing.T) {
	p := everything(t)
	spec := &p.Spec
	spec.Routes = nil
	for range 16 {
		r := v1alpha1.Route{}
		for i := range 16 {
			r.Hostnames = append(r.Hostnames, v1alpha1.Hostname(fmt.Sprintf("*.%d.%s", i, strings.Repeat("a", 240))))
		}
		for i := range 64 {
			path := fmt.Sprintf("/%d/", i)
			path += strings.Repeat("a", 1024-len(path))
			r.Matches = append(r.Matches, gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Value: &path}})
		}
		spec.Routes = append(spec.Routes, r)
	}
	long := strings.Repeat("a", 240)
	jwt := v1alpha1.Method{JWT: &v1alpha1.JWT{Issuer: "https://" + strings.Repeat("a", 2040), AnyAudience: true}}
	for i := range 8 {
		jwt.JWT.TokenTypes = append(jwt.JWT.TokenTypes, fmt.Sprintf("%d%s", i, strings.Repeat("a", 63)))
		jwt.JWT.From = append(jwt.JWT.From, v1alpha1.Place{Header: &v1alpha1.HeaderPlace{Name: fmt.Sprintf("%s%d", long, i)}})
	}
	spec.Authentication.Methods = nil
	for i := range 16 {
		jwt.Name = fmt.Sprintf("m%d", i)
		spec.Authentication.Methods = append(spec.Authentication.Methods, *jwt.DeepCopy())
	}
	denial := &v1alpha1.Denial{}
	spec.Response.Upstream.Headers = nil
	for i := range 16 {
		name := fmt.Sprintf("%s%d", long, i)
		spec.Response.Upstream.Headers = append(spec.Response.Upstream.Headers, v1alpha1.UpstreamHeader{Name: name, Value: "''"})
		denial.Headers = append(denial.Headers, v1alpha1.DenialHeader{Name: name})
	}
	spec.Response.Unauthenticated, spec.Response.Unauthorized = denial, denial

	data, err := utiljson.Marshal(toObject(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) < 1_000_000 || len(data) > 1_500_000 {
		t.Errorf("expected a policy that is about as large as etcd takes, got %d bytes", len(data))
	}
	// No rule of the schema counts pairs of hostnames and matches; nothing else is wrong.
	if errs := refusals(acceptedByServer(t, data)); len(errs) != 1 || !strings.Contains(errs[0].Message, "pairs of a hostname and a match in a policy, got 16384") {
		t.Errorf("expected Validate to refuse the number of entries alone, got %v", errs)
	}
}
