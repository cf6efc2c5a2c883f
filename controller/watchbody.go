package controller

import (
	"bytes"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type watchState int

const (
	watchTelling watchState = iota // what there is
	watchOpen
	watchOver
)

// watchBody is a watch that is open, once it told what there is, until it was
// read to its end or closed.
type watchBody struct {
	io.ReadCloser
	watches *watches
	of      *watch
	state   watchState // guarded by watches
	telling bool
	tail    []byte // of what was read while it tells
}

// allTold is in the bookmark by which a watch says that it has told all there
// is, in JSON and in protobuf. A tenant who writes it into an object makes the
// watch count as open by as much as the rest of the telling takes, no more.
var allTold = []byte(metav1.InitialEventsAnnotationKey)

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.telling && b.saw(p[:n]) {
		b.telling = false
		b.watches.move(b, watchOpen)
	}
	if err != nil {
		b.watches.move(b, watchOver)
	}
	return n, err
}

// saw says whether allTold came. It keeps of the stream what may be the
// beginning of it, and that no longer than needed: there are keys in it.
func (b *watchBody) saw(p []byte) bool {
	const most = len(metav1.InitialEventsAnnotationKey) - 1
	edge := append(b.tail, p[:min(most, len(p))]...)
	if bytes.Contains(p, allTold) || bytes.Contains(edge, allTold) {
		clear(edge[:cap(edge)])
		b.tail = nil
		return true
	}
	if b.tail = edge; len(p) > most {
		b.tail = append(b.tail[:0], p[len(p)-most:]...)
	}
	b.tail = append(b.tail[:0], b.tail[max(0, len(b.tail)-most):]...)
	return false
}

func (b *watchBody) Close() error {
	b.watches.move(b, watchOver)
	return b.ReadCloser.Close()
}
