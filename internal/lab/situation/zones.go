package situation

import (
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

func mismatch(severity, server string, texts ...string) Want {
	return Want{Code: "dns/delegation-mismatch", Severity: severity, Subject: []string{server}, Texts: texts}
}

func nonconformant(severity, server string, texts ...string) Want {
	return Want{Code: "dns/nonconformant", Severity: severity, Subject: []string{server}, Texts: texts}
}

// lonely is told of zones that are on one server alone.
func lonely() Want { return nonconformant(info, "", "all its name servers at one IPv4 address") }

// three is a delegation of shop.example to all its servers.
const three = "shop NS ns1.shop\nshop NS ns2.shop\nshop NS ns3.shop\nns1.shop A {11}\nns2.shop A {12}\nns3.shop A {13}"

// zones are about the two sides of a delegation, while the host itself is published
// right.
func zones() []Situation {
	shop := func(text, delegation string) []Zone {
		return []Zone{{Name: "shop.example.", At: []byte{11, 12, 13}, Text: right + text, Delegation: delegation}}
	}
	rows := []Situation{
		{
			Name: "the parent names a server that the zone does not, and that serves it", Refs: "RFC 1034 §4.2.2; Zonemaster DELEGATION07",
			Zones: shop("\n@ NS ns1\n@ NS ns2", three),
			Zone:  wants(mismatch(warning, "", "only example names ns3.shop.example", "add ns3.shop.example to the NS records of the zone shop.example")),
		},
		{
			Name: "the zone names a server that the parent does not", Refs: "RFC 1034 §4.2.2; Zonemaster CONSISTENCY04",
			Zones: shop("", "shop NS ns1.shop\nshop NS ns2.shop\nns1.shop A {11}\nns2.shop A {12}"),
			Zone:  wants(mismatch(warning, "", "only the zone itself names ns3.shop.example", "add ns3.shop.example to the delegation of shop.example")),
		},
		{
			Name: "the parent names a server that was switched off long ago", Refs: "RFC 1912 §2.8; Zonemaster DELEGATION04",
			Zones: shop("\n@ NS ns1\n@ NS ns2", three), Down: []byte{13},
			Want: wants(degraded("ns3.shop.example", "UDP port closed")),
			Zone: wants(mismatch(warning, "", "only example names ns3.shop.example", "take ns3.shop.example out of the delegation of shop.example")),
		},
		{
			Name: "the glue for one server is an address of old", Refs: "RFC 1912 §2.3; RFC 9471; Zonemaster CONSISTENCY05",
			Zones: append(shop("", "shop NS ns1.shop\nshop NS ns2.shop\nshop NS ns3.shop\nns1.shop A {11}\nns2.shop A {12}\nns3.shop A {33}"), Zone{Name: "other.test.", At: []byte{33}}),
			Want:  wants(degraded("ns3.shop.example", "REFUSED")),
			Zone:  wants(mismatch(warning, "ns3.shop.example", "the glue for ns3.shop.example at example is")),
		},
		{
			Name: "the glue for one server is missing", Refs: "RFC 9471 §3; Zonemaster DELEGATION07",
			Zones: shop("", "shop NS ns1.shop\nshop NS ns2.shop\nshop NS ns3.shop\nns1.shop A {11}\nns2.shop A {12}"),
			Zone:  wants(mismatch(warning, "ns3.shop.example", "example has no glue for ns3.shop.example")),
		},
		{
			Name: "one server of the top-level domain does not know the delegation yet", Refs: "RFC 1034 §4.3.5",
			Shop: right, Zones: []Zone{{Name: "example.", Servers: []string{"a.nic.example. 2", "b.nic.example. 4"}}},
			Alone: map[byte]Edit{4: {Zone: "example.", Remove: []string{"shop.example."}}}, Clients: Sometimes,
			Zone: wants(mismatch(warning, "", "1 of 2 servers of example say that shop.example does not exist")),
		},
		{
			Name: "the zone names a server that the parent does not, and that is switched off", Refs: "RFC 1912 §2.8; Zonemaster CONSISTENCY04",
			Zones: shop("", two), Down: []byte{13},
			Zone: wants(mismatch(warning, "", "take ns3.shop.example out of the NS records of the zone"), degraded("ns3.shop.example", "does not serve the zone")),
		},
	}
	return working(append(rows, besides()...))
}

// two is a delegation of shop.example to two of its servers.
const two = "shop NS ns1.shop\nshop NS ns2.shop\nns1.shop A {11}\nns2.shop A {12}"

// besides are servers that resolvers learn of, and that not every server of the parent
// names.
func besides() []Situation {
	// moved is shop.example with one server at another provider.
	moved := func(provider, text, delegation string) []Zone {
		return []Zone{
			{Name: provider, At: []byte{31}},
			{Name: "shop.example.", Servers: []string{"ns1.shop.example. 11", "ns2.shop.example. 12", "ns1." + provider + " 31"}, Text: text, Delegation: delegation},
		}
	}
	return []Situation{
		{
			Name: "the zone names a server that the parent does not, with a copy of old", Refs: "RFC 2181 §5.4.1; Zonemaster CONSISTENCY04",
			Zones: moved("olddns.test.", right+soa("7"), two), Alone: map[byte]Edit{31: {Set: "www 60 A 192.0.2.9" + soa("6")}}, Clients: Sometimes,
			Note: "who has read the zone's own NS records goes to all its servers",
			Want: wants(stale(old, "on 1 of 3 authoritative servers of shop.example"), disagree("192.0.2.9 on ns1.olddns.test", "lags")),
			Zone: wants(
				mismatch(warning, "", "only the zone itself names ns1.olddns.test", "take ns1.olddns.test out of the NS records of the zone shop.example: it has other data"),
				nonconformant(info, "", "serial"),
			),
		},
		{
			Name: "the zone names a server that the parent does not, with another copy of the same serial", Refs: "RFC 2181 §5.4.1; Zonemaster CONSISTENCY04",
			Zones: moved("olddns.test.", right, two), Alone: map[byte]Edit{31: {Set: "www 60 A 192.0.2.9"}}, Clients: Sometimes,
			Want: wants(stale(old, "on 1 of 3 authoritative servers of shop.example"), disagree("192.0.2.9 on ns1.olddns.test", "the serial is the same")),
			Zone: wants(mismatch(warning, "", "or take it out of the NS records of the zone")),
		},
		{
			Name: "a server that only the zone names has been silent about the host since the record was corrected", Refs: "RFC 2181 §5.4.1",
			Zones: moved("olddns.test.", "www 3600 A 192.0.2.9", two), Later: &Edit{Set: right}, After: 2 * time.Hour,
			Faults: at(lab.ForName("www.shop.example.", lab.Silent), 31), Clients: Works,
			Want: wants(withheld(old, "no usable answer now from ns1.olddns.test")),
			Zone: wants(mismatch(warning, "", "only the zone itself names ns1.olddns.test")),
		},
		{
			Name: "one server of the top-level domain already has the delegation to another provider", Refs: "RFC 1034 §4.3.5; RFC 2181 §5.4.1",
			Zones: append(moved("newdns.test.", "www 60 A 192.0.2.9\n@ NS ns1\n@ NS ns2", two), Zone{Name: "example.", Servers: []string{"a.nic.example. 2", "b.nic.example. 4"}}),
			Alone: map[byte]Edit{
				4:  {Zone: "example.", Set: "shop NS ns1.newdns.test."},
				31: {Set: right + "\n@ NS ns1.newdns.test."},
			}, Clients: Sometimes,
			Want: wants(stale(old, "on 2 of 3 authoritative servers of shop.example"), disagree("192.0.2.1 on ns1.newdns.test")),
			Zone: wants(mismatch(info, "", "do not hand down the same name servers"), nonconformant(warning, "", "different NS records")),
		},
	}
}

// working are rows that clients get over, where they say nothing else.
func working(rows []Situation) []Situation {
	for i := range rows {
		if rows[i].Clients == "" {
			rows[i].Clients = Works
		}
	}
	return rows
}

// duties are what servers owe to resolvers, beside an answer about the host.
func duties() []Situation {
	return working([]Situation{
		{
			Name: "the zone has other NS records on one of its servers", Refs: "RFC 1034 §4.3.5; Zonemaster CONSISTENCY04",
			Shop: right, Alone: map[byte]Edit{13: {Set: "@ NS ns1\n@ NS ns3"}},
			Zone: wants(nonconformant(warning, "", "different NS records on its servers")),
		},
		{
			Name: "one server has an older serial and the same records", Refs: "RFC 1982; Zonemaster CONSISTENCY01",
			Shop: right + soa("7"), Alone: map[byte]Edit{13: {Set: soa("6")}},
			Zone: wants(nonconformant(info, "", "serial")),
		},
		{
			Name: "one server does not answer over TCP, though nothing is truncated", Refs: "RFC 7766 §5; RFC 9210 §3.1; DNS flag day 2020; Zonemaster CONNECTIVITY02",
			Shop: right, Faults: at(lab.OverProto("tcp", func(lab.Query, *dns.Msg) lab.Reply { return lab.Reply{Close: true} }), 12),
			Zone: wants(nonconformant(warning, "ns2.shop.example", "does not answer over TCP")),
		},
		{
			Name: "one server has an alias for a name in the zone itself", Refs: "RFC 2181 §10.3; Zonemaster DELEGATION05",
			Zones: []Zone{{Name: "shop.example.", At: []byte{11, 12, 13}, Text: right + "\nns3 CNAME ns1", Delegation: three}},
			Zone:  wants(nonconformant(warning, "ns3.shop.example", "is an alias of ns1.shop.example")),
		},
	})
}
