package ipspace_test

import (
	"net/netip"
	"testing"

	"driftprobe/internal/ipspace"
)

func TestSpecial(t *testing.T) {
	space := ipspace.New()
	for addr, want := range map[string]string{
		"8.8.8.8":                  "",
		"203.0.113.7":              "",
		"2001:db8::1":              "",
		"2606:4700::1111":          "",
		"127.0.0.1":                "loopback",
		"10.1.2.3":                 "private",
		"172.31.255.255":           "private",
		"172.32.0.1":               "",
		"169.254.169.254":          "link-local",
		"100.64.0.1":               "shared (carrier NAT)",
		"::1":                      "loopback",
		"::":                       "unspecified",
		"fe80::1":                  "link-local",
		"fe80::1%eth0":             "link-local",
		"fd00::1":                  "unique local",
		"::ffff:127.0.0.1":         "loopback",
		"::127.0.0.1":              "loopback",
		"64:ff9b::169.254.169.254": "link-local",
		"64:ff9b::8.8.8.8":         "",
		"2002:7f00:1::":            "loopback",
		"2002:808:808::":           "",
	} {
		if got := space.Special(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Special(%s) = %q, want %q", addr, got, want)
		}
	}
}
