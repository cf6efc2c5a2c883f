package engine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// clock is when requests of these tests come.
var clock = time.Unix(1_800_000_000, 0)

// world is what an engine reaches beyond itself, in tests.
type world struct {
	mu     sync.Mutex
	made   []*fetched
	panics []any
	// lookup is what every key set does; by default it has signingKey.
	lookup func(ctx context.Context, kid, alg string) ([]jwks.Key, error)
	// status is that of every key set; nil: one key is held.
	status *jwks.Status
	// untried sets do not become ready by being started.
	untried bool
}

func newWorld(options Options) (*Engine, *world) {
	w := &world{}
	if options.GatewayClasses == nil {
		options.GatewayClasses = []string{class, ""} // for worlds that are about something else
	}
	e := New(Deps{
		Passwords: password.New(work.New(work.Options{Slots: 1}), password.Options{}),
		Scheduler: work.New(work.Options{Slots: 1}),
		Remote:    Remote{Keys: w.remote},
		Panicked: func(v any, stack []byte) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(stack) == 0 {
				v = "no stack came"
			}
			w.panics = append(w.panics, v)
		},
	}, options)
	return e, w
}

func (w *world) remote(src RemoteSource) RemoteKeys {
	f := &fetched{world: w, src: src, ready: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made = append(w.made, f)
	return f
}

// fetched is a key set that counts what is done to it.
type fetched struct {
	world           *world
	src             RemoteSource
	started, closed atomic.Int32
	ready           chan struct{}
	tried           sync.Once
}

func (f *fetched) Start() {
	f.started.Add(1)
	if !f.world.untried {
		f.try()
	}
}
func (f *fetched) try()                   { f.tried.Do(func() { close(f.ready) }) }
func (f *fetched) Close()                 { f.closed.Add(1) }
func (f *fetched) Ready() <-chan struct{} { return f.ready }
func (f *fetched) Status() jwks.Status {
	if f.world.status != nil {
		return *f.world.status
	}
	return jwks.Status{Keys: 1, Usable: 1}
}
func (f *fetched) Lookup(ctx context.Context, kid, alg string) ([]jwks.Key, error) {
	if f.world.lookup != nil {
		return f.world.lookup(ctx, kid, alg)
	}
	return []jwks.Key{{Algorithms: []string{"ES256"}, Public: signingKey().Public()}}, nil
}

func (f *fetched) Renewed(context.Context, string, string, []jwks.Key) ([]jwks.Key, error) {
	return nil, jwks.ErrUnknownKey
}

var signingKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// class is the GatewayClass of Gateways.
const class = "proxy"

// tokenOf is a token of an issuer that every key set verifies.
func tokenOf(t testing.TB, issuer string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: signingKey()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"aud":"api","sub":"agent","scope":"read write","exp":1800000600}`, issuer))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const idp = "https://idp.example.com"

// onHost is a policy for all of a host.
func onHost(name, host string, methods ...v1alpha1.Method) *v1alpha1.AgentAuthPolicy {
	return &v1alpha1.AgentAuthPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Generation: 1},
		Spec: v1alpha1.PolicySpec{
			Routes:         []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{v1alpha1.Hostname(host)}}},
			Authentication: v1alpha1.Authentication{Methods: methods},
		},
	}
}

func setting(p *v1alpha1.AgentAuthPolicy, name, value string) *v1alpha1.AgentAuthPolicy {
	p.Spec.Response = &v1alpha1.Response{Upstream: &v1alpha1.Upstream{
		Headers: []v1alpha1.UpstreamHeader{{Name: name, Value: v1alpha1.Expression(value)}}}}
	return p
}

func under(p *v1alpha1.AgentAuthPolicy, prefix string) *v1alpha1.AgentAuthPolicy {
	kind := gatewayv1.PathMatchPathPrefix
	p.Spec.Routes[0].Matches = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &prefix}}}
	return p
}

func anonymous() v1alpha1.Method {
	return v1alpha1.Method{Name: "public", Anonymous: &v1alpha1.Anonymous{}}
}

func keys(team string) v1alpha1.Method {
	return v1alpha1.Method{Name: "keys", APIKey: &v1alpha1.APIKey{
		Selector: v1alpha1.KeySelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": v1alpha1.LabelValue(team)}}}}
}

func partners(issuer string) v1alpha1.Method {
	return v1alpha1.Method{Name: "partners", JWT: &v1alpha1.JWT{Issuer: issuer, Audiences: []string{"api"}}}
}

func staff(secret string) v1alpha1.Method {
	return v1alpha1.Method{Name: "staff", Basic: &v1alpha1.Basic{
		Users: v1alpha1.Users{SecretRef: v1alpha1.ObjectKeyReference{Name: secret}}}}
}

func object(name, use string, data map[string]string) *Object {
	o := &Object{Namespace: "shop", Name: name, Labels: map[string]string{v1alpha1.LabelUse: use}, Data: map[string][]byte{}}
	for k, v := range data {
		o.Data[k] = []byte(v)
	}
	return o
}

// robot is a Secret of API keys of a team.
func robot(name, team string, keys ...string) *Object {
	o := object(name, v1alpha1.UseAPIKey, nil)
	o.Labels["team"] = team
	for i, k := range keys {
		o.Data[fmt.Sprint("key-", i)] = []byte(k)
	}
	o.Data = apikey.Digest(map[string]string{v1alpha1.AnnotationPlainKeys: "*"}, o.Data)
	return o
}

const robotKey = "the-first-key-of-the-robot"

// alice is a Secret of one user, whose password is "sesame".
func alice(name string) *Object {
	o := object(name, v1alpha1.UseBasic, map[string]string{"username": "alice", "password": "sesame"})
	o.Type = "kubernetes.io/basic-auth"
	return o
}

// load compiles and swaps in what must be compiled without fault.
func load(t testing.TB, e *Engine, in Input) *Snapshot {
	t.Helper()
	s, reports := e.Compile(in)
	for _, r := range reports {
		for _, p := range r.Problems {
			if p.Lint == "" { // what is warned of is no fault
				t.Errorf("%s: %s", r.Policy, p)
			}
		}
	}
	e.Swap(s)
	return s
}

func get(host, path string, headers ...authz.Header) authz.Raw {
	return authz.Raw{Method: "GET", Scheme: "https", Host: host, Path: path, Headers: headers, TLS: true, Time: clock}
}

func header(name, value string) authz.Header { return authz.Header{Name: name, Value: value} }

// decided wants an outcome, a status and a reason.
func decided(t testing.TB, d authz.Decision, outcome authz.Outcome, status int, reason authz.Reason) {
	t.Helper()
	if d.Outcome != outcome || d.Status != status || d.Reason != reason {
		t.Errorf("expected %s %d %s, got %s %d %s (%s)", outcome, status, reason, d.Outcome, d.Status, d.Reason, d.Detail)
	}
}

func named(reports []Report, name string) Report {
	i := slices.IndexFunc(reports, func(r Report) bool { return r.Policy.Name == name })
	if i < 0 {
		return Report{}
	}
	return reports[i]
}
