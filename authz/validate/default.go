package validate

import (
	"cmp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// Default returns a copy of the policy with the defaults of the CRD, so that a
// policy from a file means what it means in a cluster. An optional string or
// list that is there but empty counts as left out.
func Default(p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	source := p.Spec.Authentication.Methods
	p = p.DeepCopy()
	p.Namespace = cmp.Or(p.Namespace, "default")
	spec := &p.Spec
	for i, m := range source {
		if m.APIKey != nil { // who refers to its labels holds no copy of them
			spec.Authentication.Methods[i].APIKey.Selector = m.APIKey.Selector
		}
	}
	for i := range spec.Routes {
		defaultRoute(&spec.Routes[i])
	}
	for i := range spec.Authentication.Methods {
		defaultMethod(&spec.Authentication.Methods[i])
	}
	if a := spec.Authorization; a != nil {
		a.Otherwise = cmp.Or(a.Otherwise, v1alpha1.OtherwiseAllow)
	}
	if r := spec.Response; r != nil && r.Upstream != nil {
		r.Upstream.Credentials = cmp.Or(r.Upstream.Credentials, v1alpha1.Strip)
		if r.Upstream.Token != nil {
			defaultToken(r.Upstream.Token)
		}
	}
	return p
}

func defaultMethod(m *v1alpha1.Method) {
	m.Requirement = cmp.Or(m.Requirement, v1alpha1.Sufficient)
	if m.Basic != nil {
		m.Basic.Realm = cmp.Or(m.Basic.Realm, "agentauth")
	}
	if m.JWT != nil {
		m.JWT.ClockSkew = cmp.Or(m.JWT.ClockSkew, new(gatewayv1.Duration("30s")))
	}
	if c := m.ClientCertificate; c != nil {
		c.Source = cmp.Or(c.Source, v1alpha1.CertificateOfConnection)
	}
	if k := m.KubernetesToken; k != nil {
		k.CacheTTL = cmp.Or(k.CacheTTL, new(gatewayv1.Duration("30s")))
	}
	if i := m.Introspection; i != nil {
		i.CacheTTL = cmp.Or(i.CacheTTL, new(gatewayv1.Duration("30s")))
		defaultClient(&i.ClientCredentials)
	}
}

func defaultToken(t *v1alpha1.UpstreamToken) {
	if t.Secret != nil {
		t.Secret.Header = cmp.Or(t.Secret.Header, "authorization")
	}
	if s := t.Signed; s != nil {
		s.Header, s.TTL = cmp.Or(s.Header, "authorization"), cmp.Or(s.TTL, new(gatewayv1.Duration("60s")))
	}
	if t.ClientCredentials != nil {
		defaultClient(&t.ClientCredentials.ClientCredentials)
	}
	if e := t.Exchanged; e != nil {
		defaultClient(&e.ClientCredentials)
		if e.ActorToken != nil && e.ActorToken.ClientCredentials != nil {
			defaultClient(&e.ActorToken.ClientCredentials.ClientCredentials)
		}
	}
}

func defaultClient(c *v1alpha1.ClientCredentials) {
	if *c != (v1alpha1.ClientCredentials{}) { // it is required
		c.Authentication = cmp.Or(c.Authentication, v1alpha1.ClientBasic)
	}
}

func defaultRoute(r *v1alpha1.Route) {
	if len(r.Matches) == 0 {
		r.Matches = []gatewayv1.HTTPRouteMatch{{}}
	}
	for i := range r.Matches {
		m := &r.Matches[i]
		m.Path = cmp.Or(m.Path, new(gatewayv1.HTTPPathMatch))
		m.Path.Type = cmp.Or(m.Path.Type, new(gatewayv1.PathMatchPathPrefix))
		m.Path.Value = cmp.Or(m.Path.Value, new("/"))
		for j := range m.Headers {
			h := &m.Headers[j]
			h.Type = cmp.Or(h.Type, new(gatewayv1.HeaderMatchExact))
		}
		for j := range m.QueryParams {
			q := &m.QueryParams[j]
			q.Type = cmp.Or(q.Type, new(gatewayv1.QueryParamMatchExact))
		}
	}
}
