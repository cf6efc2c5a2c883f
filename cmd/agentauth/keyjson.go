package main

import (
	"bytes"
	"errors"
	"io"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

var errJSON = errors.New("it is no JSON with one value and unique names; agentauth validate says where")

// parseJSONNode reads a JSON text as nodes, so that files of both kinds are changed
// in one way.
func parseJSONNode(data []byte) (*yaml.Node, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	value, err := jsonValue(dec)
	if err != nil {
		return nil, errJSON
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{value}}, nil
}

func jsonValue(dec *jsontext.Decoder) (*yaml.Node, error) {
	t, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{', '[':
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		end := jsontext.KindEndObject
		if t.Kind() == '[' {
			n.Kind, n.Tag, end = yaml.SequenceNode, "!!seq", jsontext.KindEndArray
		}
		for dec.PeekKind() != end {
			inner, err := jsonValue(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, inner)
		}
		_, err := dec.ReadToken()
		return n, err
	case '"':
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: t.String()}, nil
	case 'n':
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case 't', 'f':
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: t.String()}, nil
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: t.String()}, nil
	}
}

var jsonIndent = regexp.MustCompile(`^\s*[{[]\r?\n([ \t]+)`)

// encodeJSONNode writes nodes as JSON, indented as the text was.
func encodeJSONNode(n *yaml.Node, was []byte) ([]byte, error) {
	options := []jsontext.Options{jsontext.Multiline(false)}
	if m := jsonIndent.FindSubmatch(was); m != nil {
		options = []jsontext.Options{jsontext.WithIndent(string(m[1]))}
	}
	var out bytes.Buffer
	if err := writeJSON(jsontext.NewEncoder(&out, options...), n); err != nil {
		return nil, errors.New("its JSON cannot be written")
	}
	text := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if bytes.HasSuffix(was, []byte("\n")) {
		text = append(text, '\n')
	}
	return text, nil
}

func writeJSON(enc *jsontext.Encoder, n *yaml.Node) error {
	begin, end := jsontext.BeginObject, jsontext.EndObject
	switch {
	case n.Kind == yaml.SequenceNode:
		begin, end = jsontext.BeginArray, jsontext.EndArray
	case n.Kind == yaml.MappingNode:
	case n.Tag == "!!str":
		return enc.WriteToken(jsontext.String(n.Value))
	default:
		return enc.WriteValue(jsontext.Value(n.Value))
	}
	if err := enc.WriteToken(begin); err != nil {
		return err
	}
	for _, inner := range n.Content {
		if err := writeJSON(enc, inner); err != nil {
			return err
		}
	}
	return enc.WriteToken(end)
}
