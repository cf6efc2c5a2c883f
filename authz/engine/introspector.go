package engine

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"strings"

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
	// Issuer is whose keys verify signed answers; "" where none can be.
	Issuer string
	Client introspect.Client
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
		p := s.named(types.NamespacedName{Namespace: namespace, Name: short})
		if p == nil {
			continue
		}
		for a := range uses[asked](p) {
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
func (b *building) introspector(method string, from IntrospectionSource, credentials v1alpha1.ClientCredentials, ca *v1alpha1.CACertificates, at *field.Path) (server authn.Introspector, id pool.Key, missing string) {
	var inputs [][]byte
	from.Client, from.Roots, inputs, missing = b.server(remoteServer{from.Endpoint, "endpoint", credentials, ca}, cmp.Or(from.Issuer, from.Endpoint), "nobody can be asked about tokens", at)
	if missing != "" {
		return nil, id, missing
	}
	build := b.engine.deps.Remote.Introspector
	if build == nil {
		return nil, id, "nobody is asked about tokens here (agentauth check asks with --network)"
	}
	id = pool.KeyOf("introspector", append(inputs, []byte(from.Endpoint), []byte(from.Issuer))...)
	t := b.pooled(id, func(tenant func() string) pool.Thing {
		from.Tenant = tenant
		return introspector{build(from), from.Endpoint}
	})
	b.uses(asked{id, method})
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
	t := b.pooled(id, func(tenant func() string) pool.Thing {
		return introspector{c.Server(review, audiences, tenant), review}
	})
	b.uses(asked{id, part})
	return t.Thing.(introspector).Introspector.(reviews.Server), id, ""
}

// remoteServer is a server that is asked as a client, and the name of the field that has
// its URL.
type remoteServer struct {
	url, field  string
	credentials v1alpha1.ClientCredentials
	ca          *v1alpha1.CACertificates
}

// server resolves the client, whose assertions are for audience, and the roots of a
// server. inputs are what both are made of, and the tenant. without says what cannot
// be done if nobody can be asked.
func (b *building) server(s remoteServer, audience, without string, at *field.Path) (client introspect.Client, roots *x509.CertPool, inputs [][]byte, missing string) {
	if check := b.engine.deps.Remote.CheckURL; check != nil {
		if err := check(s.url); err != nil {
			b.problem(authz.Problem{Severity: authz.Warning, Lint: authz.EgressRefused, Field: at.Child(s.field).String(), Message: without + ": " + err.Error()})
		}
	}
	var digest []byte
	if s.ca != nil {
		held, missing := b.roots(s.ca, at.Child("caCertificates"))
		if missing != "" {
			return client, nil, nil, missing
		}
		roots, digest = held.Pool, held.Digest[:]
	}
	client, secret, missing := b.client(s.credentials, audience, at.Child("clientCredentials", "secretRef"))
	return client, roots, [][]byte{[]byte(b.Name.Namespace), secret[:], digest}, missing
}

// client resolves the credentials of a client. Its assertions are for audience.
func (b *building) client(src v1alpha1.ClientCredentials, audience string, at *field.Path) (c introspect.Client, id keyed.Digest, missing string) {
	r := v1alpha1.ObjectKeyReference{Name: src.SecretRef.Name, Namespace: src.SecretRef.Namespace}
	o, missing := b.object("Secret", r, v1alpha1.UseClient, at)
	if o == nil {
		return c, id, missing
	}
	c, id, key, why := introspect.ParseClient(o.Data, src.Authentication, audience)
	if why != "" {
		missing = b.unusable("Secret", r, key, why, at)
	}
	return c, id, missing
}
