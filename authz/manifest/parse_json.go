package manifest

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// parseJSON returns the documents of a file of JSON: one value, or several one
// after the other. JSON is not read as YAML, which knows other escapes and
// takes no tabs. The checker reports duplicate names.
func parseJSON(data []byte) ([]*yaml.Node, *authz.Problem) {
	p := &jsonParser{data: data, line: 1}
	p.dec = jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	var docs []*yaml.Node
	for {
		if p.dec.PeekKind() == 0 {
			if _, err := p.dec.ReadToken(); errors.Is(err, io.EOF) {
				return docs, nil
			}
		}
		doc, err := p.value(0)
		if err != nil {
			return docs, p.problem(err)
		}
		if docs = append(docs, doc); len(docs) > maxDocuments {
			return nil, atLine(doc.Line, "expected at most 1,000 documents in a file, and this is one more; split it")
		}
	}
}

type jsonParser struct {
	data []byte
	dec  *jsontext.Decoder
	// line and start are where counting lines got to.
	line, start, counted int
}

var errDepth = errors.New("too deep")

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	if kind := p.dec.PeekKind(); kind == '{' || kind == '[' {
		return p.container(kind, depth)
	}
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	n := p.node(yaml.ScalarNode, len(raw))
	n.Value = string(raw)
	switch raw.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return nil, err
		}
		n.Tag, n.Style, n.Value = "!!str", yaml.DoubleQuotedStyle, string(text)
	case '0':
		n.Tag = "!!float"
		if _, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			n.Tag = "!!int"
		}
	case 'n':
		n.Tag = "!!null"
	default:
		n.Tag = "!!bool"
	}
	return n, nil
}

func (p *jsonParser) container(kind jsontext.Kind, depth int) (*yaml.Node, error) {
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	n, end := p.node(yaml.MappingNode, 1), jsontext.Kind('}')
	n.Tag = "!!map"
	if kind == '[' {
		n.Kind, n.Tag, end = yaml.SequenceNode, "!!seq", ']'
	}
	for p.dec.PeekKind() != end {
		child, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	_, err := p.dec.ReadToken()
	return n, err
}

// node is a node whose text, of this length, was read last.
func (p *jsonParser) node(kind yaml.Kind, length int) *yaml.Node {
	offset := int(p.dec.InputOffset()) - length
	for ; p.counted < offset; p.counted++ {
		if p.data[p.counted] == '\n' {
			p.line, p.start = p.line+1, p.counted+1
		}
	}
	return &yaml.Node{Kind: kind, Line: p.line, Column: 1 + offset - p.start}
}

func (p *jsonParser) problem(err error) *authz.Problem {
	line := lineOf(p.data, min(int(p.dec.InputOffset()), len(p.data)))
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errDepth):
		return atLine(line, "it is nested too deeply; expected at most 64 levels")
	case errors.As(err, &syntax):
		line = lineOf(p.data, min(int(syntax.ByteOffset), len(p.data)))
	}
	return atLine(line, "this is not JSON (RFC 8259); look for a comma too many or too few, a missing quote or bracket, or a comment")
}
