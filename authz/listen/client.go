package listen

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
)

// Who asks at a door without client certificates.
const (
	// Loopback: a process of this host, container or pod.
	Loopback = "loopback"
	// Network: whoever the network lets in ([Config.TrustNetwork]).
	Network = "network"
)

// Client is who asks on a connection, for records: the name in ClientNames by which a
// client certificate was let in. Where that is "*", it is the first name of the
// certificate, or "*" if it has none. Without client certificates it is [Loopback] or
// [Network]. state is that of a handshake that is complete; nil is plaintext.
func (l *Listener) Client(state *tls.ConnectionState) string {
	if len(l.clientNames) > 0 && state != nil && len(state.PeerCertificates) > 0 {
		return nameAmong(state.PeerCertificates[0], l.clientNames)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return Loopback
	}
	return Network
}

func nameAmong(cert *x509.Certificate, names []string) string {
	has := namesOf(cert)
	for _, name := range names {
		if slices.Contains(has, name) {
			return name
		}
	}
	if len(has) > 0 {
		return has[0]
	}
	return "*"
}
