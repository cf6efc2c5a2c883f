package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// serveAPI streams collections, by path: first what objects have in common, then the objects.
func serveAPI(t *testing.T, objects map[string][]string) (url string, asked func() []string) {
	var mu sync.Mutex
	var queries []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, ok := objects[r.URL.Path]
		if !ok || r.URL.Query().Get("watch") == "" {
			http.NotFound(w, r)
			return
		}
		mu.Lock()
		queries = append(queries, fmt.Sprintf("%s labels=%s initial=%s", r.URL.Path, r.URL.Query().Get("labelSelector"), r.URL.Query().Get("sendInitialEvents")))
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		for _, o := range list[1:] {
			fmt.Fprintf(w, `{"type":"ADDED","object":{%s,%s}}`+"\n", list[0], o)
		}
		fmt.Fprintf(w, `{"type":"BOOKMARK","object":{%s,"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n", list[0])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Sorted(slices.Values(queries))
	}
}

// kindOf are objects of a kind.
func kindOf(apiVersion, kind string, objects ...string) []string {
	return append([]string{fmt.Sprintf(`"apiVersion":%q,"kind":%q`, apiVersion, kind)}, objects...)
}

func TestAClusterIsWatchedAndOfItsSecretsThoseThatAreLabelled(t *testing.T) {
	const gateway = "gateway.networking.k8s.io"
	var crds []string
	for _, kind := range []string{"httproutes", "gatewayclasses"} {
		data, err := json.Marshal(crd(kind, "True", "v1"))
		if err != nil {
			t.Fatal(err)
		}
		crds = append(crds, string(data[1:len(data)-1]))
	}
	url, asked := serveAPI(t, map[string][]string{
		"/apis/agentauth.dev/v1alpha1/namespaces/shop/agentauthpolicies": kindOf("agentauth.dev/v1alpha1", "AgentAuthPolicy",
			`"metadata":{"name":"p","namespace":"shop","resourceVersion":"3"},"spec":{"quota":1}`),
		"/api/v1/namespaces/shop/secrets": kindOf("v1", "Secret",
			`"metadata":{"name":"s","namespace":"shop","resourceVersion":"4","labels":{"agentauth.dev/use":"api-key"}},"data":{"a":"c2VjcmV0"}`),
		"/api/v1/namespaces/shop/configmaps":                      kindOf("v1", "ConfigMap", `"metadata":{"name":"c","namespace":"shop"}`),
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions": kindOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", crds...),
		"/api/v1/namespaces/agentauth-system/configmaps": kindOf("v1", "ConfigMap",
			`"metadata":{"name":"grants","namespace":"agentauth-system"},"data":{"shop":"*.shop.test"}`),
		"/apis/" + gateway + "/v1/gatewayclasses": kindOf(gateway+"/v1", "GatewayClass",
			`"metadata":{"name":"yes"},"status":{"conditions":[{"type":"Accepted","status":"True"}]}`,
			`"metadata":{"name":"no"},"status":{"conditions":[{"type":"Accepted","status":"False"},{"type":"SupportedVersion","status":"True"}]}`,
			`"metadata":{"name":"new"}`),
		"/apis/" + gateway + "/v1/namespaces/shop/httproutes": kindOf(gateway+"/v1", "HTTPRoute", `"metadata":{"name":"r","namespace":"shop"}`),
		"/api/v1/namespaces": kindOf("v1", "Namespace", `"metadata":{"name":"shop","labels":{"a":"b"}}`),
	})
	loaded := make(chan engine.Input, 100)
	c, err := New(Config{
		REST: &rest.Config{Host: url}, Namespaces: []string{"shop", "shop"},
		LeaseNamespace: "agentauth-system", Identity: "one", Log: slog.New(slog.DiscardHandler),
		Load: func(_ context.Context, in engine.Input) ([]engine.Report, bool) { loaded <- in; return nil, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	if age := c.Age(); age <= 0 {
		t.Errorf("nothing is watched yet, got age %s", age)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	select {
	case in := <-loaded:
		if len(in.Policies) != 1 || len(in.Secrets) != 1 || len(in.ConfigMaps) != 1 || len(in.HTTPRoutes) != 1 || len(in.Namespaces) != 1 {
			t.Errorf("got %+v", in)
		} else if !slices.Equal(in.Policies[0].Spec.Unread, []string{"spec.quota"}) || in.Namespaces[0].Labels["a"] != "b" {
			t.Errorf("got %+v and %+v", in.Policies[0], in.Namespaces[0])
		}
		classes := map[engine.GatewayClass]bool{}
		for _, c := range in.GatewayClasses {
			classes[c] = true
		}
		if !reflect.DeepEqual(classes, map[engine.GatewayClass]bool{{Name: "yes", Accepted: true}: true, {Name: "no"}: true, {Name: "new"}: true}) {
			t.Errorf("got classes %v", classes)
		}
		if len(in.HostnameGrants) != 1 || string(in.HostnameGrants[0].Data["shop"]) != "*.shop.test" {
			t.Errorf("got grants %v", in.HostnameGrants)
		}
		everywhere := map[string]bool{}
		for _, r := range in.Revocations { // the server looks at no labels
			everywhere[r.Namespace+"/"+r.Name] = r.Everywhere
		}
		if !reflect.DeepEqual(everywhere, map[string]bool{"agentauth-system/grants": true, "shop/c": false}) {
			t.Errorf("expected the revocations of agentauth's own namespace to hold everywhere, and no others, got %v", everywhere)
		}
	case <-ctx.Done():
		t.Fatalf("nothing was loaded; asked for: %q", asked())
	}
	if age := c.Age(); age != 0 {
		t.Errorf("expected everything to be watched, got age %s", age)
	}
	want := []string{
		"/api/v1/namespaces labels= initial=true",
		"/api/v1/namespaces/agentauth-system/configmaps labels=agentauth.dev/use=hostname-grants initial=true",
		"/api/v1/namespaces/agentauth-system/configmaps labels=agentauth.dev/use=revocations initial=true",
		"/api/v1/namespaces/shop/configmaps labels=agentauth.dev/use in (ca,jwks) initial=true",
		"/api/v1/namespaces/shop/configmaps labels=agentauth.dev/use=revocations initial=true",
		"/api/v1/namespaces/shop/secrets labels=agentauth.dev/use in (api-key,basic,ca,client,hmac,jwks,provider,signing) initial=true",
		"/apis/agentauth.dev/v1alpha1/namespaces/shop/agentauthpolicies labels= initial=true",
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions labels= initial=true",
		"/apis/" + gateway + "/v1/gatewayclasses labels= initial=true",
		"/apis/" + gateway + "/v1/namespaces/shop/httproutes labels= initial=true",
	}
	if got := asked(); !slices.Equal(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
