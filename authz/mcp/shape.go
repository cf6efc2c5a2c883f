package mcp

import (
	"bytes"
	"strconv"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// checkShape refuses what no decoder need see: a text that is no object, lists and
// objects nested too deep, and numbers beyond those of a double (RFC 7493 2.2),
// which are infinite to some readers and an error to others.
func checkShape(body []byte) *Error {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case bytes.HasPrefix(body, byteOrderMark):
		return invalid(codeParse, "the body begins with a byte order mark, expected a JSON object")
	case len(trimmed) == 0:
		return invalid(codeParse, "the body is empty, expected a JSON-RPC message")
	case trimmed[0] == '[':
		return invalid(codeRequest, "the body is a batch, expected one JSON-RPC message: send each in a request of its own")
	case trimmed[0] != '{':
		return invalid(codeParse, "the body is no JSON object, expected a JSON-RPC message")
	}
	depth := 0
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			i = endOfText(body, i)
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return invalid(codeRequest, "the body nests more than "+strconv.Itoa(maxDepth)+" lists and objects")
			}
		case c == '}' || c == ']':
			depth--
		case c == '-' || c >= '0' && c <= '9':
			end := endOfNumber(body, i)
			if beyondDouble(body[i:end]) {
				return invalid(codeRequest, "the body has a number beyond those of a double (RFC 7493 2.2)")
			}
			i = end - 1
		}
	}
	return nil
}

// endOfText is the index of the quote that ends the text that begins at i.
func endOfText(body []byte, i int) int {
	for i++; i < len(body) && body[i] != '"'; i++ {
		if body[i] == '\\' {
			i++
		}
	}
	return i
}

func endOfNumber(body []byte, i int) int {
	for i < len(body) && (body[i] >= '0' && body[i] <= '9' || bytes.IndexByte([]byte("+-.eE"), body[i]) >= 0) {
		i++
	}
	return i
}

// beyondDouble looks at numbers that may be: those with an exponent, and long ones.
func beyondDouble(number []byte) bool {
	if len(number) < 300 && !bytes.ContainsAny(number, "eE") {
		return false
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return err != nil
}
