package source

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// revoke returns an Input without the credentials that are gone, for a change
// that cannot be put in force whole: what takes a right away does not wait for
// the mistake beside it. now says what an object is now: nil if it is gone.
// Nothing is added.
//
// A policy that is gone answers 503, until the rest is in force: without it another
// policy may decide. A shadowed one that is gone, or is shadowed no more, lets nobody
// through.
func revoke(in engine.Input, has func(*v1alpha1.AgentAuthPolicy) bool, now func(kind string, o *engine.Object) *engine.Object) (out engine.Input, revoked bool) {
	out = in
	out.Secrets, revoked = revokeKind(in.Secrets, objects.Secret, now)
	configMaps, more := revokeKind(in.ConfigMaps, objects.ConfigMap, now)
	out.ConfigMaps, revoked = configMaps, revoked || more
	out.Policies = make([]*v1alpha1.AgentAuthPolicy, 0, len(in.Policies))
	for _, p := range in.Policies {
		switch {
		case len(p.Spec.Unread) > 0 || has(p):
		case p.Spec.Mode == v1alpha1.ModeShadow:
			revoked = true
			continue
		default:
			p, revoked = p.DeepCopy(), true
			p.Spec.Unread = []string{"spec"}
		}
		out.Policies = append(out.Policies, p)
	}
	return out, revoked
}

func revokeKind(list []*engine.Object, kind string, now func(string, *engine.Object) *engine.Object) (out []*engine.Object, revoked bool) {
	out = make([]*engine.Object, 0, len(list))
	for _, o := range list {
		left := both(o, now(kind, o))
		if left != nil {
			out = append(out, left)
		}
		revoked = revoked || left != o
	}
	return out, revoked
}

// both is the rights that an object has in both of its versions: old itself if
// it lost none, nil if it lost all.
func both(old, now *engine.Object) *engine.Object {
	switch {
	case now == nil || now.Type != old.Type || now.Use() != old.Use():
		return nil
	case now == old:
		return old
	}
	out := *old
	lost := false
	if old.Use() == v1alpha1.UseAPIKey && !bothKeys(&out, now, &lost) {
		return nil
	}
	if old.Type == objects.BasicAuth && !(bytes.Equal(old.Data["username"], now.Data["username"]) && bytes.Equal(old.Data["password"], now.Data["password"])) {
		out.Data = map[string][]byte{"username": old.Data["username"], "password": nobodys()}
		return &out
	}
	out.Data = make(map[string][]byte, len(old.Data))
	for name, was := range old.Data {
		is, there := now.Data[name]
		if there && bytes.Equal(was, is) {
			out.Data[name] = was
			continue
		}
		if !there {
			lost = true
			continue
		}
		left := bothItems(old.Use(), was, is)
		if left != nil {
			out.Data[name] = left
		}
		lost = lost || !bytes.Equal(left, was)
	}
	if !lost {
		return old
	}
	if old.Use() == v1alpha1.UseAPIKey {
		out.Annotations = withoutEnds(out.Annotations, out.Data)
	}
	return &out
}

// withoutEnds are annotations without the ends of entries that are gone: an end of
// no entry would refuse the whole Secret.
func withoutEnds(annotations map[string]string, data map[string][]byte) map[string]string {
	out := maps.Clone(annotations)
	maps.DeleteFunc(out, func(name, _ string) bool {
		entry, ok := strings.CutPrefix(name, v1alpha1.AnnotationExpiresAtPrefix)
		return ok && data[entry] == nil
	})
	return out
}

// bothKeys takes the labels that select API keys in both versions, and the
// earlier end. It returns false where the annotations give the keys other rights:
// nobody can tell which of the two is less.
func bothKeys(out, now *engine.Object, lost *bool) bool {
	if apikey.Unusable(now.Name, now.Labels, now.Annotations, now.Data) != "" {
		return false
	}
	labels := maps.Clone(out.Labels)
	maps.DeleteFunc(labels, func(k, v string) bool { is, there := now.Labels[k]; return !there || is != v })
	annotations := maps.Clone(out.Annotations)
	for name := range ours(out.Annotations, now.Annotations) {
		was, is := out.Annotations[name], now.Annotations[name]
		entry, ends := strings.CutPrefix(name, v1alpha1.AnnotationExpiresAtPrefix)
		switch {
		case was == is, ends && out.Data[entry] == nil: // the end of a key that came
		case isEnd(name) && earlier(is, was):
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[name], *lost = is, true
		case isEnd(name) && earlier(was, is):
		default:
			return false
		}
	}
	*lost = *lost || len(labels) != len(out.Labels)
	out.Labels, out.Annotations = labels, annotations
	return true
}

// ours are the names of the annotations that agentauth reads.
func ours(versions ...map[string]string) map[string]bool {
	out := map[string]bool{}
	for _, v := range versions {
		for name := range v {
			if apikey.IsOurs(name) && name != v1alpha1.AnnotationPlainKeys { // which Data has already
				out[name] = true
			}
		}
	}
	return out
}

func isEnd(name string) bool {
	return name == v1alpha1.AnnotationExpiresAt || strings.HasPrefix(name, v1alpha1.AnnotationExpiresAtPrefix)
}

// earlier reports whether a is an end before b; "" is none.
func earlier(a, b string) bool {
	end, err := time.Parse(time.RFC3339, a)
	if err != nil {
		return false
	}
	other, err := time.Parse(time.RFC3339, b)
	return b == "" || err == nil && end.Before(other)
}

// nobodys is a secret that nobody has: whoever asks is refused, and not told that
// something is missing.
func nobodys() []byte { return []byte(rand.Text() + rand.Text() + rand.Text()) }

// bothItems are the credentials that two versions of an entry share; nil where
// an entry is one credential, or cannot be read.
func bothItems(use string, was, is []byte) []byte {
	switch use {
	case v1alpha1.UseHMAC:
		return nobodys()
	case v1alpha1.UseClient, v1alpha1.UseProvider, v1alpha1.UseSigning:
		return was // agentauth's own: no caller has a right by it
	case v1alpha1.UseBasic:
		return bothLines(was, is)
	case v1alpha1.UseJWKS:
		return bothPublicKeys(was, is)
	case v1alpha1.UseCA:
		return bothCertificates(was, is)
	}
	return nil
}

func bothLines(was, is []byte) (out []byte) {
	kept := map[string]bool{}
	for line := range bytes.Lines(is) {
		kept[string(bytes.TrimSpace(line))] = true
	}
	for line := range bytes.Lines(was) {
		if kept[string(bytes.TrimSpace(line))] {
			out = append(out, line...)
		}
	}
	if len(out) == 0 {
		hash, err := bcrypt.GenerateFromPassword(nobodys()[:72], bcrypt.DefaultCost)
		if err != nil {
			return nil
		}
		return fmt.Appendf(nil, "%s:%s\n", rand.Text(), hash)
	}
	return out
}

func bothPublicKeys(was, is []byte) []byte {
	type set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	var old, now set
	if json.Unmarshal(was, &old) != nil || json.Unmarshal(is, &now) != nil {
		return nil
	}
	there := map[string]bool{}
	for _, k := range now.Keys {
		if k.Canonicalize() == nil {
			there[string(k)] = true
		}
	}
	left := set{Keys: []jsontext.Value{}}
	for _, k := range old.Keys {
		if k.Canonicalize() == nil && there[string(k)] {
			left.Keys = append(left.Keys, k)
		}
	}
	kept := len(left.Keys)
	if kept == 0 {
		nobody, err := nobodysKey()
		if err != nil {
			return nil
		}
		left.Keys = append(left.Keys, nobody)
	}
	out, err := json.Marshal(left)
	switch {
	case err != nil:
		return nil
	case kept == len(old.Keys):
		return was
	}
	return out
}

// nobodysKey is a public key whose private key nobody has.
func nobodysKey() (jsontext.Value, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return (&jose.JSONWebKey{Key: &key.PublicKey, KeyID: rand.Text()}).MarshalJSON()
}

func bothCertificates(was, is []byte) (out []byte) {
	kept := map[string]bool{}
	for block, rest := pem.Decode(is); block != nil; block, rest = pem.Decode(rest) {
		kept[string(block.Bytes)] = true
	}
	all := true
	for block, rest := pem.Decode(was); block != nil; block, rest = pem.Decode(rest) {
		if kept[string(block.Bytes)] {
			out = append(out, pem.EncodeToMemory(block)...)
		} else {
			all = false
		}
	}
	if all {
		return was
	}
	return out
}
