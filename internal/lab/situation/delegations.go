package situation

// walks are about the way from the root to the servers of the zone.
func walks() []Situation {
	return []Situation{
		{
			Name: "the only server is named in another domain, which has its address", Refs: "RFC 9471 §2; RFC 1034 §4.2.2",
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns.host.test. 21"}, Text: "www 60 A 192.0.2.9"},
				{Name: "host.test.", At: []byte{22}},
			}, Clients: Stale,
			Want: wants(stale(old, "on 1 of 1 authoritative servers of shop.example"), missing(warning, "192.0.2.1")),
			Zone: wants(lonely()),
		},
		{
			Name: "the addresses of servers in the zone itself are not in the parent", Refs: "RFC 9471 §3; RFC 1034 §4.2.1; Zonemaster DELEGATION07",
			Zones: []Zone{{Name: "shop.example.", Servers: []string{"ns.shop.example. 11"}, Text: right, Delegation: "shop NS ns.shop"}}, Clients: Fails,
			Want: wants(unresolvable(unknown, "no address was found for ns.shop.example")),
		},
		{
			Name: "two zones have their servers in each other", Refs: "RFC 1912 §2.3; RFC 9471 §2.3",
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns.twin.test. 11"}, Text: right},
				{Name: "twin.test.", Servers: []string{"ns.shop.example. 21"}},
			}, Clients: Fails,
			Want: wants(unresolvable(unknown, "no address was found for ns.twin.test")),
		},
		{
			Name: "the only server is an alias", Refs: "RFC 2181 §10.3; Zonemaster DELEGATION05",
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns1.host.test. 21"}, Text: right + "\n@ NS alias.host.test.", Delegation: "shop NS alias.host.test."},
				{Name: "host.test.", At: []byte{21}, Text: "alias CNAME ns1"},
			}, Clients: Works, BIND: Fails, Note: "Unbound follows the alias, BIND does not",
			Zone: wants(nonconformant(warning, "alias.host.test", "is an alias of ns1.host.test", "BIND does not"), lonely()),
		},
		{
			Name: "the only server is an alias of a name without an address", Refs: "RFC 2181 §10.3; Zonemaster DELEGATION05",
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns1.host.test. 21"}, Text: right, Delegation: "shop NS alias.host.test."},
				{Name: "host.test.", At: []byte{22}, Text: "alias CNAME gone"},
			}, Clients: Fails,
			Want: wants(unresolvable(unknown, "it is an alias, and no address was found for gone.host.test: NXDOMAIN")),
		},
	}
}

// strangeServers are names in a delegation that lead to no server, beside one that
// does.
func strangeServers() []Situation {
	const glue = "\nns.shop A {11}"
	// with is shop.example with a second server that is none.
	with := func(server string, more ...Zone) []Zone {
		return append(more, Zone{
			Name: "shop.example.", Servers: []string{"ns.shop.example. 11"}, Text: right + "\n@ NS ns\n@ NS " + server,
			Delegation: "shop NS ns.shop\nshop NS " + server + glue,
		})
	}
	return []Situation{
		{
			Name: "one of two servers is an alias", Refs: "RFC 2181 §10.3; Zonemaster DELEGATION05",
			Zones: with("alias.host.test.", Zone{Name: "host.test.", At: []byte{21}, Text: "alias CNAME web\nweb A {11}"}), Clients: Works,
			Zone: wants(nonconformant(warning, "alias.host.test", "is an alias of web.host.test"), lonely()),
		},
		{
			Name: "one of two servers has a name that does not exist", Refs: "RFC 1912 §2.8; Zonemaster NAMESERVER06",
			Zones: with("ns.gone.test."),
			Want:  wants(degraded("ns.gone.test", "no address was found for ns.gone.test")), Zone: wants(lonely()), Clients: Works,
		},
		{
			Name: "one of two servers has a name without an address", Refs: "RFC 1912 §2.8; Zonemaster NAMESERVER06",
			Zones: with("mail.host.test.", Zone{Name: "host.test.", At: []byte{21}, Text: "mail MX 10 mx"}), Clients: Works,
			Want: wants(degraded("mail.host.test", "no address records")),
			Zone: wants(lonely()),
		},
		{
			Name: "one of two servers is an address where a name belongs", Refs: "RFC 1035 §3.3.11; Zonemaster SYNTAX04",
			Zones: with("192.0.2.53."),
			Want:  wants(degraded("192.0.2.53", "no address was found for 192.0.2.53")), Zone: wants(lonely()), Clients: Works,
		},
	}
}

// cuts are about where zones begin.
func cuts() []Situation {
	return []Situation{
		{
			Name: "the host is the apex of a zone of its own, with a stale record", Refs: "RFC 1034 §4.2.1",
			Zones: []Zone{{Name: "www.shop.example.", At: []byte{21, 22}, Text: "@ 60 A 192.0.2.9"}}, Clients: Stale,
			Want: wants(stale(old, "on 2 of 2 authoritative servers of www.shop.example"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "a branch is delegated and the parent zone still has a record there", Refs: "RFC 1034 §4.2.1; RFC 2136 §7.13",
			Shop:  "www.eu 60 A 192.0.2.9",
			Zones: []Zone{{Name: "eu.shop.example.", At: []byte{21, 22}, Text: right}}, Host: "www.eu.shop.example", Clients: Works,
		},
		{
			Name: "a branch is delegated to servers that hold the parent zone too", Refs: "RFC 1034 §4.2.1",
			Zones: []Zone{{Name: "eu.shop.example.", At: []byte{11, 12, 13}, Text: "www 60 A 192.0.2.9"}}, Host: "www.eu.shop.example", Clients: Stale,
			Want: wants(stale(old, "on 3 of 3 authoritative servers of eu.shop.example", "zone eu.shop.example"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "a branch lies on one of the parent zone's servers, and is delegated to another too", Refs: "RFC 1034 §4.2.1",
			Zones: []Zone{{Name: "eu.shop.example.", At: []byte{11, 21}, Text: right}}, Host: "www.eu.shop.example", Clients: Sometimes,
			Alone: map[byte]Edit{21: {Zone: "eu.shop.example.", Set: "www 60 A 192.0.2.9"}},
			Want:  wants(stale(old, "on 1 of 2 authoritative servers of eu.shop.example"), disagree("192.0.2.9 on ns2.eu.shop.example")),
		},
		{
			Name: "one of the parent zone's servers holds an old copy of a branch that was delegated to another", Refs: "RFC 1034 §4.2.1, §4.3.2",
			Zones: []Zone{{
				Name: "eu.shop.example.", Servers: []string{"ns.eu.shop.example. 21", "ns0.eu.shop.example. 11"}, Text: right + "\n@ NS ns\nns A {21}",
				Delegation: "eu NS ns.eu\nns.eu A {21}",
			}},
			Alone: map[byte]Edit{11: {Zone: "eu.shop.example.", Set: "www 60 A 192.0.2.9"}}, Host: "www.eu.shop.example", Clients: Sometimes,
			Want: wants(stale(old, "on 1 of 2 authoritative servers of eu.shop.example"), disagree("192.0.2.9 on ns1.shop.example")),
			Zone: wants(lonely()),
		},
		{
			Name: "a zone lies two levels below the one that delegates it", Refs: "RFC 1034 §4.2.1",
			Zones: []Zone{{Name: "a.eu.shop.example.", At: []byte{21, 22}, Text: "www 60 A 192.0.2.9"}}, Host: "www.a.eu.shop.example", Clients: Stale,
			Want: wants(stale(old, "zone a.eu.shop.example"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "a zone has its only server in a zone below it", Refs: "RFC 9471 §3",
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns.eu.shop.example. 11"}, Text: right},
				{Name: "eu.shop.example.", Servers: []string{"ns.eu.shop.example. 11"}},
			}, Clients: Works, Zone: wants(lonely()),
		},
	}
}
