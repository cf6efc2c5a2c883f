//go:build !linux

package extauthz

import "net"

// polls is for Linux.
type polls struct{}

func (*polls) of(conn net.Conn) net.Conn { return conn }
