package revoke

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// Credential is what revocations are held against: a credential that was verified.
type Credential struct {
	Identity *authz.Identity
	// KeyID is the `kid` of the key that verified a token; "" if there is none.
	KeyID string
	// Secret is the namespace/name of the Secret that holds an API key; "" for others.
	Secret string
	// Thumbprints are those of the client certificate, and of the certificate and the key
	// that a token is bound to, and of the other form of the client certificate; nil is
	// none.
	Thumbprints [4]*[sha256.Size]byte
}

// maxActors is how many actors of a token are looked at, one within the other.
const maxActors = 8

// clientClaims are the claims that name the client (RFC 9068 2.2, OpenID Connect Core
// 2, and what Okta and Entra ID write).
var clientClaims = [...]string{"azp", "client_id", "cid", "appid"}

// names are what a credential is called by. A policy may call subject and actor
// otherwise than the issuer does; both count.
type names struct {
	c           Credential
	subjects    [2]string
	subjectN    int
	actors      [2 + maxActors]authz.Actor // the last one of a chain may hold a text
	actorN      int
	clients     [len(clientClaims)]string
	clientN     int
	thumbprints [4][sha256.Size]byte
	thumbprintN int
}

func (n *names) of(c *Credential) {
	n.c = *c
	id := c.Identity
	n.subjects[0], n.subjectN = id.Subject, 1
	if sub := text(id.Claims["sub"]); sub != "" && sub != id.Subject {
		n.subjects[1], n.subjectN = sub, 2
	}
	n.actorsOf(id)
	for _, claim := range clientClaims {
		if client := text(id.Claims[claim]); client != "" {
			n.clients[n.clientN] = client
			n.clientN++
		}
	}
	for _, t := range c.Thumbprints {
		if t != nil {
			n.thumbprints[n.thumbprintN] = *t
			n.thumbprintN++
		}
	}
}

// actorsOf adds the actors of the claim `act`, and who the policy takes for the actor. A
// text in place of an object (RFC 8693 4.1 has none) is a subject: providers that write
// it mean that, and here a name can only refuse. Who acts now and has no name that can
// be read is added without one, see [table.add]. Who acted before has to have a name.
func (n *names) actorsOf(id *authz.Identity) {
	named := false
	act := id.Claims["act"]
	for i := 0; act != nil && i <= maxActors; i++ {
		object, _ := act.(map[string]any)
		subject := text(act)
		if object != nil {
			subject = text(object["sub"])
		}
		if subject != "" {
			issuer, _ := object["iss"].(string)
			n.actor(issuer, subject)
			named = named || i == 0
		}
		act = object["act"]
	}
	if a := id.Actor; a != nil && (a.Subject != "" || !named) {
		n.actor(a.Issuer, a.Subject)
	}
}

// ActorUnnamed says whether somebody acts by the credential whose name cannot be read.
func (c *Credential) ActorUnnamed() bool {
	var n names
	n.of(c)
	return slices.ContainsFunc(n.actors[:n.actorN], func(a authz.Actor) bool { return a.Subject == "" })
}

// actor adds an actor. One without issuer is named by that of the token.
func (n *names) actor(issuer, subject string) {
	if issuer == "" {
		issuer = n.c.Identity.Issuer
	}
	n.actors[n.actorN] = authz.Actor{Issuer: issuer, Subject: subject}
	n.actorN++
}

// text is a claim that is a text, or a whole number in decimal.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// table finds entries by all that they name.
type table struct {
	shapes  []field
	entries map[key]*Entry
}

// maxShapes is how many combinations of fields the entries of a namespace may have: a
// check looks once for each.
const maxShapes = 32

// add adds an entry; of two that name the same the later end counts. false: it has one
// combination of fields too many.
//
// An entry that names an actor has a place without its name too, where an actor whose
// name cannot be read finds it: the two may be the same. The issuer that the entry names
// bounds that to tokens of this issuer.
func (t *table) add(e *Entry) bool {
	known := false
	for _, s := range t.shapes {
		known = known || s == e.match.shape
	}
	if !known {
		if len(t.shapes) == maxShapes {
			return false
		}
		t.shapes = append(t.shapes, e.match.shape)
	}
	if t.entries == nil {
		t.entries = map[key]*Entry{}
	}
	t.put(e.match, e)
	if e.match.shape.has(ofActor) {
		unnamed := e.match
		unnamed.actor = ""
		t.put(unnamed, e)
	}
	return true
}

func (t *table) put(k key, e *Entry) {
	if old := t.entries[k]; old == nil || old.Until.Before(e.Until) {
		t.entries[k] = e
	}
}

// hit is an entry that the credential falls under and that has not ended; nil if there
// is none.
func (t *table) hit(n *names, now time.Time) *Entry {
	for _, s := range t.shapes {
		if e := t.look(s, n, now); e != nil {
			return e
		}
	}
	return nil
}

// look looks for entries of one shape, with every name that the credential has.
func (t *table) look(s field, n *names, now time.Time) *Entry {
	k := key{shape: s}
	if s.has(ofIssuer) {
		k.issuer = n.c.Identity.Issuer
	}
	if s.has(ofToken) {
		k.token = n.c.Identity.CredentialID
	}
	if s.has(ofCredential) {
		k.credential = n.c.Identity.CredentialID
	}
	if s.has(ofSecret) {
		k.secret = n.c.Secret
	}
	if s.has(ofKey) {
		k.keyID = n.c.KeyID
	}
	for i := range times(s, ofSubject, n.subjectN) {
		if s.has(ofSubject) {
			k.subject = n.subjects[i]
		}
		for i := range times(s, ofActor, n.actorN) {
			if s.has(ofActor) {
				k.actor = n.actors[i].Subject
			}
			if s.has(ofActorIssuer) {
				k.actorIssuer = n.actors[i].Issuer
			}
			for i := range times(s, ofClient, n.clientN) {
				if s.has(ofClient) {
					k.client = n.clients[i]
				}
				for i := range times(s, ofThumbprint, n.thumbprintN) {
					if s.has(ofThumbprint) {
						k.thumbprint = n.thumbprints[i]
					}
					if e := t.entries[k]; e != nil && !e.Ended(now) {
						return e
					}
				}
			}
		}
	}
	return nil
}

// times is how often to look: once where the shape does not have the field.
func times(s, f field, names int) int {
	if s.has(f) {
		return names
	}
	return 1
}
