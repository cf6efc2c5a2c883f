package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func sentAs(t *testing.T, text string) *received {
	t.Helper()
	r := &received{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// twoSpecs are of each kind of Gateway API, as a CRD with a field and one without
// it serve them.
var twoSpecs = map[string][2]string{
	"httproutes":      {`{"rules":[{"name":"admin"}]}`, `{"rules":[{}]}`},
	"grpcroutes":      {`{"rules":[{"name":"admin"}]}`, `{"rules":[{}]}`},
	"gateways":        {`{"gatewayClassName":"c","listeners":[{"name":"a","hostname":"a.example.com"}]}`, `{"gatewayClassName":"c","listeners":[{"name":"a"}]}`},
	"listenersets":    {`{"parentRef":{"name":"g"},"listeners":[{"name":"a","hostname":"a.example.com"}]}`, `{"parentRef":{"name":"g"},"listeners":[{"name":"a"}]}`},
	"referencegrants": {`{"to":[{"kind":"Secret","name":"s"}]}`, `{"to":[{"kind":"Secret"}]}`},
}

// A CRD of another release that takes out a field changes no generation, and
// neither does the CRD that brings it back.
func TestASpecOfAnyKindThatChangesInOneGenerationIsTaken(t *testing.T) {
	if want := len(optional) - 1; len(twoSpecs) != want { // of GatewayClasses no spec is read
		t.Fatalf("expected specs of %d kinds, got %d", want, len(twoSpecs))
	}
	object := func(t *testing.T, spec, version string) *received {
		return sentAs(t, `{"metadata":{"name":"o","namespace":"shop","uid":"1","generation":1,"resourceVersion":"`+version+`"},"spec":`+spec+`}`)
	}
	for resource, specs := range twoSpecs {
		for _, v := range optional[resource+".gateway.networking.k8s.io"] {
			t.Run(resource+" "+v.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { inOneGeneration(t, v.object, specs, object) })
			})
		}
	}
}

func inOneGeneration(t *testing.T, kind client.Object, specs [2]string, object func(*testing.T, string, string) *received) {
	o := newObjects()
	o.kind = kind
	put := map[string]func(string) error{
		"watched": func(spec string) error { return o.Update(object(t, spec, "5")) },
		"listed":  func(spec string) error { return o.Replace([]any{object(t, spec, "5")}, "") },
		"read again": func(spec string) error {
			o.from = &toolscache.ListWatch{ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
				return &receivedList{Items: []received{*object(t, spec, "5")}}, nil
			}}
			return o.reread(t.Context())
		},
	}
	if err := o.Replace([]any{object(t, specs[0], "5")}, ""); err != nil {
		t.Fatal(err)
	}
	told(o.changed)
	for way, put := range put {
		for i, step := range []struct {
			spec string
			want bool
		}{{specs[0], false}, {specs[1], true}, {specs[1], false}, {specs[0], true}} {
			if err := put(step.spec); err != nil || told(o.changed) != step.want {
				t.Errorf("%s, step %d: expected a signal: %t, error %v", way, i, step.want, err)
			}
		}
	}
}

// definitionOf is a CRD as the API server sends it; its schema has a field.
func definitionOf(t *testing.T, resource, version, field string) *received {
	return sentAs(t, fmt.Sprintf(`{"metadata":{"name":"%s.gateway.networking.k8s.io","resourceVersion":"1"},
		"spec":{"versions":[{"name":%q,"served":true,"schema":{"openAPIV3Schema":{"properties":{%q:{}}}}}]},"status":{"conditions":[{"type":"Established","status":"True"}]}}`,
		resource, version, field))
}

func TestEachKindIsReadAgainAndAgainAfterItsCRDChanged(t *testing.T) {
	for resource := range twoSpecs {
		server := &apiServer{streams: true, kind: optional[resource+".gateway.networking.k8s.io"][0].object}
		others := &apiServer{streams: true, kind: policy("", "", 0)}
		inCluster(t, apiServers{resource: server, "agentauthpolicies": others}, func(k *kinds) {
			install := func(field string) {
				if err := k.inForce(allCRDs)[0].Update(definitionOf(t, resource, "v1", field)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			install("name")
			time.Sleep(time.Hour)
			synctest.Wait()
			if len(server.listed) != 0 {
				t.Errorf("%s: what was read by this CRD is read again", resource)
			}
			for n, field := range []string{"other", "name"} {
				start := time.Now()
				install(field)
				time.Sleep(time.Hour)
				synctest.Wait()
				var after []string
				for _, at := range server.listed[n*len(rereadAfter):] {
					after = append(after, at.Sub(start).String())
				}
				if got := strings.Join(after, " "); got != "0s 1s 6s 36s 2m36s" {
					t.Errorf("%s: got %s", resource, got)
				}
			}
			synctest.Wait()
			before := len(server.listed)
			install("another")
			time.Sleep(2 * time.Second)
			install("and another") // before the first was done
			time.Sleep(time.Hour)
			synctest.Wait()
			if n := len(server.listed) - before; n != 2+len(rereadAfter) {
				t.Errorf("%s: expected the last change to be followed alone, got %d lists", resource, n)
			}
			if len(others.listed) != 0 {
				t.Errorf("%s: other kinds were read again", resource)
			}
		})
	}
}
