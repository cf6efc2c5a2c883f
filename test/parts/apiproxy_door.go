package parts

import (
	"io"
	"log"
	"net"
)

// Refuse resets every connection, those that are open and those that come, until it is told otherwise.
func (p *APIProxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = yes
	if !yes {
		return
	}
	for conn := range p.listening {
		reset(conn)
	}
}

// Refused is how many connections were tried while all were refused.
func (p *APIProxy) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// door accepts the connections of a proxy, or resets them.
type door struct {
	net.Listener
	p *APIProxy
}

// Accept returns the next connection that is not refused.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if d.p.admits(conn) {
			return &guest{conn, d.p}, nil
		}
		reset(conn)
	}
}

func (p *APIProxy) admits(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusing {
		p.refused++
		return false
	}
	p.listening[conn] = true
	return true
}

// guest is a connection that was admitted.
type guest struct {
	net.Conn
	p *APIProxy
}

// Close forgets the connection.
func (g *guest) Close() error {
	g.p.mu.Lock()
	delete(g.p.listening, g.Conn)
	g.p.mu.Unlock()
	return g.Conn.Close()
}

// reset closes a connection as a host does on which nobody listens.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// nobodys is a log that nobody reads.
func nobodys() *log.Logger { return log.New(io.Discard, "", 0) }
