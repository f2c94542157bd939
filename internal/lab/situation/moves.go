package situation

// moves are about zones that were given to other servers: caches go on asking those that
// they know until the NS records expire.
func moves() []Situation {
	const hosts = "ns.old A {21}\nns.new A {22}"
	// from is shop.example on ns.old.test, and the same moved to ns.new.test.
	from := func(name, refs, had, has string) Situation {
		return Situation{
			Name: name, Refs: refs, Clients: Works, Restarted: true,
			Zones: []Zone{
				{Name: "test.", Servers: []string{"a.nic.test. 3"}, Text: hosts},
				{Name: "shop.example.", Servers: []string{"ns.old.test. 21", "ns.new.test. 22"}, Text: had + "\n@ 3600 NS ns.old.test.", Delegation: "shop 3000 NS ns.old.test."},
				{Name: "lb.test.", At: []byte{23}, Text: "old 60 A 192.0.2.9\nnew 60 A 192.0.2.1"},
			},
			Later: &Edit{Zone: "example.", Set: "shop 3000 NS ns.new.test."},
			Alone: map[byte]Edit{22: {Set: has + "\n@ NS ns.new.test."}},
			Zone:  wants(lonely()),
		}
	}
	const refs = "RFC 1034 §5.3.3; RFC 2181 §5.4.1; RFC 8499 §7"
	still := func(texts ...string) Want {
		return Want{Code: "dns/draining", Severity: warning, Subject: []string{old}, Texts: append(texts, "former servers of shop.example", "ns.old.test", "ask the former provider")}
	}
	stale := from("the zone moved, and its former server still gives the old address", refs, "www 90 A 192.0.2.9", right)
	stale.Want = wants(still("for another 62 min"))
	alias := from("the zone moved, and its former server still gives the old alias", refs, "www 90 CNAME old.lb.test.", "www 60 CNAME new.lb.test.")
	alias.Want = wants(still("for another 63 min"))
	refuses := from("the zone moved, and its former server refuses", refs, "www 90 A 192.0.2.9", right)
	refuses.Empty = []byte{21}
	refuses.Want = wants(draining(old, "publishes 192.0.2.9 no more"))
	silent := from("the zone moved, and its former server is down", refs, right, right)
	silent.Down = []byte{21}
	agrees := from("the zone moved, and its former server gives what the new one does", refs, right, right)
	meanwhile := from("the zone moved a moment ago, and its former server refuses", refs, right, right)
	meanwhile.Restarted, meanwhile.Empty = false, []byte{21}
	renumbered := Situation{
		Name: "the server of the zone has another address, and at the old one is still the old zone", Refs: refs, Clients: Works, Restarted: true,
		Zones: []Zone{{
			Name: "shop.example.", Servers: []string{"ns.shop.example. 21", "a.shop.example. 22"}, Text: "www 90 A 192.0.2.9\n@ NS ns\nns A {21}",
			Delegation: "shop NS ns.shop\nns.shop A {21}",
		}},
		Later: &Edit{Zone: "example.", Set: "ns.shop A {22}"},
		Alone: map[byte]Edit{22: {Set: right + "\nns A {22}"}},
		Want:  wants(Want{Code: "dns/draining", Severity: warning, Subject: []string{old}, Texts: []string{"for another 62 min", "ns.shop.example"}}),
		Zone:  wants(lonely()),
	}
	return []Situation{stale, alias, refuses, silent, agrees, meanwhile, renumbered}
}
