package engine

import (
	"cmp"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/pool"
	"github.com/agentauth-dev/agentauth/authz/signing"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// TokenServer is a token endpoint that is asked for one thing.
type TokenServer interface {
	pool.Thing
	upstream.Source
}

// token compiles what the upstream gets in place of credentials.
func (b *building) token(t *v1alpha1.UpstreamToken, at *field.Path) *policy.Token {
	if t == nil {
		return nil
	}
	source, header, scheme := upstream.Compile(t, b.Name.Namespace, at, b)
	if source == nil {
		b.reject(at.String(), "agentauth cannot compile this kind of token: a defect of this version; use another kind")
	}
	var claims []policy.Value
	if t.Signed != nil {
		for _, name := range sortedKeys(t.Signed.Claims) {
			claims = append(claims, policy.Value{Name: name, Program: b.expression(expr.JSON, t.Signed.Claims[name], at.Child("signed", "claims").Key(name))})
		}
	}
	return policy.NewToken(header, scheme, source, claims...)
}

// ProviderKey implements [upstream.Resolver].
func (b *building) ProviderKey(r v1alpha1.ObjectKeyReference, at *field.Path) (key []byte, missing string) {
	if key, missing = b.entry("Secret", r, "token", v1alpha1.UseProvider, at); missing == "" {
		if why := upstream.Unusable(key); why != "" {
			missing = b.unusable("Secret", r, cmp.Or(r.Key, "token"), why, at)
		}
	}
	return key, missing
}

// TokenServer implements [upstream.Resolver]. Policies of one namespace share those
// that ask for the same thing.
func (b *building) TokenServer(s upstream.Settings, at upstream.Place) (source upstream.Source, equal [32]byte, missing string) {
	var inputs [][]byte
	s.Client, s.Roots, inputs, missing = b.server(remoteServer{s.Endpoint, at.URL, at.Credentials, at.CACertificates}, s.Endpoint, "no tokens can be had", at.Path)
	build := b.engine.deps.Remote.Tokens
	if missing == "" && build == nil {
		missing = "no tokens are asked for here (agentauth check asks with --network)"
	}
	if missing != "" {
		return nil, equal, missing
	}
	id := pool.KeyOf("token", append(append(inputs, at.Actor[:]), s.Inputs()...)...)
	t := b.pooled(id, func(tenant func() string) pool.Thing { s.Tenant = tenant; return build(s) })
	return t.Thing.(TokenServer), id, ""
}

// published are the public keys of a Secret by which a policy signs.
type published struct {
	secret objects.Key
	keys   []signing.Public
}

// SigningKey implements [upstream.Resolver].
func (b *building) SigningKey(r v1alpha1.ObjectKeyReference, at *field.Path) (key *signing.Key, missing string) {
	o, missing := b.object("Secret", r, v1alpha1.UseSigning, at)
	if o == nil {
		return nil, missing
	}
	s := signing.Read(o.Data, keyOr(r, "tls.key"))
	for _, u := range s.Unusable { // one that signs nothing spoils nothing
		if why := b.unusable("Secret", r, u.Entry, u.Why, at); u.Entry == keyOr(r, "tls.key") {
			missing = why
		}
	}
	b.uses(published{b.keyOf("Secret", r), s.Published})
	return s.Key, missing
}

// Published are the public keys of a Secret by which a policy in force signs tokens
// for its upstream; none if no policy does.
func (e *Engine) Published(namespace, secret string) (out []signing.Public) {
	s := e.current.Load()
	if s == nil {
		return nil
	}
	for _, n := range s.find.Order() {
		if p := s.find.Policy(n); p == nil || p.Over != "" || s.policies[n].Invalid {
			continue
		}
		for p := range uses[published](s.policies[n]) {
			if p.secret == (objects.Key{Kind: "Secret", Namespace: namespace, Name: secret}) {
				out = append(out, p.keys...)
			}
		}
	}
	return out
}
