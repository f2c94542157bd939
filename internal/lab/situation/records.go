package situation

import (
	"fmt"
	"strings"
)

// sets are about the addresses that a name has.
func sets() []Situation {
	return []Situation{
		{
			Name: "every server publishes the load balancer's addresses", Refs: "RFC 1034 §4.3.2",
			Shop: right + "\nwww 60 AAAA 2001:db8::1", Expected: ips("192.0.2.1", "2001:db8::1"), Clients: Works,
		},
		{
			Name: "the only address is one that the load balancer has no more", Refs: "RFC 1035 §3.4.1",
			Shop: "www 3600 A 192.0.2.9", Clients: Stale,
			Want: wants(
				stale(old, "192.0.2.9 on 3 of 3 authoritative servers of shop.example", "set www.shop.example A 192.0.2.1"),
				missing(warning, "192.0.2.1")),
		},
		{
			Name: "one address of three is stale", Refs: "RFC 2181 §5",
			Shop: right + "\nwww 60 A 192.0.2.2\nwww 60 A 192.0.2.9", Expected: ips("192.0.2.1", "192.0.2.2"), Clients: Stale,
			Want: wants(stale(old, "beside 2 other addresses")),
		},
		{
			Name: "one address of the load balancer's two is not published", Refs: "RFC 1035 §3.4.1",
			Shop: right, Expected: ips("192.0.2.1", "192.0.2.2"), Clients: Works,
			Want: wants(missing(warning, "192.0.2.2", "published: 192.0.2.1")),
		},
		{
			Name: "the IPv6 address is stale though the IPv4 address is right", Refs: "RFC 3596 §2.1",
			Shop: right + "\nwww 60 AAAA 2001:db8::9", Clients: Stale,
			Want: wants(stale("2001:db8::9", "no AAAA record", "delete www.shop.example AAAA 2001:db8::9")),
		},
		{
			Name: "the IPv4 address is stale though the IPv6 address is right", Refs: "RFC 3596 §2.1",
			Shop: "www 60 A 192.0.2.9\nwww 60 AAAA 2001:db8::1", Expected: ips("192.0.2.1", "2001:db8::1"), Clients: Stale,
			Want: wants(stale(old, "set www.shop.example A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the load balancer has IPv6 and the name has none", Refs: "RFC 3596 §2.1",
			Shop: right, Expected: ips("192.0.2.1", "2001:db8::1"), Clients: Works,
			Want: wants(missing(info, "2001:db8::1", "if clients shall come over IPv6")),
		},
		{
			Name: "name and load balancer have IPv6 alone", Refs: "RFC 3596 §2.1",
			Shop: "www 60 AAAA 2001:db8::1", Expected: ips("2001:db8::1"), Clients: Works,
		},
		{
			Name: "nothing is known of a load balancer", Refs: "RFC 1034 §4.3.2",
			Shop: "www 60 A 192.0.2.9", Unmapped: true, Clients: Works,
		},
	}
}

func largeSets() []Situation {
	return []Situation{
		{
			Name: "the set is too large for UDP and is read over TCP", Refs: "RFC 7766 §5; DNS flag day 2020",
			Shop: many("192.0.2.", 1, 100), Expected: ips(addresses("192.0.2.", 1, 100)...), Clients: Works,
		},
		{
			Name: "the set is larger than BIND takes", Refs: "BIND 9.18.28: max-records-per-type; CVE-2024-1737",
			Shop: many("192.0.2.", 1, 101), Expected: ips(addresses("192.0.2.", 1, 101)...),
			Clients: Works, BIND: Fails, Note: "BIND takes 100 records of one type",
			Want: wants(nonconformant(warning, "www.shop.example", "101 A records", "BIND")),
		},
		{
			Name: "one address in a set that is too large for UDP is stale", Refs: "RFC 7766 §5; RFC 2181 §9",
			Shop: many("192.0.2.", 1, 100), Expected: ips(addresses("192.0.2.", 2, 99)...), Clients: Stale,
			Want: wants(stale("192.0.2.1", "beside 99 other addresses")),
		},
	}
}

// many are records of www with n addresses, the first of which ends in from.
func many(prefix string, from, n int) string {
	return "www 60 A " + strings.Join(addresses(prefix, from, n), "\nwww 60 A ")
}

func addresses(prefix string, from, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(prefix, from+i))
	}
	return all
}

func wildcards() []Situation {
	return []Situation{
		{
			Name: "the wildcard that answers is stale", Refs: "RFC 4592 §2.2.1",
			Shop: "* 60 A 192.0.2.9", Host: "api.shop.example", Clients: Stale,
			Want: wants(stale(old, "set *.shop.example A 192.0.2.1"), missing(warning, "192.0.2.1", "*.shop.example")),
		},
		{
			Name: "the name's own record is right beside a stale wildcard", Refs: "RFC 4592 §2.2.1",
			Shop: "* 60 A 192.0.2.9\n" + right, Clients: Works,
		},
		{
			Name: "a record of another type takes the name out of the wildcard", Refs: "RFC 4592 §2.2.1",
			Shop: "* 60 A 192.0.2.1\nwww 60 TXT mail", Clients: Fails,
			Want: wants(absent("www.shop.example exists without A and AAAA (NODATA)")),
		},
		{
			Name: "an IPv4 record of its own takes the name's IPv6 out of the wildcard", Refs: "RFC 4592 §2.2.1",
			Shop: "* 60 AAAA 2001:db8::1\n" + right, Expected: ips("192.0.2.1", "2001:db8::1"), Clients: Works,
			Want: wants(missing(info, "2001:db8::1", "set www.shop.example AAAA 2001:db8::1")),
		},
		{
			Name: "a name below an existing name is not covered by the wildcard", Refs: "RFC 4592 §2.2.2",
			Shop: "* 60 A 192.0.2.1\n" + right, Host: "eu.www.shop.example", Clients: Fails,
			Want: wants(absent("eu.www.shop.example does not exist (NXDOMAIN)")),
		},
		{
			Name: "an empty non-terminal is not covered by the wildcard", Refs: "RFC 4592 §2.2.2; RFC 8020 §2",
			Shop: "* 60 A 192.0.2.1\nwww.eu 60 A 192.0.2.1", Host: "eu.shop.example", Clients: Fails,
			Want: wants(absent("eu.shop.example exists without A and AAAA (NODATA)")),
		},
		{
			Name: "a wildcard covers names of several labels", Refs: "RFC 4592 §3.3.1",
			Shop: "* 60 A 192.0.2.9", Host: "a.b.c.shop.example", Clients: Stale,
			Want: wants(stale(old, "set *.shop.example A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the closer wildcard of two answers, and is stale", Refs: "RFC 4592 §3.3.1",
			Shop: "* 60 A 192.0.2.1\n*.eu 60 A 192.0.2.9", Host: "www.eu.shop.example", Clients: Stale,
			Want: wants(stale(old, "set *.eu.shop.example A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the host is the wildcard itself", Refs: "RFC 4592 §2.1.1",
			Shop: "* 60 A 192.0.2.9", Host: "*.shop.example", Clients: Stale,
			Want: wants(stale(old, "set *.shop.example A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "a wildcard is an alias to a stale name in another zone", Refs: "RFC 4592 §4.2; RFC 1034 §3.6.2",
			Shop: "* 60 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.9"), Clients: Stale,
			Want: wants(stale(old, "set pool.lb.test A 192.0.2.1 (zone lb.test)"), missing(warning, "192.0.2.1")),
		},
	}
}

func names() []Situation {
	long := strings.Repeat(strings.Repeat("a", 59)+".", 3) + strings.Repeat("b", 60)
	return []Situation{
		{
			Name: "the apex of the zone is the host", Refs: "RFC 1034 §4.2.1",
			Shop: "@ 60 A 192.0.2.9", Host: "shop.example", Clients: Stale,
			Want: wants(stale(old, "set shop.example A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the name is written in capitals, in the zone and by the user", Refs: "RFC 4343 §3; Zonemaster NAMESERVER08",
			Shop: "WWW 60 A 192.0.2.1", Host: "wWw.SHOP.example", Clients: Works,
		},
		{
			Name: "the name is as long as a name can be", Refs: "RFC 1035 §2.3.4",
			Shop: long + " 60 A 192.0.2.9", Host: long + ".shop.example", Clients: Stale,
			Want: wants(stale(old), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the name has a label of 63 bytes", Refs: "RFC 1035 §2.3.4",
			Shop: strings.Repeat("x", 63) + " 60 A 192.0.2.1", Host: strings.Repeat("x", 63) + ".shop.example", Clients: Works,
		},
		{
			Name: "the name has labels that are no host names", Refs: "RFC 2181 §11",
			Shop: "_api.my_host 60 A 192.0.2.9", Host: "_api.my_host.shop.example", Clients: Stale,
			Want: wants(stale(old), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the name is internationalised", Refs: "RFC 5891 §4.4",
			Shop: "xn--bcher-kva 60 A 192.0.2.9", Host: "xn--bcher-kva.shop.example", Clients: Stale,
			Want: wants(stale(old, "set xn--bcher-kva.shop.example A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "the name has other records but no address", Refs: "RFC 2308 §2.2",
			Shop: "www 60 MX 10 mail\nwww 60 TXT hello", Clients: Fails,
			Want: wants(absent("www.shop.example exists without A and AAAA (NODATA)", "set www.shop.example A 192.0.2.1")),
		},
	}
}
