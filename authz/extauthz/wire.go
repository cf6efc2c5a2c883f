package extauthz

import (
	"errors"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// errWire says that bytes are no message of protobuf, or have a text that is not
// UTF-8. It holds nothing of them.
var errWire = errors.New("it is no message of protobuf, or a text in it is not UTF-8")

// message reads the fields of a message of protobuf one after another.
//
//	for m := message(wire); m.next(); { ... m.number, m.value ... }
//
// It reads what a check needs: fields that are delimited by their length. It checks
// the form of any other and skips it, as the library does with fields that it does
// not know. value is a part of wire.
type message struct {
	rest   []byte
	number int32
	value  []byte
	bad    bool
}

// next goes to the next field with a length. At the end, and where the message is
// malformed (bad), it returns false.
func (m *message) next() bool {
	for len(m.rest) > 0 {
		number, kind, n := consumeTag(m.rest)
		if n < 0 {
			return m.fail()
		}
		m.rest = m.rest[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, m.rest); n < 0 {
				return m.fail()
			}
			m.rest = m.rest[n:]
			continue
		}
		value, n := consumeBytes(m.rest)
		if n < 0 {
			return m.fail()
		}
		m.number, m.value, m.rest = int32(number), value, m.rest[n:]
		return true
	}
	return false
}

func (m *message) fail() bool {
	m.bad = true
	return false
}

// consumeTag and consumeBytes have a short way for a number that takes one byte.
func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	if c := b[0]; c < 0x80 && c >= 1<<3 {
		return protowire.Number(c >> 3), protowire.Type(c & 7), 1
	}
	return protowire.ConsumeTag(b)
}

func consumeBytes(b []byte) ([]byte, int) {
	if len(b) > 0 && b[0] < 0x80 {
		if end := 1 + int(b[0]); end <= len(b) {
			return b[1:end:end], end
		}
		return nil, -1
	}
	return protowire.ConsumeBytes(b)
}

// readPair reads a message of two fields with a length in the usual form: both once,
// in order, each of less than 16 KiB, and nothing else. ok is false for any other form.
func readPair(wire []byte, firstField, secondField protowire.Number) (first, second []byte, ok bool) {
	if first, wire, ok = readUsual(wire, firstField); ok && len(wire) > 0 {
		second, wire, ok = readUsual(wire, secondField)
	}
	return first, second, ok && len(wire) == 0
}

// readUsual reads a field below 16 of less than 16 KiB.
func readUsual(wire []byte, field protowire.Number) (value, rest []byte, ok bool) {
	if len(wire) < 2 || wire[0] != byte(field<<3|2) {
		return nil, nil, false
	}
	size, start := int(wire[1]), 2
	if size >= 1<<7 {
		if len(wire) < 3 || wire[2] >= 1<<7 {
			return nil, nil, false
		}
		size, start = size&0x7f|int(wire[2])<<7, 3
	}
	if end := start + size; end <= len(wire) {
		return wire[start:end:end], wire[end:], true
	}
	return nil, nil, false
}

// readText makes a text of bytes that nobody changes any more, without a copy.
func readText(b []byte) (string, bool) {
	return share(b), utf8.Valid(b)
}

// share is b as a string that shares its bytes. The message of a check is copied
// once, is never changed, and lives as long as something of it is held.
func share(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) // #nosec G103 -- the bytes never change
}
