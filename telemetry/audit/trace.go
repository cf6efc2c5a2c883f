package audit

import (
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// TraceParent is the traceparent of a request; "" if it is missing, empty or there twice.
func TraceParent(headers []authz.Header) (value string) {
	for i := range headers {
		if h := &headers[i]; len(h.Name) == len("traceparent") && strings.EqualFold(h.Name, "traceparent") {
			if value != "" || h.Value == "" {
				return ""
			}
			value = h.Value
		}
	}
	return value
}

// TraceOf is the trace id of a request, and whether it is sampled; "" if its
// traceparent is missing, is there twice, or is not as W3C Trace Context has it. It
// shares its text with the request.
func TraceOf(headers []authz.Header) (id string, sampled bool) {
	parent := TraceParent(headers)
	const form = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(parent) != len(form) || parent[:2] == "ff" {
		return "", false
	}
	for i := range len(form) {
		c := parent[i]
		if form[i] == '-' && c != '-' || form[i] == '0' && !lowerHex(c) {
			return "", false
		}
	}
	const none = "00000000000000000000000000000000"
	trace, span := parent[3:35], parent[36:52]
	if trace == none || span == none[:16] {
		return "", false
	}
	return trace, strings.IndexByte("13579bdf", parent[54]) >= 0
}

func lowerHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
