package mcp

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// call makes a call of a message. An error has the id of the request once it is
// known to be one.
func (m *message) call() (*Call, *Error) {
	c := &Call{}
	if version, ok := text(m.own[jsonrpc]); !ok || version != "2.0" {
		return nil, invalid(codeRequest, `expected "jsonrpc": "2.0"`)
	}
	err := m.identify(c)
	if err == nil {
		err = m.kind(c)
	}
	if err == nil {
		err = m.read(c)
	}
	if err != nil {
		err.ID = c.answerID()
		return nil, err
	}
	return c, nil
}

// answerID is the id that an answer to the message has, in JSON.
func (c *Call) answerID() string {
	if len(c.id) == 0 {
		return "null"
	}
	return string(c.id)
}

// identify reads the id: a text or a whole number. MCP has no id that is null.
func (m *message) identify(c *Call) *Error {
	v := m.own[id]
	if v == nil {
		return nil
	}
	problem := invalid(codeRequest, "expected an id that is a text or a whole number, of at most 256 bytes")
	if len(v) > maxID {
		return problem
	}
	switch s, isText := text(v); {
	case isText:
		c.ID = s
	case v.Kind() == '0' && !bytes.ContainsAny(v, ".eE"):
		c.ID = string(v)
	default:
		return problem
	}
	c.id = v
	return nil
}

// kind tells requests and notifications, which have a method, from responses.
func (m *message) kind(c *Call) *Error {
	answers := m.own[result] != nil || m.own[errorMember] != nil
	if m.own[method] == nil {
		switch {
		case !answers:
			return invalid(codeRequest, "the body has neither a method, a result nor an error: expected a JSON-RPC message")
		case m.own[result] != nil && m.own[errorMember] != nil:
			return invalid(codeRequest, "the body has a result and an error, expected one of them")
		case m.own[result] != nil && c.id == nil:
			return invalid(codeRequest, "the body has a result and no id, expected the id of the request that it answers")
		}
		return nil
	}
	came, ok := text(m.own[method])
	switch {
	case answers:
		return invalid(codeRequest, "the body has a method beside a result or an error: servers differ in what it is")
	case !ok:
		return invalid(codeRequest, "expected the method to be a text")
	}
	c.Method, c.request = came, c.id != nil
	return checkMethod(came)
}

func checkMethod(came string) *Error {
	if came == "" || len(came) > maxMethod || strings.Trim(came, visible) != "" {
		return invalid(codeRequest, "expected a method of 1 to 256 visible ASCII characters")
	}
	for _, known := range naming {
		if came != known && strings.EqualFold(came, known) {
			return invalid(codeRequest, "the method is "+known+" in another letter case, which some servers take for it")
		}
	}
	return nil
}

// visible are the visible characters of ASCII.
var visible = func() string {
	var b strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}()

// read reads what the parameters say: the version, what the call names and its
// arguments.
func (m *message) read(c *Call) *Error {
	if v := m.params[meta]; v.Kind() == '{' {
		var version [1]jsontext.Value
		if err := inner(v, versionMember, version[:]); err != nil {
			return err
		}
		c.Version, _ = text(version[0])
	}
	if mayName(c.Method) && m.own[params].Kind() != '{' {
		return invalid(codeParams, "the method names something, expected params to be an object")
	}
	switch n, ok := named[c.Method]; {
	case ok:
		if n.kind == Resource {
			return c.add(n.kind, m.params[uri], "params.uri")
		}
		if err := c.add(n.kind, m.params[name], "params.name"); err != nil {
			return err
		}
		return m.readArguments(c)
	case c.Method == complete:
		return m.readReference(c)
	case c.Method == listen:
		return m.readFilter(c)
	case strings.HasPrefix(c.Method, "tasks/"):
		c.task, _ = text(m.params[task])
	}
	return nil
}

func (m *message) readArguments(c *Call) *Error {
	if v := m.params[arguments]; !isNull(v) {
		if v.Kind() != '{' {
			return invalid(codeParams, "expected params.arguments to be an object")
		}
		c.arguments = v
	}
	return nil
}

// readReference reads the prompt, or the template of resources, whose argument is to
// be completed.
func (m *message) readReference(c *Call) *Error {
	var reference [3]jsontext.Value
	if m.params[ref].Kind() != '{' {
		return invalid(codeParams, "expected params.ref to be an object")
	}
	if err := inner(m.params[ref], refMembers, reference[:]); err != nil {
		return err
	}
	switch kind, _ := text(reference[0]); kind {
	case "ref/prompt":
		return c.add(Prompt, reference[1], "params.ref.name")
	case "ref/resource":
		return c.add(Resource, reference[2], "params.ref.uri")
	}
	return invalid(codeParams, "expected params.ref.type to be ref/prompt or ref/resource")
}

// readFilter reads the resources whose changes a client wants to learn.
func (m *message) readFilter(c *Call) *Error {
	if isNull(m.params[notifications]) {
		return nil
	}
	if m.params[notifications].Kind() != '{' {
		return invalid(codeParams, "expected params.notifications to be an object")
	}
	var subscriptions [1]jsontext.Value
	if err := inner(m.params[notifications], filterMember, subscriptions[:]); err != nil || isNull(subscriptions[0]) {
		return err
	}
	problem := invalid(codeParams, "expected params.notifications.resourceSubscriptions to be a list of at most 64 URIs")
	dec := borrow(subscriptions[0])
	defer giveBack(dec, subscriptions[0])
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '[' {
		return problem
	}
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil || len(c.Resources) == maxResources {
			return problem
		}
		if err := c.add(Resource, v, "params.notifications.resourceSubscriptions"); err != nil {
			return err
		}
	}
	return nil
}

// add adds a name to the call.
func (c *Call) add(kind Kind, v jsontext.Value, where string) *Error {
	came, ok := text(v)
	if !ok {
		return invalid(codeParams, "expected "+where+" to be a text of 1 to 8192 bytes")
	}
	return c.addText(kind, came, where)
}

func (c *Call) addText(kind Kind, came, where string) *Error {
	switch {
	case came == "" || len(came) > MaxName:
		return invalid(codeParams, "expected "+where+" to be a text of 1 to 8192 bytes")
	case strings.ContainsFunc(came, unicode.IsControl) || strings.TrimSpace(came) != came:
		return invalid(codeParams, where+" has a control character, or white space around it: servers differ in whether they cut that off")
	case kind == Resource && hasDotSegment(came):
		return invalid(codeParams, where+` has a segment "." or "..", which some servers resolve`)
	case kind == Resource && rewritten(came):
		return invalid(codeParams, where+" is a URI in another spelling than its normal one (as FILE:, %61 for a, a backslash or a default port), for which servers read another")
	}
	c.Kind = kind
	switch kind {
	case Tool:
		c.Tool = came
	case Prompt:
		c.Prompt = came
	default:
		c.Resources = append(c.Resources, came)
	}
	return nil
}
