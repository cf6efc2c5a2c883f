package engine

import (
	"bytes"
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/password"
)

// object resolves a reference. It returns nil, and adds a problem, unless the
// policy may refer to the object, the object exists, and its owner labelled it
// for this use. missing is the reason for the operator who reads a decision.
func (b *building) object(kind string, r v1alpha1.ObjectKeyReference, use string, at *field.Path) (o *Object, missing string) {
	key := b.keyOf(kind, r)
	seen := b.objects.See(b.Name.Namespace, key)
	b.uses(ref{key, seen})
	p := authz.Problem{Severity: authz.Unresolved, Field: at.String(), Ref: key.String(), Reason: v1alpha1.ReasonRefNotFound}
	if !seen.Permitted {
		// The message repeats the policy alone. It must not tell what another
		// namespace has.
		p.Message = fmt.Sprintf("no ReferenceGrant of namespace %s lets policies of namespace %s refer to it; its owner must make one, from {group: %s, kind: %s, namespace: %s} to {group: \"\", kind: %s, name: %s}",
			key.Namespace, b.Name.Namespace, v1alpha1.GroupVersion.Group, v1alpha1.Kind, b.Name.Namespace, kind, key.Name)
		p.Reason = v1alpha1.ReasonRefNotPermitted
		b.problem(p)
		return nil, key.String() + " is not granted to namespace " + b.Name.Namespace
	}
	o = b.objects.Get(key)
	switch {
	case o == nil || o.Use() == "":
		p.Message = fmt.Sprintf("not found, or not labelled %s: %s by its owner; without the label it is never read", v1alpha1.LabelUse, use)
	case o.Use() != use:
		p.Message = fmt.Sprintf("labelled %s: %s, and wanted is %s; its owner must change the label", v1alpha1.LabelUse, o.Use(), use)
		p.Reason = v1alpha1.ReasonRefNotPermitted
	case o.Omitted != "":
		p.Message, p.Reason = o.Omitted, v1alpha1.ReasonRefInvalid
		b.problem(p)
		return nil, key.String() + " is not held: its namespace has too much"
	default:
		for _, odd := range apikey.NamesWithoutEffect(o.Labels, o.Annotations) {
			b.parts([]authz.Problem{{Severity: authz.Warning, Lint: authz.OddAnnotation, Message: odd}}, p, at)
		}
		return o, ""
	}
	b.problem(p)
	return nil, key.String() + " is missing, not labelled or labelled for another use"
}

func (b *building) keyOf(kind string, r v1alpha1.ObjectKeyReference) objects.Key {
	return objects.Key{Kind: kind, Namespace: cmp.Or(r.Namespace, b.Name.Namespace), Name: r.Name}
}

// entry resolves a reference to an entry of an object.
func (b *building) entry(kind string, r v1alpha1.ObjectKeyReference, fallback, use string, at *field.Path) (data []byte, missing string) {
	o, missing := b.object(kind, r, use, at)
	if o == nil {
		return nil, missing
	}
	key := keyOr(r, fallback)
	data, ok := o.Data[key]
	if !ok {
		return nil, b.unusable(kind, r, key, "no such entry", at)
	}
	return data, ""
}

// unusable adds the problem of an entry. why never holds its content.
func (b *building) unusable(kind string, r v1alpha1.ObjectKeyReference, key, why string, at *field.Path) (missing string) {
	o := b.keyOf(kind, r).String()
	b.problem(authz.Problem{Severity: authz.Unresolved, Field: at.String(), Ref: o, Key: key, Message: why, Reason: v1alpha1.ReasonRefInvalid})
	return o + " has an unusable entry " + key
}

func (b *building) users(src v1alpha1.Users, at *field.Path) (*password.Users, string) {
	r := src.SecretRef
	o, missing := b.object("Secret", r, v1alpha1.UseBasic, at)
	if o == nil {
		return nil, missing
	}
	key, told := keyOr(r, "auth"), keyOr(r, "auth")
	if o.Type == objects.BasicAuth && r.Key == "" {
		key, told = "", "password"
	} else if _, ok := o.Data[key]; !ok {
		return nil, b.unusable("Secret", r, key, "no such entry; an htpasswd file is wanted, or type kubernetes.io/basic-auth", at)
	}
	users, missing := parsed(b, b.objects.Users(b.keyOf("Secret", r), key), "Secret", r, told, at)
	if missing == "" && users.Len() == 0 {
		return nil, b.unusable("Secret", r, told, "it has no usable entry", at)
	}
	return users, missing
}

// parsed returns what an entry was parsed to, and adds its problems.
func parsed[T any](b *building, p *objects.Parsed[T], kind string, r v1alpha1.ObjectKeyReference, key string, at *field.Path) (value T, missing string) {
	b.uses(p)
	b.parts(p.Problems, authz.Problem{Ref: b.keyOf(kind, r).String(), Key: key}, at)
	if p.Err != nil {
		return value, b.unusable(kind, r, key, p.Err.Error(), at)
	}
	return p.Value, ""
}

// hmacBytes are the shortest secrets (RFC 7518 3.2).
var hmacBytes = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

// maxHMAC is the longest secret in bytes.
const maxHMAC = 4096

func (b *building) hmac(src *v1alpha1.HMAC, algorithms []string, at *field.Path) ([]byte, string) {
	r := src.SecretRef
	secret, missing := b.entry("Secret", r, "secret", v1alpha1.UseHMAC, at)
	if missing != "" {
		return nil, missing
	}
	bad := func(why string) ([]byte, string) {
		return nil, b.unusable("Secret", r, keyOr(r, "secret"), why, at)
	}
	for _, a := range algorithms {
		if len(secret) < hmacBytes[a] {
			return bad(fmt.Sprintf("%s needs a secret of at least %d bytes, and it has %d (RFC 7518 3.2)", a, hmacBytes[a], len(secret)))
		}
	}
	switch {
	case len(secret) > maxHMAC:
		return bad(fmt.Sprintf("expected a secret of at most %d bytes, got %d; a longer one is no stronger and costs time with every token", maxHMAC, len(secret)))
	case bytes.ContainsAny(secret[len(secret)-1:], "\r\n"):
		return bad("it ends in a line break, which would be part of the secret; remove it (printf, not echo)")
	case bytes.Contains(secret, []byte("-----BEGIN ")):
		return bad("it is PEM; a public key is no shared secret: use jwks for tokens signed with a private key")
	}
	return secret, ""
}

// keySet resolves public keys: those that a method names, else those of its
// issuer. ca is for fetching them.
func (b *building) keySet(issuer string, j *v1alpha1.JWKS, ca *v1alpha1.CACertificates, at *field.Path) (jwks.Set, string) {
	switch {
	case j == nil:
		return b.remote(RemoteSource{Issuer: issuer}, ca, at)
	case j.URI != "":
		return b.remote(RemoteSource{URL: j.URI}, ca, at)
	case j.Inline != "":
		set := b.objects.InlineKeySet(j.Inline)
		b.uses(set)
		at = at.Child("jwks", "inline")
		for _, w := range set.Problems { // one key spoils nothing
			w.Field = at.String()
			b.problem(w)
		}
		if set.Err != nil {
			b.reject(at.String(), set.Err.Error())
		}
		return set.Value, ""
	}
	kind, r := "ConfigMap", j.ConfigMapRef
	at = at.Child("jwks")
	if r == nil {
		kind, r = "Secret", j.SecretRef
	}
	return b.storedKeys(kind, *r, at)
}

func (b *building) storedKeys(kind string, r v1alpha1.ObjectKeyReference, at *field.Path) (jwks.Set, string) {
	if _, missing := b.entry(kind, r, "jwks.json", v1alpha1.UseJWKS, at); missing != "" {
		return nil, missing
	}
	key := keyOr(r, "jwks.json")
	return parsed(b, b.objects.KeySet(b.keyOf(kind, r), key), kind, r, key, at)
}

func (b *building) remote(from RemoteSource, ca *v1alpha1.CACertificates, at *field.Path) (jwks.Set, string) {
	if check := b.engine.deps.Remote.CheckURL; check != nil {
		if err := check(cmp.Or(from.Issuer, from.URL)); err != nil {
			name := "issuer"
			if from.URL != "" {
				name = "jwks.uri"
			}
			b.problem(authz.Problem{Severity: authz.Warning, Lint: authz.EgressRefused, Field: at.Child(name).String(), Message: "no keys can be fetched: " + err.Error()})
		}
	}
	if ca == nil {
		return b.remoteKeys(from, nil, at), ""
	}
	roots, missing := b.roots(ca, at.Child("caCertificates"))
	if missing != "" {
		return nil, missing
	}
	from.Roots = roots.Pool
	return b.remoteKeys(from, roots.Digest[:], at), ""
}

// roots resolves the certificates that others are verified with.
func (b *building) roots(ca *v1alpha1.CACertificates, at *field.Path) (roots objects.Roots, missing string) {
	kind, r := authoritiesIn(ca)
	if _, missing = b.entry(kind, r, "ca.crt", v1alpha1.UseCA, at); missing != "" {
		return roots, missing
	}
	key := keyOr(r, "ca.crt")
	return parsed(b, b.objects.Roots(b.keyOf(kind, r), key), kind, r, key, at)
}

// authoritiesIn is the object that holds certificates of authorities.
func authoritiesIn(ca *v1alpha1.CACertificates) (kind string, r v1alpha1.ObjectKeyReference) {
	if ca.ConfigMapRef != nil {
		return "ConfigMap", *ca.ConfigMapRef
	}
	return "Secret", *ca.SecretRef
}
