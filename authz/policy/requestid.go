package policy

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxRequestID is the longest id of a request in bytes that a caller is told.
const maxRequestID = 128

// TellRequestID adds the id of a request to a problem document of agentauth's own, as
// the member requestId (RFC 9457 3.2): by it the caller can ask the operator. An id
// that is no usual one is left out.
func TellRequestID(d *authz.Decision, id string) {
	if !d.Problem || len(d.Body) < len("{}") {
		return
	}
	var room [2 * maxRequestID]byte
	if member, ok := appendRequestID(room[:0], id); ok {
		d.Body = d.Body[:len(d.Body)-1] + "," + string(member) + "}"
	}
}

// appendRequestID appends the member for the id of a request. ok is false for an id that
// is left out: one that is empty, or longer than maxRequestID, or not visible ASCII.
func appendRequestID(b []byte, id string) (_ []byte, ok bool) {
	if id == "" || len(id) > maxRequestID {
		return b, false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return b, false
		}
	}
	b, err := jsontext.AppendQuote(append(b, `"requestId":`...), id)
	return b, err == nil
}
