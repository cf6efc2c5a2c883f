package engine

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/keyed"
	"github.com/agentauth-dev/agentauth/authz/pool"
	"github.com/agentauth-dev/agentauth/authz/reviews"
)

// Introspector is an authorization server that is asked about tokens.
type Introspector interface {
	pool.Thing
	authn.Introspector
	Status() introspect.Status
}

// IntrospectionSource says where a server is asked, and as which client.
type IntrospectionSource struct {
	Endpoint string
	Client   introspect.Client
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
	// Tenant is the namespace whose turn a request takes.
	Tenant func() string
}

// introspector is an Introspector that knows its endpoint.
type introspector struct {
	Introspector
	endpoint string
}

// IntrospectorStatus is how a server is doing.
type IntrospectorStatus struct {
	Endpoint string
	introspect.Status
	// ID tells servers apart that differ in their clients or certificates only.
	ID [32]byte
	// Methods ask the server, as in "shop/orders method opaque"; the first MaxNamed
	// of them.
	Methods []string
}

// Introspectors lists the servers of the snapshot in force, in no order.
func (e *Engine) Introspectors() []IntrospectorStatus {
	s := e.current.Load()
	if s == nil {
		return nil
	}
	var out []IntrospectorStatus
	for id, t := range s.used {
		if i, ok := t.Thing.(introspector); ok {
			out = append(out, IntrospectorStatus{Endpoint: i.endpoint, Status: i.Status(), ID: id, Methods: s.askers(id)})
		}
	}
	return out
}

// askers are the methods that ask a server, of the policies that are named.
func (s *Snapshot) askers(id pool.Key) (out []string) {
	for _, name := range s.users[id] {
		namespace, short, _ := strings.Cut(name, "/")
		p := s.memo.named(types.NamespacedName{Namespace: namespace, Name: short})
		if p == nil {
			continue
		}
		for _, a := range p.origin.asked {
			if a.id == id && len(out) < MaxNamed {
				out = append(out, name+" method "+a.method)
			}
		}
	}
	return out
}

// asked is a server that a method asks.
type asked struct {
	id     pool.Key
	method string
}

// introspector returns the server that the method at a field asks. Tenants share
// none.
func (b *building) introspector(method, issuer string, from IntrospectionSource, credentials v1alpha1.ClientCredentials, ca *v1alpha1.CACertificates, at *field.Path) (server authn.Introspector, id pool.Key, missing string) {
	if check := b.engine.deps.Remote.CheckURL; check != nil {
		if err := check(from.Endpoint); err != nil {
			b.problem(authz.Problem{Severity: authz.Warning, Lint: authz.EgressRefused, Field: at.Child("endpoint").String(), Message: "nobody can be asked about tokens: " + err.Error()})
		}
	}
	var digest []byte
	if ca != nil {
		roots, missing := b.roots(ca, at.Child("caCertificates"))
		if missing != "" {
			return nil, id, missing
		}
		from.Roots, digest = roots.Pool, roots.Digest[:]
	}
	client, secret, missing := b.client(credentials, cmp.Or(issuer, from.Endpoint), at.Child("clientCredentials", "secretRef"))
	if missing != "" {
		return nil, id, missing
	}
	from.Client = client
	build := b.engine.deps.Remote.Introspector
	if build == nil {
		return nil, id, "nobody is asked about tokens here (agentauth check asks with --network)"
	}
	id = pool.KeyOf("introspector", []byte(b.Name.Namespace), []byte(from.Endpoint), secret[:], digest)
	t := b.pooled(id, func(tenant func() string) pool.Thing {
		from.Tenant = tenant
		return introspector{build(from), from.Endpoint}
	})
	b.origin.asked = append(b.origin.asked, asked{id, method})
	return t.Thing.(introspector), id, ""
}

// reviewer returns what asks the API server for a part of the policy, a method or
// authorization. Tenants share none.
func (b *building) reviewer(review, part string, audiences []string, at *field.Path) (s reviews.Server, id pool.Key, missing string) {
	c := b.engine.deps.Remote.Cluster
	if c == nil {
		if b.engine.deps.Remote.NoCluster {
			b.problem(authz.Problem{Severity: authz.Warning, Lint: authz.NoCluster, Field: at.String(), Message: reviews.NoCluster})
		}
		return s, id, reviews.NoCluster
	}
	id = pool.KeyOf(review, []byte(b.Name.Namespace), fmt.Appendf(nil, "%q", audiences))
	t := b.pooled(id, func(tenant func() string) pool.Thing { return introspector{c.Server(review, audiences, tenant), review} })
	b.origin.asked = append(b.origin.asked, asked{id, part})
	return t.Thing.(introspector).Introspector.(reviews.Server), id, ""
}

// maxClientEntry is the longest id or secret of a client in bytes.
const maxClientEntry = 4096

// client resolves the credentials of a client. Its assertions are for audience.
func (b *building) client(src v1alpha1.ClientCredentials, audience string, at *field.Path) (c introspect.Client, id keyed.Digest, missing string) {
	entry := func(key string) (data []byte) {
		if missing != "" {
			return nil
		}
		r := v1alpha1.ObjectKeyReference{Name: src.SecretRef.Name, Namespace: src.SecretRef.Namespace}
		if data, missing = b.entry("Secret", r, key, v1alpha1.UseClient, at); missing == "" {
			if why := unusableClientEntry(key, data); why != "" {
				missing = b.unusable("Secret", r, key, why, at)
			}
		}
		return data
	}
	name := entry("client-id")
	c.ID = string(name)
	if src.Authentication != v1alpha1.ClientPrivateKeyJWT {
		secret := entry("client-secret")
		c.Secret, c.InBody = string(secret), src.Authentication == v1alpha1.ClientPost
		return c, keyed.Of("client", []byte(src.Authentication), name, secret), missing
	}
	key := entry("tls.key")
	if missing != "" {
		return c, id, missing
	}
	r := v1alpha1.ObjectKeyReference{Name: src.SecretRef.Name, Namespace: src.SecretRef.Namespace}
	kid := b.objects.Get(b.keyOf("Secret", r)).Data["key-id"]
	if why := unusableClientEntry("key-id", kid); len(kid) > 0 && why != "" {
		return c, id, b.unusable("Secret", r, "key-id", why, at)
	}
	var err error
	if c.Key, err = introspect.ParseKey(key, string(kid), audience); err != nil {
		missing = b.unusable("Secret", r, "tls.key", err.Error(), at)
	}
	if alg := b.objects.Get(b.keyOf("Secret", r)).Data["alg"]; missing == "" && len(alg) > 0 {
		if err := c.Key.SignBy(string(alg)); err != nil {
			missing = b.unusable("Secret", r, "alg", err.Error(), at)
		}
		kid = append(append(slices.Clip(kid), 0), alg...)
	}
	return c, keyed.Of("client", []byte(src.Authentication), name, key, kid, []byte(audience)), missing
}

// unusableClientEntry says what is wrong with an id or a secret; "" if nothing is.
func unusableClientEntry(key string, data []byte) string {
	switch {
	case len(data) == 0:
		return "it is empty"
	case len(data) > maxClientEntry:
		return fmt.Sprintf("expected at most %d bytes, got %d", maxClientEntry, len(data))
	case key == "tls.key": // PEM, which has line breaks
	case bytes.ContainsAny(data[len(data)-1:], "\r\n"):
		return "it ends in a line break, which would be part of it; remove it (printf, not echo)"
	case !utf8.Valid(data) || slices.ContainsFunc(data, func(c byte) bool { return c < ' ' || c == 0x7f }):
		return "expected text in UTF-8 without control characters (RFC 6749 A.1)"
	}
	return ""
}
