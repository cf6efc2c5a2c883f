package worker

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields: CheckResponse {status, denied_response, ok_response}, DeniedHttpResponse.status,
// OkHttpResponse.headers, google.rpc.Status.code, HttpStatus.code.
const (
	statusField, deniedField, okField = 1, 2, 3
	deniedStatusField                 = 1
	okHeadersField                    = 2
	codeField                         = 1
)

// A Verdict is what an answer says to a proxy.
type Verdict struct {
	Status  int // of HTTP; 200 is allowed
	Headers int // for the upstream
}

// Read returns the verdict of a CheckResponse. It reads as much as a measurement needs, and is not Envoy's reader.
func Read(answer []byte) (v Verdict, err error) {
	code, allowed, denied := uint64(0), false, false
	err = each(answer, func(field protowire.Number, value []byte, _ uint64) error {
		switch field {
		case statusField:
			return each(value, func(f protowire.Number, _ []byte, n uint64) error {
				if f == codeField {
					code = n
				}
				return nil
			})
		case okField:
			allowed = true
			return each(value, func(f protowire.Number, _ []byte, _ uint64) error {
				if f == okHeadersField {
					v.Headers++
				}
				return nil
			})
		case deniedField:
			denied = true
			return each(value, func(f protowire.Number, status []byte, _ uint64) error {
				if f != deniedStatusField {
					return nil
				}
				return each(status, func(f protowire.Number, _ []byte, n uint64) error {
					if f == codeField {
						v.Status = int(n)
					}
					return nil
				})
			})
		default:
		}
		return nil
	})
	switch {
	case err != nil:
		return Verdict{}, err
	case allowed && code == 0:
		v.Status = 200
	case allowed || !denied || code == 0 || v.Status == 0:
		return Verdict{}, fmt.Errorf("expected an answer that allows or denies, got status %d, allowed %t, denied %t", code, allowed, denied)
	}
	return v, nil
}

// Want is a Check that accepts one verdict.
func Want(want Verdict) func([]byte) error {
	return func(answer []byte) error {
		got, err := Read(answer)
		if err == nil && got != want {
			err = fmt.Errorf("expected status %d and %d headers for the upstream, got %d and %d", want.Status, want.Headers, got.Status, got.Headers)
		}
		return err
	}
}

// each calls f with the fields of a message: the bytes or the number of each.
func each(message []byte, f func(field protowire.Number, value []byte, n uint64) error) error {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(message)
		default:
			size = protowire.ConsumeFieldValue(field, kind, message)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		if err := f(field, value, n); err != nil {
			return err
		}
	}
	return nil
}
