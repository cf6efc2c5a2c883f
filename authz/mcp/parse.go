package mcp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Members of the message, and of its parameters, that say what it is.
const (
	jsonrpc = iota
	id
	method
	params
	result
	errorMember
	members
)

const (
	name = iota
	uri
	arguments
	meta
	ref
	notifications
	task
	parameters
)

var (
	messageMembers   = []string{"jsonrpc", "id", "method", "params", "result", "error"}
	parameterMembers = []string{"name", "uri", "arguments", "_meta", "ref", "notifications", "taskId"}
	versionMember    = []string{"io.modelcontextprotocol/protocolVersion"}
	refMembers       = []string{"type", "name", "uri"}
	filterMember     = []string{"resourceSubscriptions"}
)

// message are the members of a message that count, as they came; nil is absent.
type message struct {
	own    [members]jsontext.Value
	params [parameters]jsontext.Value
}

// parse reads the one JSON-RPC message that a body is.
func parse(body []byte) (*Call, *Error) {
	if err := checkShape(body); err != nil {
		return nil, err
	}
	m := &message{}
	p := parser{dec: borrow(body), body: body}
	defer giveBack(p.dec, body)
	err := p.object(messageMembers, func(i int) error {
		if i == params && p.dec.PeekKind() == '{' {
			m.own[params] = jsontext.Value("{}")
			return p.object(parameterMembers, func(i int) error { return p.value(&m.params[i]) })
		}
		return p.value(&m.own[i])
	})
	if err == nil {
		if _, err = p.dec.ReadToken(); errors.Is(err, io.EOF) {
			return m.call()
		}
		err = invalid(codeParse, "the body has something behind its JSON object")
	}
	return nil, told(err)
}

// told is the Error for an error of the decoder, which quotes what it read.
func told(err error) *Error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, jsontext.ErrDuplicateName):
		return invalid(codeRequest, "the body has a name twice in one JSON object: servers differ in which one they take")
	}
	return invalid(codeParse, "the body is no JSON text (RFC 8259) in UTF-8, or was cut")
}

// decoders are used again: what they know of names takes as long to make as a short
// body takes to read.
var decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(nothing) }}

var nothing = strings.NewReader("")

// borrow returns a decoder of data.
func borrow(data []byte) *jsontext.Decoder {
	dec := decoders.Get().(*jsontext.Decoder)
	dec.Reset(bytes.NewBuffer(data)) // a Buffer is read in place
	return dec
}

// giveBack takes the decoder of data back, but one that needed much memory.
func giveBack(dec *jsontext.Decoder, data []byte) {
	if len(data) <= MaxArguments {
		dec.Reset(nothing)
		decoders.Put(dec)
	}
}

// parser reads objects whose members are known by name.
type parser struct {
	dec  *jsontext.Decoder
	body []byte
}

// value is the next value, as it came.
func (p *parser) value(out *jsontext.Value) error {
	v, err := p.dec.ReadValue()
	end := int(p.dec.InputOffset())
	*out = p.body[end-len(v) : end]
	return err
}

// object reads an object. Where a member of a known name comes, at reads its value.
// A name that only some servers take for a known one is an error.
func (p *parser) object(known []string, at func(i int) error) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		i, err := p.member(known)
		if err == nil && i >= 0 {
			err = at(i)
		} else if err == nil {
			err = p.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// proto is a name that copies of objects in JavaScript take for their prototype.
const proto = "__proto__"

// member reads the name of a member: the index of a known one, or -1.
func (p *parser) member(known []string) (int, error) {
	quoted, err := p.dec.ReadValue()
	if err != nil {
		return -1, err
	}
	came := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(came, '\\') >= 0 {
		if came, err = jsontext.AppendUnquote(nil, quoted); err != nil {
			return -1, err
		}
	}
	for i, k := range known {
		if string(came) == k {
			return i, nil
		}
	}
	if string(came) == proto {
		return -1, invalid(codeRequest, "the body has the name "+proto+", whose members some servers take for those of the object around it")
	}
	for _, k := range known {
		if alike(came, k) {
			return -1, invalid(codeRequest, "the body has the name "+k+" in another spelling, which some servers take for it")
		}
	}
	return -1, nil
}

// alike says whether a lenient reader may take a name for a known one: without
// regard to letter case (as Unicode folds it), to "-" and to "_". A body has up to
// hundreds of thousands of names, so nothing is allocated for one.
func alike(came []byte, known string) bool {
	if len(came) > 4*len(known) {
		return false
	}
	i, skip := 0, known != "_meta"
	for len(came) > 0 {
		r, size := utf8.DecodeRune(came)
		came = came[size:]
		if skip && (r == '-' || r == '_') {
			continue
		}
		if i == len(known) || folded(r) != folded(rune(known[i])) {
			return false
		}
		i++
	}
	return i == len(known)
}

// folded is a letter of ASCII in lower case, also one that only folds to it.
func folded(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r == '\u212a': // the sign of the kelvin
		return 'k'
	case r == '\u017f': // the long s
		return 's'
	}
	return r
}

// inner reads the known members of an object that was read as a value.
func inner(object jsontext.Value, known []string, out []jsontext.Value) *Error {
	p := parser{dec: borrow(object), body: object}
	defer giveBack(p.dec, object)
	if err := p.object(known, func(i int) error { return p.value(&out[i]) }); err != nil {
		return told(err)
	}
	return nil
}

// text is the text of a JSON string; ok is false for another value, and for none.
func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	if raw := v[1 : len(v)-1]; bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), true
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}

// isNull says whether a member is absent: null is none.
func isNull(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }
