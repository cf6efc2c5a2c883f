package parts

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
)

// Words is what @WORD@ stands for in files of test data.
type Words map[string]string

// NewWords gives some words the ports of addresses, and others free ports.
func NewWords(addresses map[string]string, free ...string) (w Words, err error) {
	w = Words{}
	for word, address := range addresses {
		if _, w[word], err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	for _, word := range free {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		w[word] = strconv.Itoa(port)
	}
	return w, nil
}

// Read is what files of objects say, one after another.
func (w Words) Read(dir fs.FS, names ...string) (string, error) {
	var pairs []string
	for word, meaning := range w {
		pairs = append(pairs, word, meaning)
	}
	var texts []string
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return "", err
		}
		texts = append(texts, string(text))
	}
	return strings.NewReplacer(pairs...).Replace(strings.Join(texts, "\n---\n")), nil
}

// Object is the first object of files that has this text.
func (w Words) Object(dir fs.FS, has string, names ...string) (string, error) {
	objects, err := w.Read(dir, names...)
	for object := range strings.SplitSeq(objects, "\n---\n") {
		if strings.Contains(object, has) {
			return object, err
		}
	}
	return "", errors.Join(err, fmt.Errorf("expected an object with %q in %q", has, names))
}
