package egress

import (
	"context"
	"net/netip"
	"strings"
	"testing"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for address, want := range map[string]string{ // want: a word of the refusal, "" if dialled
		"8.8.8.8":         "",
		"100.63.255.255":  "",
		"100.128.0.1":     "",
		"172.32.0.1":      "",
		"0.0.0.0":         "unspecified",
		"0.1.2.3":         "unspecified",
		"10.0.0.5":        "private",
		"100.64.0.1":      "shared",
		"100.100.100.200": "shared", // a cloud's metadata
		"127.0.0.1":       "loopback",
		"127.8.9.10":      "loopback",
		"168.63.129.16":   "Azure",
		"169.254.169.254": "link-local", // most clouds' metadata
		"172.31.255.255":  "private",
		"192.0.0.192":     "reserved",
		"192.0.2.1":       "documentation",
		"192.88.99.1":     "reserved",
		"192.168.1.1":     "private",
		"198.19.0.1":      "benchmark",
		"198.51.100.7":    "documentation",
		"203.0.113.7":     "documentation",
		"224.0.0.1":       "multicast",
		"239.255.255.250": "multicast",
		"240.0.0.1":       "reserved",
		"255.255.255.255": "broadcast",

		"2606:4700:4700::1111": "",
		"::":                   "unspecified",
		"::1":                  "loopback",
		"::8.8.8.8":            "reserved", // IPv4-compatible, long gone
		"::ffff:0:8.8.8.8":     "reserved",
		"100::1":               "reserved",
		"fd00:ec2::254":        "private",
		"fc00::1":              "private",
		"fe80::1":              "link-local",
		"fe80::1%eth0":         "link-local",
		"fec0::1":              "private",
		"ff02::1":              "multicast",
		"2001:2::1":            "benchmark",
		"2001:20::1":           "reserved",
		"2001:db8::1":          "documentation",
		"3fff::1":              "documentation",
		"4000::1":              "reserved",
		"5f00::1":              "reserved",

		"::ffff:8.8.8.8":                          "",
		"::ffff:127.0.0.1":                        "loopback",
		"::ffff:169.254.169.254":                  "link-local",
		"64:ff9b::8.8.8.8":                        "",
		"64:ff9b::10.0.0.5":                       "carries 10.0.0.5, which is private",
		"64:ff9b::a9fe:a9fe":                      "carries 169.254.169.254, which is link-local",
		"64:ff9b:1::8.8.8.8":                      "",
		"64:ff9b:1::127.0.0.1":                    "carries 127.0.0.1",
		"64:ff9b:1:7f00:0:100::":                  "carries 127.0.0.1", // 48 bits of prefix
		"64:ff9b:1:7f00:0:100:808:808":            "carries 127.0.0.1",
		"64:ff9b:1:a:0:5::":                       "carries 10.0.0.5", // 56 bits
		"64:ff9b:1::a9:fea9:fe00:0":               "carries 169.254.169.254",
		"64:ff9b:1::":                             "reserved",
		"64:ff9b:2::8.8.8.8":                      "reserved",
		"2002:808:808::1":                         "",
		"2002:7f00:1::1":                          "carries 127.0.0.1",
		"2002:c0a8:101::1":                        "carries 192.168.1.1",
		"2001:0:808:808:0:0:f7f7:f7f7":            "", // Teredo by way of, and to, 8.8.8.8
		"2001:0:808:808:0:0:80ff:fffe":            "carries 127.0.0.1",
		"2001:0:a00:5:0:0:f7f7:f7f7":              "carries 10.0.0.5",
		"2001:0000:4136:e378:8000:63bf:3fff:fdd2": "carries 192.0.2.45",
	} {
		err := addresses(nil).judge(netip.MustParseAddr(address))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: want it dialled, got: %v", address, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: want a refusal with %q, got: %v", address, want, err)
		case want != "" && !strings.Contains(err.Error(), "--egress-allow-cidr="):
			t.Errorf("%s: the refusal does not name the flag: %v", address, err)
		}
	}
}

func TestAnAllowedRangeOpensWhatIsDeliveredThere(t *testing.T) {
	opened := newAddresses([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("::ffff:192.168.0.0/112"), netip.MustParsePrefix("2000::/3"),
	})
	for address, want := range map[string]bool{
		"10.1.2.3":          true,
		"::ffff:10.1.2.3":   true,
		"64:ff9b::10.1.2.3": true,
		"fd00::1":           true,
		"192.168.7.7":       true,
		"172.16.0.1":        false,
		"127.0.0.1":         false,
		"2002:7f00:1::1":    false, // inside 2000::/3, but delivered to loopback
		"64:ff9b::7f00:1":   false,
	} {
		if err := opened.judge(netip.MustParseAddr(address)); (err == nil) != want {
			t.Errorf("%s: want dialled %v, got: %v", address, want, err)
		}
	}
}

func TestTheFlagInARefusalOpensTheAddress(t *testing.T) {
	for _, address := range []string{"10.0.0.5", "fd00::7", "64:ff9b::10.0.0.5", "::ffff:127.0.0.1", "fe80::1%eth0"} {
		addr := netip.MustParseAddr(address)
		err := addresses(nil).judge(addr)
		if err == nil {
			t.Fatalf("%s: want a refusal", address)
		}
		_, flag, _ := strings.Cut(err.Error(), "--egress-allow-cidr=")
		if err := newAddresses([]netip.Prefix{netip.MustParsePrefix(flag)}).judge(addr); err != nil {
			t.Errorf("%s: opened with %s, still: %v", address, flag, err)
		}
	}
}

func TestADialToSomethingThatIsNoAddressIsRefused(t *testing.T) {
	if err := addresses(nil).control(context.Background(), "tcp", "somewhere", nil); err == nil {
		t.Error("want a refusal")
	}
}
