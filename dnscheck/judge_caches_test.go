package dnscheck

import "time"

// heldCases are about what resolvers still give, along aliases, made of IPv4, and
// beyond its time.
func heldCases() []judged {
	const right = "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77\n"
	const direct = "ns1: api.shop.example. 60 A 203.0.113.77\n"
	const wrong = "ns1: api.shop.example. 300 A 203.0.113.10"
	const differs = "warning dns/resolver-differs api.shop.example "
	was := map[time.Duration]string{20 * time.Minute: wrong, 19 * time.Minute: direct}
	return []judged{
		{
			rule: "an alias that expires first and has not changed leads to the old address again", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 5 CNAME lb.edge.example. 3000 A 203.0.113.10",
			want: []string{"info dns/cached-stale www.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +50m0s"},
			says: []string{"still answers 203.0.113.10 for www.shop.example, for another 50 min"},
		},
		{
			rule: "an alias that has changed ends the old way, however long the address would last", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 5 CNAME old.edge.example. 3000 A 203.0.113.10",
			want: []string{"info dns/cached-stale www.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +5s"},
		},
		{
			rule: "behind an alias that has changed the old address is read anew", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 3000 CNAME old.edge.example. 5 A 203.0.113.10",
			want: []string{"info dns/cached-stale www.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +50m0s"},
		},
		{
			rule: "a denial behind an alias that has not changed lasts as long as it does", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 5 CNAME lb.edge.example. 3000 NXDOMAIN",
			want: []string{"info dns/cached-stale www.shop.example 8.8.8.8 | at 8.8.8.8 | clear +50m0s"},
		},
		{
			rule: "an old address with the TTL 0 is in no cache", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 0 A 203.0.113.10",
		},
		{
			rule: "a resolver that gives it for half a minute again and again serves stale data, for nobody knows how long", expected: has("203.0.113.77"),
			before: was, seen: direct + "resolver: 8.8.8.8 30 A 203.0.113.10",
			want: []string{"warning dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8"},
			says: []string{"answers 203.0.113.10 for api.shop.example beyond the record's TTL", "which ended at 11:46:00 UTC", "reaches the zone's servers"},
		},
		{
			rule: "so does one that gives it with the TTL 0", expected: has("203.0.113.77"),
			before: was, seen: direct + "resolver: 8.8.8.8 0 A 203.0.113.10",
			want: []string{"warning dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8"},
		},
		{
			rule: "and one that says so", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 expired 30 A 203.0.113.10",
			want: []string{"warning dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8"},
			says: []string{"EDE 3 Stale Answer"},
		},
		{
			rule: "a resolver that raises TTLs is believed about its own", expected: has("203.0.113.77"),
			before: was, seen: direct + "resolver: 8.8.8.8 2400 A 203.0.113.10",
			want: []string{"warning dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +40m0s"},
			says: []string{"until 12:40:00 UTC, beyond the record's TTL, which ended at 11:46:00 UTC"},
		},
		{
			rule: "what authority has not given for longer than its TTL and an hour is no old record", expected: has("203.0.113.77"),
			before: was, seen: direct + "resolver: 8.8.8.8 3000 A 203.0.113.10",
			want: []string{differs + "203.0.113.10 8.8.8.8 | at 8.8.8.8"},
			says: []string{"which the zone's servers have not given since 11:41:00 UTC", "a TTL of 69 min or more", "another view there (GeoDNS)"},
		},
		{
			rule: "nor is what authority never gave, however fresh the TTL", expected: has("203.0.113.77"),
			before: map[time.Duration]string{time.Hour: direct}, seen: direct + "resolver: 8.8.8.8 60 A 203.0.113.10",
			want: []string{differs + "203.0.113.10 8.8.8.8 | at 8.8.8.8"},
			says: []string{"never gave here, since 11:00:00 UTC"},
		},
		{
			rule: "within the hour it may be an old record from before our time", expected: has("203.0.113.77"),
			before: map[time.Duration]string{58 * time.Minute: direct}, seen: direct + "resolver: 8.8.8.8 60 A 203.0.113.10",
			want: []string{"info dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +1m0s"},
		},
		{
			rule: "an address that leads nowhere is a filter's", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 0 A 0.0.0.0",
			want: []string{differs + "0.0.0.0 8.8.8.8 | at 8.8.8.8"}, says: []string{"it filters", "block list"},
		},
		{
			rule: "and so is what the resolver says it blocks", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 blocked 3000 NXDOMAIN\n resolver: 1.1.1.1 blocked 3000 A 203.0.113.10",
			want: []string{differs + "8.8.8.8 | at 8.8.8.8", differs + "203.0.113.10 1.1.1.1 | at 1.1.1.1"},
		},
		{
			rule: "a denial for ever is no old denial", expected: has("203.0.113.77"),
			before: map[time.Duration]string{3 * time.Hour: direct}, seen: direct + "resolver: 8.8.8.8 0 NXDOMAIN",
			want: []string{differs + "8.8.8.8 | at 8.8.8.8"}, says: []string{"give since 09:00:00 UTC or before", "another view"},
		},
		{
			rule: "an AAAA that a resolver made of the right A is nothing to tell", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 60 AAAA 64:ff9b::203.0.113.77\n resolver: 1.1.1.1 60 AAAA 2001:db8:64::203.0.113.77",
		},
		{
			rule: "one made of the old A is the old A", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 60 AAAA 64:ff9b::203.0.113.10",
			want: []string{"info dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +1m0s"},
			says: []string{"given as 64:ff9b::cb00:710a, for clients without IPv4 (DNS64)"},
		},
		{
			rule: "both are told once", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 90 A 203.0.113.10\n resolver: 8.8.8.8 60 AAAA 64:ff9b::203.0.113.10",
			want: []string{"info dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +1m30s"},
		},
		{
			rule: "an old AAAA that holds no address of the name is an old AAAA", expected: has("203.0.113.77"),
			seen: direct + "resolver: 8.8.8.8 60 AAAA 2001:db8::10",
			want: []string{"info dns/cached-stale api.shop.example 2001:db8::10 8.8.8.8 | at 8.8.8.8 | clear +1m0s"},
		},
	}
}

func deniedCases() []judged {
	const gone = "ns1: api.shop.example. 900 NXDOMAIN\n ns2: api.shop.example. 900 NXDOMAIN"
	const there = "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.77\n"
	const lagging = "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 900 NXDOMAIN"
	mended := func(clear string) []string {
		return []string{"info dns/draining api.shop.example | shop.example: api.shop.example 900 A | at ns1 ns2 | clear +" + clear}
	}
	return []judged{
		{
			rule: "a name that was denied is denied by caches for the negative TTL", expected: has("203.0.113.77"),
			before: map[time.Duration]string{3 * time.Minute: gone, 2 * time.Minute: there}, seen: there, want: mended("13m0s"),
			says: []string{"api.shop.example has an address; caches may deny it for another 13 min", "denied until 11:57:00 UTC, and is there since 11:58:00 UTC or before", "wait until 12:13:00 UTC"},
		},
		{
			rule: "a name that was there before has an address again", expected: has("203.0.113.77"),
			before: map[time.Duration]string{9 * time.Minute: there, 3 * time.Minute: gone, 2 * time.Minute: there}, seen: there, want: mended("13m0s"),
			says: []string{"api.shop.example has an address again;"},
		},
		{
			rule: "between two looks that are far apart the later one counts", expected: has("203.0.113.77"),
			before: map[time.Duration]string{time.Hour: gone}, seen: there, want: mended("15m0s"),
		},
		{
			rule: "after the negative TTL there is nothing to tell", expected: has("203.0.113.77"),
			before: map[time.Duration]string{30 * time.Minute: gone, 15 * time.Minute: there}, seen: there,
		},
		{
			rule: "a server that denies it still keeps the caches from draining", expected: has("203.0.113.77"),
			before: map[time.Duration]string{3 * time.Minute: gone, 2 * time.Minute: lagging}, seen: lagging,
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 AAAA | at ns1 ns2"},
		},
		{
			rule: "they drain from when the last server gives it", expected: has("203.0.113.77"),
			before: map[time.Duration]string{9 * time.Minute: gone, 3 * time.Minute: lagging, 2 * time.Minute: there}, seen: there, want: mended("13m0s"),
		},
		{
			rule: "one server that denied it was enough", expected: has("203.0.113.77"),
			before: map[time.Duration]string{3 * time.Minute: lagging, 2 * time.Minute: there}, seen: there, want: mended("13m0s"),
		},
		{
			rule: "silence between does not end the denial", expected: has("203.0.113.77"),
			before: map[time.Duration]string{3 * time.Minute: gone, 2 * time.Minute: "ns1: api.shop.example. silent", time.Minute: there}, seen: there, want: mended("14m0s"),
		},
		{
			rule: "a negative TTL that was lowered does not shorten what caches hold", expected: has("203.0.113.77"), seen: there,
			before: map[time.Duration]string{4 * time.Minute: gone, 3 * time.Minute: "ns1: api.shop.example. 30 NXDOMAIN", 2 * time.Minute: there},
			want:   []string{"info dns/draining api.shop.example | shop.example: api.shop.example 30 A | at ns1 ns2 | clear +12m0s"},
		},
		{
			rule: "nor does it while the name is denied", expected: has("203.0.113.77"),
			before: map[time.Duration]string{4 * time.Minute: gone}, seen: "ns1: api.shop.example. 30 NXDOMAIN",
			want: []string{"critical dns/no-record api.shop.example | shop.example: api.shop.example 30 A 203.0.113.77 | at ns1 | clear +15m0s"},
			says: []string{"caches keep the denial for up to 15 min"},
		},
		{
			rule: "an AAAA that is added beside an A was no fault before", expected: has("203.0.113.77", "2001:db8::77"),
			before: map[time.Duration]string{2 * time.Minute: "ns1: api.shop.example. 60 A 203.0.113.77"},
			seen:   "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 AAAA 2001:db8::77",
		},
		{
			rule: "a name that gets both is told once", expected: has("203.0.113.77", "2001:db8::77"),
			before: map[time.Duration]string{2 * time.Minute: gone},
			seen:   "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 AAAA 2001:db8::77",
			want:   []string{"info dns/draining api.shop.example | shop.example: api.shop.example 900 A | at ns1 | clear +15m0s"},
			says:   []string{"A, AAAA, as the zone's servers give it now"},
		},
		{
			rule: "an AAAA that comes after the A is not what drains", expected: has("203.0.113.77", "2001:db8::77"),
			before: map[time.Duration]string{9 * time.Minute: gone, 5 * time.Minute: there},
			seen:   "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 AAAA 2001:db8::77",
			want:   []string{"info dns/draining api.shop.example | shop.example: api.shop.example 900 A | at ns1 | clear +10m0s"},
		},
		{
			rule: "an end of an alias that was created is denied for the negative TTL of its zone, not for the alias's", expected: has("203.0.113.77"),
			before: map[time.Duration]string{2 * time.Minute: "ns1: www.shop.example. 7200 CNAME lb.edge.example.\n ns4: lb.edge.example. 300 NXDOMAIN"},
			seen:   "ns1: www.shop.example. 7200 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77",
			want:   []string{"info dns/draining www.shop.example | edge.example: lb.edge.example 300 A | at ns1 ns4 | clear +5m0s"},
		},
		{
			rule: "an alias that was corrected is followed for its own TTL", expected: has("203.0.113.77"),
			before: map[time.Duration]string{2 * time.Minute: "ns1: www.shop.example. 7200 CNAME gone.edge.example.\n ns4: gone.edge.example. 300 NXDOMAIN"},
			seen:   "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77",
			want:   []string{"info dns/draining www.shop.example | edge.example: gone.edge.example 300 A | at ns1 ns4 | clear +2h0m0s"},
		},
		{
			rule: "a delegation that is back was denied by the parent", expected: has("203.0.113.77"),
			before: map[time.Duration]string{2 * time.Minute: "parent: api.shop.example. 1800 NXDOMAIN"}, seen: there,
			want: []string{"info dns/draining api.shop.example | example: api.shop.example 1800 A | at ns1 ns2 | clear +30m0s"},
		},
		{
			rule: "a record that is back with the wrong address is stale, and denied by caches", expected: has("203.0.113.77"),
			before: map[time.Duration]string{2 * time.Minute: gone}, seen: "ns1: api.shop.example. 60 A 203.0.113.10\n ns1: api.shop.example. 60 A 203.0.113.77",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s",
				"info dns/draining api.shop.example | shop.example: api.shop.example 900 A | at ns1 | clear +15m0s",
			},
		},
	}
}

func bogusCases() []judged {
	const right = "ns1: api.shop.example. 60 A 203.0.113.77\n"
	const critical = "critical dns/bogus api.shop.example | at "
	return []judged{
		{
			rule: "a name that every resolver refuses fails for whoever validates", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 bogus 9\n resolver: 1.1.1.1 bogus\n resolver: 1.1.1.1 AAAA failed",
			want: []string{critical + "1.1.1.1 8.8.8.8"},
			says: []string{"2 of 2 resolvers that answer: SERVFAIL from 1.1.1.1, 8.8.8.8, and an answer when told not to check (CD=1)", "replace the DS records of shop.example"},
		},
		{
			rule: "nobody says why", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 bogus",
			want: []string{critical + "8.8.8.8"},
			says: []string{"compare the DS records of shop.example at the parent"},
		},
		{
			rule: "the only resolver says why", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 bogus 7",
			want: []string{critical + "8.8.8.8"},
			says: []string{"sign the zone shop.example again: its signatures have expired"},
		},
		{
			rule: "one that answers may not validate", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 bogus 10\n resolver: 1.1.1.1 bogus 10\n resolver: 9.9.9.9 60 A 203.0.113.77",
			want: []string{critical + "1.1.1.1 8.8.8.8"},
			says: []string{"2 of 3 resolvers that answer", "9.9.9.9 answers, perhaps without checking", "sign the zone shop.example, or remove its DS records"},
		},
		{
			rule: "one of several may be wrong itself", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 bogus 9\n resolver: 1.1.1.1 validated 60 A 203.0.113.77",
			want: []string{"warning dns/bogus api.shop.example | at 8.8.8.8"},
			says: []string{"1.1.1.1 has checked it and answers", "flush the zone there, and check that resolver's clock", "replace the DS records of shop.example"},
		},
		{
			rule: "one that is silent is no second opinion", expected: has("203.0.113.77"),
			seen: right + "resolver: 8.8.8.8 bogus 8\n resolver: 1.1.1.1 silent",
			want: []string{critical + "8.8.8.8", "info dns/resolver-degraded 1.1.1.1 | at 1.1.1.1"},
			says: []string{"1 of 1 resolver that answers", "check the clock of what signs"},
		},
		{
			rule: "any zone on the way can be the broken one", expected: has("203.0.113.77"),
			seen: "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77\n resolver: 8.8.8.8 bogus 12",
			want: []string{"critical dns/bogus www.shop.example | at 8.8.8.8"},
			says: []string{"sign the zone shop.example or edge.example again: it does not prove what it denies"},
		},
		{
			rule: "a denial that is refused is no record, and bogus", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 300 NXDOMAIN\n resolver: 8.8.8.8 bogus",
			want: []string{critical + "8.8.8.8", "critical dns/no-record api.shop.example | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1 | clear +5m0s"},
		},
		{
			rule: "while authority is silent a resolver that fails proves nothing about signatures", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. silent\n resolver: 8.8.8.8 bogus",
			want: []string{"critical dns/unresolvable api.shop.example | at ns1"},
			says: []string{"SERVFAIL from 8.8.8.8"},
		},
	}
}
