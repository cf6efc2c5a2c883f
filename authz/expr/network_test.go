package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func from(address string) *Input {
	return &Input{Request: &authz.Request{Method: "GET", Path: "/", Source: authz.Source{Address: address}}}
}

// These are the examples of Kubernetes' documentation of its functions.
func TestAddressesAndNetworksAreThoseOfKubernetes(t *testing.T) {
	for src, want := range map[string]bool{
		`isIP("127.0.0.1")`: true, `isIP("::1")`: true, `isIP("127.0.0.256")`: false, `isIP(":::1")`: false,
		`isIP("::ffff:1.2.3.4")`: false, `isIP("fe80::1%eth0")`: false, `isIP("010.0.0.1")`: false, `isIP("")`: false,
		`ip("127.0.0.1") == ip("127.0.0.1")`: true, `ip("::1") == ip("0:0:0:0:0:0:0:1")`: true, `ip("::1") != ip("::2")`: true,
		`ip("127.0.0.1").family() == 4`: true, `ip("::1").family() == 6`: true,
		`ip("127.0.0.1").isLoopback()`: true, `ip("192.168.0.1").isLoopback()`: false,
		`ip("192.168.0.1").isGlobalUnicast()`: true, `ip("255.255.255.255").isGlobalUnicast()`: false,
		`ip("224.0.0.1").isLinkLocalMulticast()`: true, `ip("fe80::1").isLinkLocalUnicast()`: true,
		`ip("0.0.0.0").isUnspecified()`: true, `ip("127.0.0.1").isUnspecified()`: false,
		`ip.isCanonical("2001:db8::abcd")`: true, `ip.isCanonical("2001:DB8::ABCD")`: false,
		`string(ip("127.0.0.1")) == "127.0.0.1"`: true, `string(cidr("10.0.0.0/8")) == "10.0.0.0/8"`: true,
		`isCIDR("192.168.0.0/24")`: true, `isCIDR("2001:db8::/32")`: true, `isCIDR("192.168.0.0/33")`: false, `isCIDR("10.0.0.1")`: false,
		`cidr("192.168.0.0/24").containsIP(ip("192.168.0.1"))`: true, `cidr("192.168.0.0/24").containsIP("192.168.1.1")`: false,
		`cidr("192.168.0.0/24").containsCIDR(cidr("192.168.0.0/25"))`: true, `cidr("192.168.0.0/24").containsCIDR("192.168.0.0/23")`: false,
		`cidr("192.168.0.1/24").ip() == ip("192.168.0.1")`: true, `cidr("192.168.0.1/24").masked() == cidr("192.168.0.0/24")`: true,
		`cidr("192.168.0.0/24").prefixLength() == 24`: true, `type(ip("::1")) == type(ip("10.0.0.1"))`: true,
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if is, err := p.Bool(t.Context(), from("10.20.3.4")); err != nil || is != want {
			t.Errorf("%s: expected %v, got %v, %v", src, want, is, err)
		}
	}
}

func TestARuleComparesTheAddressOfTheCallerWithNetworks(t *testing.T) {
	for _, src := range []string{
		`cidr("10.20.0.0/16").containsIP(request.source.address)`,
		`["10.20.0.0/16", "fd00::/8"].exists(n, cidr(n).containsIP(request.source.address))`,
		`cidr("10.20.0.0/16").containsIP(ip(request.source.address)) || cidr("fd00::/8").containsIP(ip(request.source.address))`,
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		for address, want := range map[string]bool{"10.20.3.4": true, "10.21.3.4": false, "192.0.2.1": false} {
			if is, err := p.Bool(t.Context(), from(address)); err != nil || is != want {
				t.Errorf("%s of %s: expected %v, got %v, %v", src, address, want, is, err)
			}
		}
		for _, address := range []string{"", "pipe", "10.20.3.4:80", "::ffff:10.20.3.4"} {
			if is, err := p.Bool(t.Context(), from(address)); is || err == nil {
				t.Errorf("%s of %q: expected an error, got %v", src, address, is)
			} else if address != "" && strings.Contains(err.Error(), address) {
				t.Errorf("the error holds the value that was read: %v", err)
			}
		}
	}
}

func TestALoopOverAddressesCostsWhatItTakes(t *testing.T) {
	if _, err := Compile(Bool, `identity.groups.all(a, identity.groups.all(b, identity.groups.all(c, cidr(a).containsIP(b))))`); err == nil {
		t.Error("expected three loops within each other to cost too much")
	}
}
