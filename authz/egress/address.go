package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// special are the ranges that hold no public address of one server, from the
// IANA special-purpose address registries (RFC 6890 and its successors).
var special = []struct {
	prefix netip.Prefix
	name   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("168.63.129.16/32"), "the Azure host agent"}, // public by number, but answered by the host
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},

	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "private"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("2001:2::/48"), "for benchmarks"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
	{netip.MustParsePrefix("2001::/23"), "reserved"},
}

// globalUnicast6 is the part of IPv6 that holds the public addresses.
var globalUnicast6 = netip.MustParsePrefix("2000::/3")

// refusedError names the address and the flag that admits it.
type refusedError struct {
	dialled, judged netip.Addr // they differ if the first carries the second
	why             string
}

func (e *refusedError) Error() string {
	carried := ""
	if e.dialled != e.judged {
		carried = fmt.Sprintf(" carries %s, which", e.judged)
	}
	return fmt.Sprintf("address %s%s is %s and not dialled: an operator who means it can open it with --egress-allow-cidr=%s/%d",
		e.dialled, carried, e.why, e.judged, e.judged.BitLen())
}

// addresses are the ranges that an operator admitted.
type addresses []netip.Prefix

func newAddresses(allowed []netip.Prefix) addresses {
	out := make(addresses, 0, len(allowed))
	for _, p := range allowed {
		if p.Addr().Is4In6() && p.Bits() >= 96 { // addresses are compared as IPv4
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p)
	}
	return out
}

// control is called by net.Dialer for every address before it connects. If the
// name were checked before the dial, DNS could answer differently in between.
func (a addresses) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("the host does not resolve to an IP address")
	}
	return a.judge(to.Addr())
}

// judge refuses an address that is neither public nor admitted. If it carries an
// IPv4 address, that one is judged: a translator or tunnel would deliver there.
func (a addresses) judge(dialled netip.Addr) error {
	dialled = dialled.Unmap().WithZone("")
	carries, inner := carried(dialled)
	if !carries {
		return a.judgeOne(dialled, dialled)
	}
	if len(inner) == 0 {
		return &refusedError{dialled, dialled, "reserved"}
	}
	for _, addr := range inner {
		if err := a.judgeOne(dialled, addr); err != nil {
			return err
		}
	}
	return nil
}

func (a addresses) judgeOne(dialled, addr netip.Addr) error {
	for _, p := range a {
		if p.Contains(addr) {
			return nil
		}
	}
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return &refusedError{dialled, addr, s.name}
		}
	}
	if addr.Is6() && !globalUnicast6.Contains(addr) {
		return &refusedError{dialled, addr, "reserved"}
	}
	return nil
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052 section 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
	thisNet    = netip.MustParsePrefix("0.0.0.0/8")
)

// carried reports whether addr is of a kind that carries an IPv4 address, and
// returns the IPv4 addresses that it may be delivered to. judge has to accept all
// of them.
func carried(addr netip.Addr) (bool, []netip.Addr) {
	b := addr.As16()
	at := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case nat64.Contains(addr):
		return true, []netip.Addr{at(12, 13, 14, 15)}
	case sixToFour.Contains(addr):
		return true, []netip.Addr{at(2, 3, 4, 5)}
	case teredo.Contains(addr): // the relay, and the client with its bits inverted
		return true, []netip.Addr{at(4, 5, 6, 7), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})}
	case nat64Local.Contains(addr):
		// Only the network knows the length of its prefix, and so where the
		// address is (RFC 6052 section 2.2): 48, 56, 64 or 96 bits. A reading in
		// 0.0.0.0/8 leads nowhere and says nothing.
		var inner []netip.Addr
		for _, reading := range []netip.Addr{at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), at(12, 13, 14, 15)} {
			if !thisNet.Contains(reading) {
				inner = append(inner, reading)
			}
		}
		return true, inner
	}
	return false, nil
}
