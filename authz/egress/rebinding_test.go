package egress

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// TestANameThatChangesItsAddressIsJudgedAgain lets a host redirect to itself,
// and its name point to the metadata address by then.
func TestANameThatChangesItsAddressIsJudgedAgain(t *testing.T) {
	var address atomic.Value
	address.Store([4]byte{127, 0, 0, 1})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		address.Store([4]byte{169, 254, 169, 254})
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answer(theirs, func() [4]byte { return address.Load().([4]byte) })
		return ours, nil
	}}
	c := New(Config{AllowHTTP: true, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: resolver})
	defer c.Close()
	_, err := c.Do(t.Context(), Request{URL: strings.Replace(url, "127.0.0.1", "rebinding.example.", 1)})
	wantError(t, err, "address 169.254.169.254 is link-local")
}

// answer is a name server on one connection, framed as over TCP.
func answer(conn net.Conn, address func() [4]byte) {
	defer conn.Close()
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		query := make([]byte, size)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(query) != nil {
			return
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: address()},
			}}
		}
		packed, err := m.Pack()
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
			return
		}
	}
}
