package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// oddAPI is an API server that lists and watches whatever JSON there is.
type oddAPI struct {
	streams bool // sends what there is in a watch
	url     string

	mu       sync.Mutex
	objects  map[string][]string // by path, first what the objects have in common
	watchers map[string][]chan string
}

func newOddAPI(t *testing.T, streams bool, objects map[string][]string) *oddAPI {
	a := &oddAPI{streams: streams, objects: objects, watchers: map[string][]chan string{}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *oddAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	list, ok := a.objects[r.URL.Path]
	events := make(chan string, 1000)
	watching := r.URL.Query().Get("watch") != ""
	initial := r.URL.Query().Get("sendInitialEvents") != ""
	if watching && (!initial || a.streams) {
		a.watchers[r.URL.Path] = append(a.watchers[r.URL.Path], events)
	}
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !ok:
		http.NotFound(w, r)
	case !watching:
		items := make([]string, 0, len(list))
		for _, o := range list[1:] {
			items = append(items, "{"+list[0]+","+o+"}")
		}
		fmt.Fprintf(w, `{%s,"metadata":{"resourceVersion":"9"},"items":[%s]}`, strings.TrimSuffix(list[0], `"`)+`List"`, strings.Join(items, ","))
	case initial && !a.streams:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
	default:
		for _, o := range list[1:] {
			if initial {
				fmt.Fprintf(w, `{"type":"ADDED","object":{%s,%s}}`+"\n", list[0], o)
			}
		}
		fmt.Fprintf(w, `{"type":"BOOKMARK","object":{%s,"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n", list[0])
		for w.(http.Flusher).Flush(); ; w.(http.Flusher).Flush() {
			select {
			case <-r.Context().Done():
				return
			case o := <-events:
				fmt.Fprintf(w, `{"type":"ADDED","object":{%s,%s}}`+"\n", list[0], o)
			}
		}
	}
}

// brings makes an object be there, and watches bring it.
func (a *oddAPI) brings(path string, objects ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[path] = append(a.objects[path], objects...)
	for _, w := range a.watchers[path] {
		for _, o := range objects {
			w <- o
		}
	}
}

// follow runs a cluster of the API server; loaded has the newest Input.
func (a *oddAPI) follow(t *testing.T) (c *Cluster, loaded func() engine.Input) {
	t.Helper()
	var mu sync.Mutex
	var last engine.Input
	c, err := New(Config{
		REST: &rest.Config{Host: a.url}, LeaseNamespace: "default", Identity: "one", Log: slog.New(slog.DiscardHandler),
		Load: func(_ context.Context, in engine.Input) ([]engine.Report, bool) {
			mu.Lock()
			defer mu.Unlock()
			last = in
			return nil, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c, func() engine.Input {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

// eventually polls until all is well, or says what is not.
func eventually(t *testing.T, problem func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for p := problem(); p != ""; p = problem() {
		if time.Now().After(deadline) {
			t.Fatal(p)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const gatewayPath, policiesPath = "/apis/gateway.networking.k8s.io/v1/", "/apis/agentauth.dev/v1alpha1/agentauthpolicies"

// oddKinds are the kinds that CRDs define, with the spec of a neighbour and specs
// that cannot be read.
var oddKinds = []struct {
	path, kind, good string
	odd              []string
	names            func(engine.Input) []string
}{
	{policiesPath, "AgentAuthPolicy", `{"routes":[{"hostnames":["a.example.com"]}],"authentication":{"methods":[{"name":"public","anonymous":{}}]}}`, nil,
		func(in engine.Input) (out []string) {
			for _, o := range in.Policies {
				out = append(out, o.Name)
			}
			return out
		}},
	{gatewayPath + "httproutes", "HTTPRoute", `{"hostnames":["a.example.com"]}`, []string{`{"hostnames":5}`, `{"rules":[{"matches":{"a":1}}]}`},
		func(in engine.Input) (out []string) {
			for _, o := range in.HTTPRoutes {
				out = append(out, o.Name)
			}
			return out
		}},
	{gatewayPath + "grpcroutes", "GRPCRoute", `{"hostnames":["a.example.com"]}`, []string{`{"hostnames":{}}`, `{"parentRefs":[{"port":"http"}]}`},
		func(in engine.Input) (out []string) {
			for _, o := range in.GRPCRoutes {
				out = append(out, o.Name)
			}
			return out
		}},
	{gatewayPath + "gateways", "Gateway", `{"gatewayClassName":"c"}`, []string{`{"listeners":[{"port":1.5}]}`, `{"gatewayClassName":{}}`},
		func(in engine.Input) (out []string) {
			for _, o := range in.Gateways {
				out = append(out, o.Name)
			}
			return out
		}},
	{gatewayPath + "listenersets", "ListenerSet", `{"parentRef":{"name":"g"}}`, []string{`{"parentRef":[]}`, `{"listeners":"all"}`},
		func(in engine.Input) (out []string) {
			for _, o := range in.ListenerSets {
				out = append(out, o.Name)
			}
			return out
		}},
	{gatewayPath + "referencegrants", "ReferenceGrant", `{"to":[{"kind":"Secret"}]}`, []string{`{"from":"anybody"}`, `{"to":[7]}`},
		func(in engine.Input) (out []string) {
			for _, o := range in.ReferenceGrants {
				out = append(out, o.Name)
			}
			return out
		}},
}

// oddSpecs are those of no kind.
var oddSpecs = []string{`"text"`, `[1]`, `7`, `true`}

var oddStatuses = []string{
	`"text"`, `5`, `[]`, `null`, `{"conditions":{}}`, `{"conditions":[5]}`, `{"parents":7}`, `{"listeners":"x","addresses":3}`, `{"ancestors":{"a":1}}`,
	`{"conditions":[{"type":"X","status":"True","reason":"R","message":"","lastTransitionTime":"2024-01-01t00:00:00z"}]}`,
	`{"conditions":[{"type":"X","status":"True","reason":"R","message":"","lastTransitionTime":"2024-01-01T00:00:00+99:99"}]}`,
	`{"conditions":[{"type":7,"status":true,"observedGeneration":"1"}]}`,
	`{"parents":[{"conditions":[{"lastTransitionTime":"2024-01-01t00:00:00z"}]}]}`,
	`{"listeners":[{"conditions":[{"lastTransitionTime":"2024-01-01t00:00:00z"}],"attachedRoutes":"many"}]}`,
	`{"ancestors":[{"ancestorRef":{"name":"x"},"controllerName":"evil.example/x","conditions":[{"lastTransitionTime":"2024-01-01t00:00:00z"}]},8]}`,
}

var oddMetadata = []string{
	`"managedFields":[{"manager":"m","time":"2024-01-01t00:00:00z"}]`, `"managedFields":7`, `"ownerReferences":"x"`, `"finalizers":{}`,
	`"annotations":{"a":1}`, `"annotations":[]`, `"labels":5`, `"creationTimestamp":"2024-01-01t00:00:00z"`, `"generateName":1`, `"selfLink":[]`, `"later":1`,
}

// everyOddObject are objects of a kind: those that are read all the same, and
// those that cannot be.
func everyOddObject(good string, odd []string, read func(name, object string), leftOut func(name, object string)) {
	meta := func(name, more string) string {
		return fmt.Sprintf(`"metadata":{"name":%q,"namespace":"shop","uid":%q,"resourceVersion":"5"%s}`, name, name, more)
	}
	for i, status := range oddStatuses {
		name := fmt.Sprint("status-", i)
		read(name, meta(name, "")+`,"spec":`+good+`,"status":`+status)
	}
	for i, m := range oddMetadata {
		name := fmt.Sprint("metadata-", i)
		read(name, meta(name, ","+m)+`,"spec":`+good)
	}
	for i, spec := range append(slices.Clone(oddSpecs), odd...) {
		name := fmt.Sprint("spec-", i)
		leftOut(name, meta(name, "")+`,"spec":`+spec)
	}
	leftOut("", `"metadata":{"name":5,"namespace":"shop"},"spec":`+good)
}

func TestAnOddObjectIsLeftOutAndKeepsNoOtherOfAnyKindFromBeingRead(t *testing.T) {
	for way, streams := range map[string]bool{"listed": false, "streamed": true, "listed before, watched now": false, "streamed before, watched now": true} {
		t.Run(way, func(t *testing.T) {
			later := strings.Contains(way, "now")
			objects, then, want := map[string][]string{}, map[string][]string{}, map[string][]string{}
			left := 0
			for _, k := range oddKinds {
				apiVersion := strings.TrimPrefix(k.path[:strings.LastIndex(k.path, "/")], "/apis/")
				add := func(object string) { then[k.path] = append(then[k.path], object) }
				read := func(name, object string) {
					want[k.path] = append(want[k.path], name)
					add(object)
				}
				leftOut := func(name, object string) {
					if k.path == policiesPath && name != "" {
						read(name, object) // it is in force, and Invalid
						return
					}
					left++
					add(object)
				}
				read("before", `"metadata":{"name":"before","namespace":"shop","resourceVersion":"3"},"spec":`+k.good)
				everyOddObject(k.good, k.odd, read, leftOut)
				read("neighbour", `"metadata":{"name":"neighbour","namespace":"shop","resourceVersion":"7"},"spec":`+k.good)
				objects[k.path] = kindOf(apiVersion, k.kind)
				if !later {
					objects[k.path] = append(objects[k.path], then[k.path]...)
				}
			}
			objects["/api/v1/secrets"], objects["/api/v1/configmaps"], objects["/api/v1/namespaces"] = kindOf("v1", "Secret"), kindOf("v1", "ConfigMap"), kindOf("v1", "Namespace")
			objects["/api/v1/namespaces/default/configmaps"] = kindOf("v1", "ConfigMap")
			objects["/apis/apiextensions.k8s.io/v1/customresourcedefinitions"] = kindOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", oddCRDs(t)...)
			a := newOddAPI(t, streams, objects)
			c, loaded := a.follow(t)
			if later {
				eventually(t, func() string {
					if c.Age() != 0 {
						return fmt.Sprintf("not all is watched: %q", c.Problems())
					}
					return ""
				})
				for path, list := range then {
					a.brings(path, list...)
				}
			}
			eventually(t, func() string {
				in := loaded()
				for _, k := range oddKinds {
					got := k.names(in)
					slices.Sort(got)
					slices.Sort(want[k.path])
					if !slices.Equal(got, want[k.path]) {
						return fmt.Sprintf("%s: expected %q, got %q", k.kind, want[k.path], got)
					}
				}
				if n := c.Unreadable(); n != left {
					return fmt.Sprintf("expected %d objects to be left out, got %d", left, n)
				}
				if c.Age() != 0 {
					return fmt.Sprintf("expected no age, got %s: %q", c.Age(), c.Problems())
				}
				return ""
			})
			lines := strings.Join(c.Problems(), "\n")
			if !strings.Contains(lines, "gateways shop/spec-0 cannot be read and is left out: spec: ") || !strings.Contains(lines, "more objects cannot be read") {
				t.Errorf("got %s", lines)
			}
			for _, p := range loaded().Policies {
				if strings.HasPrefix(p.Name, "spec-") && len(p.Spec.Unread) == 0 {
					t.Errorf("%s: what cannot be read of a policy is not noted", p.Name)
				}
			}
		})
	}
}

// oddCRDs are the CRDs of all kinds that are read, with odd statuses and fields.
func oddCRDs(t *testing.T) (out []string) {
	t.Helper()
	for _, name := range []string{"httproutes", "grpcroutes", "gateways", "listenersets", "referencegrants"} {
		data, err := json.Marshal(crd(name, "True", "v1"))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(data[1:len(data)-1]), `"conditions":[`, `"acceptedNames":5,"conditions":[{"type":"X","lastTransitionTime":"2024-01-01t00:00:00z"},5,{"type":7},`, 1)
		out = append(out, text)
	}
	return append(out, `"metadata":{"name":"others.example.com"},"spec":{"versions":"odd"}`)
}

func TestAnObjectThatCouldNotBeReadIsInForceOnceItCan(t *testing.T) {
	o := newObjects()
	o.kind, o.name = oddRoute, "httproutes"
	route := func(version, spec string) *received {
		r := &received{}
		if err := json.Unmarshal([]byte(`{"metadata":{"name":"r","namespace":"shop","uid":"1","generation":1,"resourceVersion":"`+version+`"},"spec":`+spec+`}`), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i, step := range []struct {
		spec           string
		signal, routes bool
	}{
		{`{"hostnames":["a.example.com"]}`, true, true}, {`{"hostnames":7}`, true, false}, {`{"hostnames":7}`, false, false},
		{`{"hostnames":["a.example.com"]}`, true, true}, {`{"hostnames":["b.example.com"]}`, true, true}, {`{"hostnames":["b.example.com"]}`, false, true},
	} {
		if err := o.Update(route(fmt.Sprint(i+1), step.spec)); err != nil {
			t.Fatal(err)
		}
		in := o.input()
		if told(o.changed) != step.signal || len(in.HTTPRoutes) == 1 != step.routes || len(o.unreadable()) == 0 != step.routes {
			t.Errorf("step %d: got %+v and %q", i, in.HTTPRoutes, o.unreadable())
		}
	}
	if err := o.Delete(route("9", `7`)); err != nil || len(o.items.List()) != 0 {
		t.Errorf("expected it to be gone, error %v", err)
	}
}

func TestWhatIsSaidOfAnObjectIsBounded(t *testing.T) {
	o := newObjects()
	o.kind = oddRoute
	r := &received{}
	if err := r.UnmarshalJSON([]byte(`{"metadata":{"name":"r","namespace":"shop","creationTimestamp":"` + strings.Repeat("x", 1<<20) + `"}}`)); err != nil {
		t.Fatal(err)
	}
	o.put(t, r)
	if got := o.unreadable(); len(got) != 1 || len(got[0]) > 500 {
		t.Errorf("got %d lines of %d bytes", len(got), len(got[0]))
	}
}

var oddRoute = &gatewayv1.HTTPRoute{}
