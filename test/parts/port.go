package parts

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort finds a TCP port on 127.0.0.1 for a part that must be told one before it starts. It stays
// below the range from which kernels serve port 0 and outgoing connections, so that nothing takes the
// port between this call and the start of the part.
func FreePort() (int, error) {
	const low, high, tries = 20000, 32000, 200 // Envoy Gateway has ports below that no setting changes
	for range tries {
		port := low + rand.IntN(high-low) // #nosec G404 -- a port, not a secret
		listener, err := net.Listen("tcp", loopback(port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.New("found no free TCP port on 127.0.0.1")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// part is the host (0) or the port (1) of an address.
func part(address string, which int) (string, error) {
	host, port, err := net.SplitHostPort(address)
	return []string{host, port}[which], err
}
