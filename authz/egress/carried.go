package egress

import "net/netip"

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052 section 2.1
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
	thisNet    = netip.MustParsePrefix("0.0.0.0/8")
)

// carried tells whether addr is of a kind that carries IPv4 addresses, and
// which ones it may be delivered to; all of them must be acceptable.
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
