package main

import (
	"bytes"
	"fmt"
	"strconv"
)

var (
	ok          = []byte("HTTP/1.1 200 ")
	endOfHead   = []byte("\r\n\r\n")
	lengthField = []byte("\r\ncontent-length: ")
)

// isWhole says whether an answer is there to its end; one that is no 200 is an error.
func isWhole(answer []byte) (bool, error) {
	end := bytes.Index(answer, endOfHead)
	if end < 0 {
		return false, nil
	}
	if !bytes.HasPrefix(answer, ok) {
		return false, fmt.Errorf("expected 200, got %q", answer)
	}
	_, text, found := bytes.Cut(answer[:end], lengthField)
	if !found {
		return false, fmt.Errorf("expected content-length, got %q", answer[:end])
	}
	text, _, _ = bytes.Cut(text, endOfHead[:2])
	length, err := strconv.Atoi(string(text))
	if err != nil {
		return false, err
	}
	return len(answer) == end+len(endOfHead)+length, nil
}
