package authz

import (
	"slices"
	"strings"
)

// connectionOptions are what a connection field may name. A proxy that gets the
// field removes the fields that it names (RFC 9110 7.6.1): a caller could name
// one that says who it is.
var connectionOptions = []string{"", "upgrade", "close", "keep-alive", "te", "http2-settings"}

// checkConnection refuses a connection field that names another field.
func (r *Request) checkConnection() error {
	if r.fields.roles.has(connectionRole) && !r.onlyOptions(connectionRole) {
		return bad("the connection" + moreOptions)
	}
	if r.fields.roles.has(proxyConnectionRole) && !r.onlyOptions(proxyConnectionRole) {
		return bad("the proxy-connection" + moreOptions)
	}
	return nil
}

const moreOptions = " header names more than upgrade, close, keep-alive, te and http2-settings"

// onlyOptions says whether the fields of a role name nothing but connection options.
func (r *Request) onlyOptions(of role) bool {
	for i := range r.fields.list {
		f := &r.fields.list[i]
		if f.role != of {
			continue
		}
		for option := range strings.SplitSeq(f.value, ",") {
			if !slices.Contains(connectionOptions, Lower(strings.Trim(option, " \t"))) {
				return false
			}
		}
	}
	return true
}
