package revoke

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	// maxEntry is the longest text of an entry in bytes, maxText that of a field.
	maxEntry = 4 << 10
	maxText  = 1024
)

// wrong is what is wrong with a field of an entry; field is "" for the whole.
type wrong struct{ field, message string }

func (w *wrong) Error() string { return strings.TrimPrefix(w.field+": "+w.message, ": ") }

// endless is the end of an entry whose own cannot be read.
var endless = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Parse reads the text of an entry, YAML or JSON, of a ConfigMap of a namespace. An
// error repeats no value. Beside an error about the end or the reason alone there is an
// Entry that has no end: what it revokes is known.
func Parse(namespace string, text []byte) (*Entry, error) {
	root, err := parseText(text)
	if err != nil {
		return nil, err
	}
	e := &Entry{}
	if err := e.read(root); err != nil {
		return nil, err
	}
	if err := e.check(namespace); err != nil {
		return nil, err
	}
	if e.Until.IsZero() && e.odd == nil {
		e.odd = &wrong{"until", "it is missing: a revocation needs an end, as in 2027-01-31T00:00:00Z; for a token that is when it ends"}
	}
	if e.odd != nil {
		e.Until = endless
		return e, e.odd
	}
	return e, nil
}

// parseText parses one object.
func parseText(text []byte) (*yaml.Node, error) {
	switch {
	case len(text) > maxEntry:
		return nil, &wrong{"", fmt.Sprintf("expected at most 4 KiB, got %d bytes; shorten reason", len(text))}
	case !utf8.Valid(text):
		return nil, &wrong{"", "expected text in UTF-8"}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, &wrong{"", "it is empty; write what is revoked and until, or remove the entry"}
	case err != nil:
		return nil, &wrong{"", "it is neither YAML nor JSON; expected an object as in {issuer: https://idp.example.com, subject: alice, until: 2027-01-31T00:00:00Z}"}
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &wrong{"", "something comes after its object; give each revocation an entry of its own"}
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &wrong{"", "expected an object with fields (issuer, subject, until, …)"}
	}
	return doc.Content[0], nil
}

// eachField calls read for each field of an object, of which none may come twice.
func eachField(object *yaml.Node, at string, read func(name string, value *yaml.Node) error) error {
	if object.Kind != yaml.MappingNode || object.Anchor != "" {
		return &wrong{strings.TrimSuffix(at, "."), "expected an object"}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(object.Content); i += 2 {
		name, value := object.Content[i], object.Content[i+1]
		if name.Kind != yaml.ScalarNode || name.ShortTag() != "!!str" || name.Anchor != "" {
			return &wrong{strings.TrimSuffix(at, "."), "the name of a field is no text"}
		}
		if seen[name.Value] {
			return &wrong{at + authz.Cut(name.Value, 64), "the field comes twice; remove one"}
		}
		seen[name.Value] = true
		if err := read(name.Value, value); err != nil {
			return err
		}
	}
	return nil
}

// read reads the fields.
func (e *Entry) read(object *yaml.Node) error {
	k := &e.match
	texts := map[string]struct {
		to *string
		of field
	}{
		"issuer": {&k.issuer, ofIssuer}, "subject": {&k.subject, ofSubject}, "client": {&k.client, ofClient}, "jti": {&k.token, ofToken},
		"secret": {&k.secret, ofSecret}, "credentialId": {&k.credential, ofCredential}, "kid": {&k.keyID, ofKey},
		"actor.issuer": {&k.actorIssuer, ofActorIssuer}, "actor.subject": {&k.actor, ofActor},
	}
	var field func(at string) func(string, *yaml.Node) error
	field = func(at string) func(string, *yaml.Node) error {
		return func(name string, value *yaml.Node) (err error) {
			name = at + name
			if to, ok := texts[name]; ok {
				k.shape |= to.of
				*to.to, err = textOf(name, value)
				return err
			}
			switch name {
			case "actor":
				return eachField(value, "actor.", field("actor."))
			case "thumbprint":
				return k.readThumbprint(value)
			case "until":
				e.note(e.readUntil(value))
				return nil
			case "reason":
				e.Reason, err = textOf(name, value)
				e.note(err)
				return nil
			}
			return &wrong{authz.Cut(name, 64), "it is no field of a revocation; expected issuer, subject, actor, client, jti, secret, credentialId, kid, thumbprint, until or reason"}
		}
	}
	return eachField(object, "", field(""))
}

// note keeps the first error that does not touch what is revoked.
func (e *Entry) note(err error) {
	if e.odd == nil {
		e.odd = err
	}
}

// textOf is the text of a field.
func textOf(name string, n *yaml.Node) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Anchor != "":
		return "", &wrong{name, "expected a text"}
	case n.ShortTag() != "!!str":
		return "", &wrong{name, "expected a text; put it in quotes"}
	case n.Value == "" && name == "issuer": // that of credentials that have none
	case n.Value == "":
		return "", &wrong{name, "it is empty; give it a value, or leave the field out"}
	case len(n.Value) > maxText:
		return "", &wrong{name, "expected at most 1,024 bytes"}
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		return "", &wrong{name, "expected a text without control characters"}
	}
	return strings.Clone(n.Value), nil
}

func (k *key) readThumbprint(n *yaml.Node) (err error) {
	const expected = "expected a SHA-256 in 64 hexadecimal digits, or in base64url as x5t#S256 and jkt have it"
	if n.Kind != yaml.ScalarNode || n.Anchor != "" {
		return &wrong{"thumbprint", expected}
	}
	var ok bool
	if k.thumbprint, ok = ParseThumbprint(n.Value); !ok { // digits alone are a number to YAML, and meant as they stand
		return &wrong{"thumbprint", expected}
	}
	k.shape |= ofThumbprint
	return nil
}

func (e *Entry) readUntil(n *yaml.Node) (err error) {
	const expected = "expected a time as in 2027-01-31T00:00:00Z (RFC 3339)"
	if n.Kind != yaml.ScalarNode || n.Anchor != "" {
		return &wrong{"until", expected}
	}
	if e.Until, err = time.Parse(time.RFC3339, n.Value); err != nil || e.Until.IsZero() {
		return &wrong{"until", expected}
	}
	return nil
}

// check holds the fields to what they mean together.
func (e *Entry) check(namespace string) error {
	k := &e.match
	has := k.shape.has
	switch {
	case k.shape == 0:
		return &wrong{"", "it names nothing that is revoked; give issuer and subject, or one of actor, client, jti, secret, kid, thumbprint"}
	case k.shape == ofIssuer:
		return &wrong{"issuer", "it would revoke all that the issuer ever issued; name a kid, subject, client, jti or actor too. To shut an issuer out, remove its method"}
	case has(ofActorIssuer) && !has(ofActor):
		return &wrong{"actor.subject", "it is missing beside actor.issuer"}
	case has(ofActor) && !has(ofActorIssuer) && !has(ofIssuer):
		return &wrong{"actor.issuer", "expected the issuer of the actor, or issuer, that of the token: another issuer's actor of that name is somebody else"}
	case has(ofClient|ofToken|ofKey) && !has(ofIssuer):
		return &wrong{"issuer", "it is missing: client, jti and kid are names that an issuer gives"}
	case has(ofSubject) && !has(ofIssuer) && has(ofActor|ofThumbprint):
		return &wrong{"issuer", "it is missing: a subject without issuer is a user, or an API key's"}
	case has(ofCredential) && !has(ofSecret):
		return &wrong{"secret", "it is missing: credentialId is an entry of the Secret that holds the API key. The id of a token is jti, that of a certificate thumbprint"}
	}
	if has(ofSubject) {
		k.shape |= ofIssuer // without one: that of a credential that has none
	}
	return k.checkSecret(namespace)
}

// checkSecret makes secret namespace/name.
func (k *key) checkSecret(namespace string) error {
	if !k.shape.has(ofSecret) {
		return nil
	}
	ns, name, whole := strings.Cut(k.secret, "/")
	switch {
	case whole && (ns == "" || name == "" || strings.Contains(name, "/")):
		return &wrong{"secret", "expected the name of a Secret, or namespace/name"}
	case !whole && namespace == "":
		return &wrong{"secret", "expected namespace/name: this revocation holds for policies of all namespaces"}
	case !whole:
		k.secret = namespace + "/" + k.secret
	}
	return nil
}
