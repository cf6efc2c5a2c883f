package objects

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/certs"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/keyed"
	"github.com/agentauth-dev/agentauth/authz/password"
)

// Store parses the entries of objects. The zero Store is ready.
type Store struct {
	users   memo[entry, Parsed[*password.Users]]
	keySets memo[entry, Parsed[jwks.Set]]
	roots   memo[entry, Parsed[Roots]]
	apiKeys memo[Fingerprint, Parsed[*apikey.Secret]]
	tables  memo[keyed.Digest, Table]
	// lastStates are of Secrets of API keys.
	lastStates memo[Key, lastState]
	indexes    memo[string, apikey.Index] // by namespace
}

// entry is an entry of an object as it was. The name "" is that of a user name and
// a password.
type entry struct {
	of   Fingerprint
	name string
}

// Parsed is what an entry was parsed to. Who uses the Value holds the Parsed, so
// that the next one who asks gets the same.
type Parsed[T any] struct {
	once  sync.Once
	Value T
	// Problems are those of the entry's parts, the most that are told. Err says
	// that there is no Value, and never repeats the entry.
	Problems []authz.Problem
	Err      error
}

var (
	errGone   = errors.New("the object is gone")
	errDefect = errors.New("agentauth could not parse it: a defect")
)

// parse fills p by the first who asks, with what read makes of an object.
func (p *Parsed[T]) parse(s *stored, read func(*Object) (T, []authz.Problem, error)) *Parsed[T] {
	return p.fill(func() (none T, _ []authz.Problem, _ error) {
		o := s.object.Value()
		if o == nil {
			return none, nil, errGone
		}
		return read(o)
	})
}

func (p *Parsed[T]) fill(read func() (T, []authz.Problem, error)) *Parsed[T] {
	p.once.Do(func() {
		p.Err = errDefect // unless read returns
		p.Value, p.Problems, p.Err = read()
	})
	return p
}

// Users are the users of an entry with an htpasswd file; of a Secret of one user
// and a password if the entry is "".
func (v *View) Users(key Key, name string) *Parsed[*password.Users] {
	s := v.find(key)
	return v.store.users.get(entry{s.print(), name}).parse(s, func(o *Object) (*password.Users, []authz.Problem, error) {
		if name == "" {
			user, pass := string(o.Data["username"]), o.Data["password"]
			return password.Plain(user, pass), nil, password.CheckPlain(user, pass)
		}
		users, problems, err := password.ParseHtpasswd(o.Data[name])
		for i := range problems {
			p := &problems[i]
			if p.Severity = authz.Unresolved; p.Line > 0 {
				p.Message, p.Line = fmt.Sprintf("line %d: %s", p.Line, p.Message), 0
			}
		}
		return users, problems, err
	})
}

// KeySet is the JWK Set of an entry.
func (v *View) KeySet(key Key, name string) *Parsed[jwks.Set] {
	s := v.find(key)
	return v.store.keySets.get(entry{s.print(), name}).parse(s, func(o *Object) (jwks.Set, []authz.Problem, error) {
		return keySet(o.Data[name])
	})
}

// InlineKeySet is the JWK Set of a text of a policy. Policies with the same text share
// one.
func (v *View) InlineKeySet(text string) *Parsed[jwks.Set] {
	data := []byte(text)
	return v.store.keySets.get(entry{of: keyed.Of("inline", data)}).fill(func() (jwks.Set, []authz.Problem, error) {
		return keySet(data)
	})
}

func keySet(data []byte) (jwks.Set, []authz.Problem, error) {
	keys, warnings, err := jwks.Parse(data)
	for i := range warnings {
		warnings[i].Field = ""
	}
	if err != nil {
		return nil, warnings, err
	}
	return jwks.Static(keys), warnings, nil
}

// Roots are certificates of authorities. Equal digests are equal certificates.
type Roots struct {
	List   []*x509.Certificate
	Pool   *x509.CertPool
	Digest [sha256.Size]byte
}

// Roots are the certificates of an entry.
func (v *View) Roots(key Key, name string) *Parsed[Roots] {
	s := v.find(key)
	return v.store.roots.get(entry{s.print(), name}).parse(s, func(o *Object) (Roots, []authz.Problem, error) {
		list, err := certs.List(o.Data[name])
		return Roots{list, certs.PoolOf(list), sha256.Sum256(o.Data[name])}, nil, err
	})
}

// secret is a Secret of API keys.
func (v *View) secret(s *stored) *Parsed[*apikey.Secret] {
	return v.store.apiKeys.get(s.print()).parse(s, func(o *Object) (*apikey.Secret, []authz.Problem, error) {
		if o.Omitted != "" {
			return nil, nil, errors.New(o.Omitted)
		}
		return apikey.Parse(o.Namespace, o.Name, o.Labels, o.Annotations, o.Data), nil, nil
	})
}
