package authz

import (
	"slices"
	"strings"
)

// connectionOptions are what a connection field may name. A proxy that gets the
// field removes the fields that it names (RFC 9110 7.6.1): a caller could name
// one that says who it is.
var connectionOptions = []string{"", "upgrade", "close", "keep-alive", "te", "http2-settings"}

// checkConnection refuses a connection field that names another field. Old
// proxies take proxy-connection for it.
func (r *Request) checkConnection() error {
	for _, name := range [...]string{"connection", "proxy-connection"} {
		err := r.checkOptions(name, name)
		for _, alias := range r.aliases[name] {
			if err == nil {
				err = r.checkOptions(name, alias)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Request) checkOptions(name, came string) error {
	f, ok := r.headers[came]
	if !ok {
		return nil
	}
	for option := range strings.SplitSeq(f.value, ",") {
		if !slices.Contains(connectionOptions, Lower(strings.Trim(option, " \t"))) {
			return bad("the %s header names more than upgrade, close, keep-alive, te and http2-settings", name)
		}
	}
	return nil
}
