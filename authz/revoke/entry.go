package revoke

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Entry is one revocation. A credential falls under it if it has all that the entry
// names. It never changes.
type Entry struct {
	// ConfigMap is the namespace/name of the object that has the entry, Name that of the
	// entry, and Namespace the one whose policies it holds for; "" is all.
	ConfigMap, Name, Namespace string
	// Until is when it ends, Reason what people are told.
	Until  time.Time
	Reason string

	match key
	odd   error // of the end or the reason; nil: both can be read
}

// field is a part of what an entry names; a set of them is its shape.
type field uint16

const (
	ofIssuer field = 1 << iota
	ofSubject
	ofActorIssuer
	ofActor
	ofClient
	ofToken
	ofSecret
	ofCredential
	ofKey
	ofThumbprint
)

func (f field) has(one field) bool { return f&one != 0 }

// key is what an entry names. A table finds it as a whole.
type key struct {
	shape                field
	issuer, subject      string
	actorIssuer, actor   string
	client, token, keyID string
	secret, credential   string
	thumbprint           [sha256.Size]byte
}

// Ended says whether the entry has ended at a time.
func (e *Entry) Ended(now time.Time) bool { return !now.Before(e.Until) }

// Where is the entry, for people.
func (e *Entry) Where() string {
	return "entry " + e.Name + " of ConfigMap " + strings.TrimPrefix(e.ConfigMap, "/")
}

// Scope is whose policies the entry holds for, for people.
func (e *Entry) Scope() string {
	if e.Namespace == "" {
		return "all policies"
	}
	return "policies of namespace " + e.Namespace
}

// What is what the entry names, for people.
func (e *Entry) What() string {
	var out []string
	k := &e.match
	add := func(f field, name, value string) {
		if k.shape.has(f) {
			out = append(out, name+" "+strconv.Quote(value))
		}
	}
	if k.shape.has(ofIssuer) && k.issuer != "" {
		add(ofIssuer, "issuer", k.issuer)
	}
	add(ofSubject, "subject", k.subject)
	add(ofActorIssuer, "actor.issuer", k.actorIssuer)
	add(ofActor, "actor.subject", k.actor)
	add(ofClient, "client", k.client)
	add(ofToken, "jti", k.token)
	add(ofSecret, "secret", k.secret)
	add(ofCredential, "credentialId", k.credential)
	add(ofKey, "kid", k.keyID)
	if k.shape.has(ofThumbprint) {
		out = append(out, "thumbprint "+hex.EncodeToString(k.thumbprint[:]))
	}
	return strings.Join(out, ", ")
}

// NamesActor says whether the entry names an actor.
func (e *Entry) NamesActor() bool { return e.match.shape.has(ofActor) }

// Secret is the Secret of API keys that the entry names, as namespace/name, and its entry;
// "" where it names none.
func (e *Entry) Secret() (secret, credential string) { return e.match.secret, e.match.credential }

// Issuer is the issuer that the entry names; "" if it names none.
func (e *Entry) Issuer() string { return e.match.issuer }

// ParseThumbprint reads a SHA-256 in hexadecimal digits, with or without colons, or in
// base64url.
func ParseThumbprint(s string) (out [sha256.Size]byte, ok bool) {
	data, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil {
		data, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
	}
	if err != nil || len(data) != sha256.Size {
		return out, false
	}
	return [sha256.Size]byte(data), true
}
