package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// perNamespace is how many policies a namespace has.
const perNamespace = 50

// own says whether each policy has a rule of its own. Otherwise all policies have the same, as those that are made
// by a template have.
var own = true

// number is the manifest of policy i: a hostname and a prefix of its own, a JWT method with an inline key set
// that the policies of its namespace share by its text, or, each second one, API keys; scopes, a rule and two
// headers.
func number(i int) *v1alpha1.AgentAuthPolicy {
	p := &v1alpha1.AgentAuthPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.Kind},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("policy-", i), Namespace: namespace(i), Generation: 1},
	}
	kind, prefix := gatewayv1.PathMatchPathPrefix, "/v1"
	p.Spec.Routes = []v1alpha1.Route{{
		Hostnames: []v1alpha1.Hostname{v1alpha1.Hostname(host(i))},
		Matches:   []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &prefix}}},
	}}
	p.Spec.Authentication.Methods = []v1alpha1.Method{{Name: "partners", JWT: &v1alpha1.JWT{
		Issuer: "https://idp.example.com/" + namespace(i), Audiences: []string{"https://" + host(i)}, Scopes: []string{"read"},
		JWKS: &v1alpha1.JWKS{Inline: keySet(i / perNamespace)},
	}}}
	if i%2 == 1 {
		p.Spec.Authentication.Methods = []v1alpha1.Method{{Name: "robots", APIKey: &v1alpha1.APIKey{
			Selector: v1alpha1.KeySelector{MatchLabels: map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(app(i))}}}}}
	}
	tenant := "shared"
	if own {
		tenant = fmt.Sprint("tenant-", i)
	}
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{
		Name:    "tenant",
		Require: v1alpha1.Expression(`identity.claims.?tenant.orValue("") == "` + tenant + `" && pathPrefix(request.path, "/v1")`),
	}}}
	p.Spec.Response = &v1alpha1.Response{Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{
		{Name: "x-agent-id", Value: "identity.subject"}, {Name: "x-agent-scopes", Value: `identity.scopes.join(" ")`},
	}}}
	return p
}

func namespace(i int) string { return fmt.Sprint("team-", i/perNamespace) }

// app is whose API keys a policy accepts: a namespace has five applications, with five keys each.
func app(i int) string { return fmt.Sprint("app-", i%10) }

const perApp = 5

func host(i int) string { return fmt.Sprintf("api-%d.example.com", i) }

var sets = map[int]string{}

// keySet is the text of a set of one key.
func keySet(n int) string {
	if sets[n] == "" {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: fmt.Sprint("key-", n), Use: "sig", Algorithm: "ES256"}}})
		if err != nil {
			panic(err)
		}
		sets[n] = string(text)
	}
	return sets[n]
}

// decoded is an object as a watch has it: no text of it is shared with another.
func decoded[T any](o *T) *T {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	out := new(T)
	if err := json.Unmarshal(text, out); err != nil {
		panic(err)
	}
	return out
}

// manifest is the text of an object.
func manifest(o any) string {
	text, err := yaml.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// secretOf is a Secret of API keys, first to last, of an application.
func secretOf(namespace, name, app string, first, last int) *engine.Object {
	o := &engine.Object{
		Namespace: strings.Clone(namespace), Name: name, Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseAPIKey, "app": app},
		Data: make(map[string][]byte, last-first),
	}
	for i := first; i < last; i++ {
		o.Data[fmt.Sprint("key-", i)] = []byte(key(i))
	}
	o.Data = apikey.Digest(map[string]string{v1alpha1.AnnotationPlainKeys: "*"}, o.Data)
	return o
}

func key(i int) string { return fmt.Sprintf("the-key-of-robot-number-%d", i) }

// hasSecret says whether policy i is the first one with its API keys.
func hasSecret(i int) bool { return i%2 == 1 && i%perNamespace < 10 }

// sampled is of how many policies the manifests are written to know their length: those of the others differ in the
// digits of their numbers.
const sampled = 1000

// many are n policies and their Secrets, and the length of the manifests of both.
func many(n int) (in engine.Input, text int) {
	for i := range n {
		p := number(i)
		if i < sampled {
			text += len(manifest(p))
		}
		in.Policies = append(in.Policies, decoded(p))
		if hasSecret(i) {
			o := secretOf(namespace(i), "keys-of-"+app(i), app(i), i*perApp, (i+1)*perApp)
			if i < sampled {
				text += len(manifest(o))
			}
			in.Secrets = append(in.Secrets, o)
		}
	}
	return in, text * n / min(n, sampled)
}
