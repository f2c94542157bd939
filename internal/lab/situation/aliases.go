package situation

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// aliases lead from one name to another.
func aliases() []Situation {
	return []Situation{
		{
			Name: "an alias within the zone is right at its end", Refs: "RFC 1034 §3.6.2",
			Shop: "www 60 CNAME web\nweb 60 A 192.0.2.1", Clients: Works,
		},
		{
			Name: "an alias leads to a stale record in another zone", Refs: "RFC 1034 §3.6.2",
			Shop: "www 3600 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.9"), Clients: Stale,
			Want: wants(stale(old, "on 1 of 1 authoritative servers of lb.test", "set pool.lb.test A 192.0.2.1 (zone lb.test)"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "an alias names a load balancer of another customer", Refs: "RFC 1034 §3.6.2",
			Shop: "www 60 CNAME theirs.lb.test.", Zones: lb("ours 60 A 192.0.2.1\ntheirs 60 A 192.0.2.9"), Clients: Stale,
			Want: wants(stale(old, "theirs.lb.test"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "one server still has the old alias", Refs: "RFC 1034 §4.3.5; Zonemaster CONSISTENCY01",
			Shop: "www 60 CNAME new.lb.test.", Alone: map[byte]Edit{13: {Set: "www 60 CNAME old.lb.test."}},
			Zones: lb("new 60 A 192.0.2.1\nold 60 A 192.0.2.9"), Clients: Sometimes,
			Want: wants(stale(old, "set old.lb.test A 192.0.2.1"), disagree("CNAME new.lb.test on ns1", "CNAME old.lb.test on ns3")),
		},
		{
			Name: "an alias leads to a name that does not exist", Refs: "RFC 2308 §2.1; RFC 6604 §3",
			Shop: "www 60 CNAME gone", Clients: Fails,
			Want: wants(absent("gone.shop.example does not exist (NXDOMAIN)")),
		},
		{
			Name: "an alias leads to a name without addresses", Refs: "RFC 2308 §2.2",
			Shop: "www 60 CNAME mail\nmail 60 MX 10 mx", Clients: Fails,
			Want: wants(absent("mail.shop.example exists without A and AAAA (NODATA)")),
		},
		{
			Name: "an alias leads into a domain that nobody has any more", Refs: "RFC 1034 §3.6.2; RFC 2308 §2.1",
			Shop: "www 60 CNAME shop.expired.test.", Clients: Fails,
			Want: wants(absent("the zone test says that shop.expired.test does not exist (NXDOMAIN)")),
		},
		{
			Name: "an alias leads into a zone whose only server is down", Refs: "RFC 2182 §3",
			Shop: "www 60 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.1"), Down: []byte{21}, Clients: Fails,
			Want: wants(unresolvable(unknown, "www.shop.example leads to pool.lb.test", "1 of 1 servers of lb.test", "UDP port closed")),
		},
		{
			Name: "a server adds the addresses of an alias that it does not know", Refs: "RFC 2181 §5.4.1; RFC 5452 §6",
			Shop: "www 60 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.1"), Clients: Works,
			Faults: everywhere(lab.ForName("www.shop.example.", alter(func(m *dns.Msg) {
				m.Answer = append(m.Answer, record("pool.lb.test. 86400 A "+forged))
			}))),
		},
	}
}

// chains are many aliases, or endless ones.
func chains() []Situation {
	longest, over := chain(11), chain(12)
	longest.Name, longest.Clients = "eleven aliases in a row, from zone to zone, are as many as resolvers follow", Works
	over.Name, over.Clients = "twelve aliases in a row, from zone to zone, are more than resolvers follow", Fails
	over.Note = "Unbound follows 11, and BIND 11 since max-query-restarts"
	over.Want = wants(unresolvable(critical, "11 aliases"))
	return []Situation{
		longest, over,
		{
			Name: "aliases lead in a circle through two zones", Refs: "RFC 1034 §3.6.2, §5.2.2",
			Shop: "www 60 CNAME www.lb.test.", Zones: lb("www 60 CNAME www.shop.example."), Clients: Fails,
			Want: wants(unresolvable(critical, "its aliases lead in a circle", "www.lb.test CNAME www.shop.example")),
		},
		{
			Name: "an alias leads to itself", Refs: "RFC 1034 §5.2.2",
			Shop: "www 60 CNAME www", Clients: Fails,
			Want: wants(unresolvable(critical, "its aliases lead in a circle")),
		},
	}
}

// oddAliases do not stand alone, or stand where none may.
func oddAliases() []Situation {
	return []Situation{
		{
			Name: "a name has an alias and an address of its own", Refs: "RFC 1034 §3.6.2; RFC 2181 §10.1",
			Shop: right + "\nwww 60 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.9"), Clients: Sometimes,
			Note:       "the server gives the address for A and the alias for AAAA; a cache that has read the alias follows it for A too",
			Unloadable: "CNAME and other data",
			Want:       wants(stale(old, "set pool.lb.test A 192.0.2.1")),
		},
		{
			Name: "one server sends an alias and addresses for one name", Refs: "RFC 1034 §3.6.2; RFC 2181 §10.1",
			Shop: right, Clients: Sometimes, Note: "a resolver believes what comes from a server of the zone",
			Faults: at(forType(dns.TypeA, alter(func(m *dns.Msg) {
				m.Answer = append(m.Answer, record("www.shop.example. 60 CNAME pool.lb.test."))
			})), 12),
			Zones: lb("pool 60 A 192.0.2.9"),
			Want:  wants(degraded("ns2", "an alias and addresses for one name")),
		},
		{
			Name: "one server gives two aliases for one name", Refs: "RFC 2181 §10.1",
			Shop: "www 60 CNAME pool.lb.test.", Clients: Works, Zones: lb("pool 60 A 192.0.2.1\npool2 60 A 192.0.2.1"),
			Faults: at(alter(func(m *dns.Msg) {
				m.Answer = append(m.Answer, record("www.shop.example. 60 CNAME pool2.lb.test."))
			}), 12),
			Want: wants(degraded("ns2", "two aliases for one name")),
		},
		{
			Name: "the apex of the zone is an alias", Refs: "RFC 1912 §2.4; RFC 2181 §10.1",
			Shop: "@ 60 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.9"), Host: "shop.example", Clients: Stale,
			Unloadable: "CNAME and other data",
			Want:       wants(stale(old, "set pool.lb.test A 192.0.2.1"), missing(warning, "192.0.2.1")),
		},
	}
}

// redirections are made by DNAME records.
func redirections() []Situation {
	return []Situation{
		{
			Name: "a branch of the tree is redirected by DNAME, and right", Refs: "RFC 6672 §2.2",
			Shop: "eu 60 DNAME lb.test.", Zones: lb("www 60 A 192.0.2.1"), Host: "www.eu.shop.example", Clients: Works,
		},
		{
			Name: "a branch of the tree is redirected by DNAME to a stale record", Refs: "RFC 6672 §2.2",
			Shop: "eu 60 DNAME lb.test.", Zones: lb("www 60 A 192.0.2.9"), Host: "www.eu.shop.example", Clients: Stale,
			Want: wants(stale(old, "set www.lb.test A 192.0.2.1 (zone lb.test)"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "a DNAME makes a name that is too long", Refs: "RFC 6672 §2.2, §3.2",
			Shop: "eu 60 DNAME " + strings.Repeat(strings.Repeat("l", 63)+".", 3) + "lb.test.", Host: strings.Repeat("h", 63) + ".eu.shop.example", Clients: Fails,
			Want: wants(unresolvable(critical, "the DNAME record at eu.shop.example makes a name of it that is too long")),
		},
		{
			Name: "servers send a DNAME without the alias that it makes", Refs: "RFC 6672 §3.1",
			Shop: "eu 60 DNAME lb.test.", Zones: lb("www 60 A 192.0.2.9"), Host: "www.eu.shop.example", Clients: Stale,
			Faults: everywhere(lab.ForName("www.eu.shop.example.", alter(func(m *dns.Msg) { m.Answer = m.Answer[:1] }))),
			Want:   wants(stale(old, "set www.lb.test A 192.0.2.1 (zone lb.test)"), missing(warning, "192.0.2.1")),
		},
		{
			Name: "a DNAME does not redirect the name that has it", Refs: "RFC 6672 §2.3",
			Shop: "eu 60 DNAME lb.test.", Zones: lb("@ 60 A 192.0.2.1"), Host: "eu.shop.example", Clients: Fails,
			Want: wants(absent("eu.shop.example exists without A and AAAA (NODATA)")),
		},
	}
}

// chain is a host behind n aliases, in two zones by turns.
func chain(n int) Situation {
	texts := [2]string{"www 60 CNAME c1.lb.test.\n"}
	origin := [2]string{"shop.example.", "lb.test."}
	for i := 1; i < n; i++ {
		texts[i%2] += fmt.Sprintf("c%d 60 CNAME c%d.%s\n", i, i+1, origin[(i+1)%2])
	}
	texts[n%2] += fmt.Sprintf("c%d 60 A 192.0.2.1\n", n)
	return Situation{Refs: "RFC 1034 §5.2.2; Unbound MAX_RESTART_COUNT; BIND max-query-restarts", Shop: texts[0], Zones: lb(texts[1])}
}
