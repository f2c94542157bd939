package diagnose_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"driftprobe/dnscheck"
)

// zone adds a look at the delegation of shop.example in which all is well, bent.
func (b *builder) zone(bend func(*dnscheck.ZoneObservation)) *builder {
	o := dnscheck.ZoneObservation{Zone: "shop.example", At: noon().Add(-4 * time.Minute), Parent: "example", TCPLeaves: true, Heard: true}
	names := []string{"ns1.shop.example", "ns2.shop.example", "ns3.shop.example"}
	for i, parent := range []string{"a.nic.example", "b.nic.example"} {
		h := dnscheck.Handed{Server: nameServer(parent, 101+i), Outcome: dnscheck.OK, NS: names, TTL: 86400}
		for n, name := range names {
			h.Glue = append(h.Glue, dnscheck.Glue{Name: name, Addresses: ips(fmt.Sprint("192.0.2.", n+1))})
		}
		o.Handed = append(o.Handed, h)
	}
	for n, name := range names {
		o.Servers = append(o.Servers, served(name, n+1, names...))
		o.Names = append(o.Names, dnscheck.ServerName{Name: name, Own: []dnscheck.Answer{
			{Server: nameServer(names[0], 1), Type: dnscheck.A, Outcome: dnscheck.OK, Addresses: ips(fmt.Sprint("192.0.2.", n+1))},
			{Server: nameServer(names[0], 1), Type: dnscheck.AAAA, Outcome: dnscheck.NoData},
		}})
	}
	bend(&o)
	b.Observations.Zones = append(b.Observations.Zones, o)
	return b
}

func nameServer(name string, last int) dnscheck.Server {
	return dnscheck.Server{Name: name, Address: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:53", last))}
}

func served(name string, last int, ns ...string) dnscheck.ZoneServer {
	return dnscheck.ZoneServer{
		Server: nameServer(name, last), Outcome: dnscheck.OK, Serial: 7, NSOutcome: dnscheck.OK, NS: ns,
		EDNS: dnscheck.EDNSOK, TCP: dnscheck.OK,
	}
}

func refusing(s dnscheck.Server) dnscheck.ZoneServer {
	return dnscheck.ZoneServer{Server: s, Outcome: dnscheck.Refused, Detail: "REFUSED", NSOutcome: dnscheck.Refused, NSDetail: "REFUSED", TCP: dnscheck.Refused}
}

// asked adds what one more server said to every host.
func (b *builder) asked(s dnscheck.Server, out dnscheck.Outcome, detail string) *builder {
	for i := range b.Observations.DNS {
		step := &b.Observations.DNS[i].Steps[0]
		for _, typ := range []dnscheck.Type{dnscheck.A, dnscheck.AAAA} {
			step.Answers = append(step.Answers, dnscheck.Answer{Server: s, Type: typ, Outcome: out, Detail: detail})
		}
	}
	return b
}

func zoneSituations() []situation {
	moved := nameServer("ns9.old.example", 9)
	return []situation{
		{"a delegation that is right changes nothing", func(t testing.TB) *builder {
			return shop(hosts(t, 3)...).zone(func(*dnscheck.ZoneObservation) {})
		}, 0},
		{"a delegation that names an old server is one incident with that server", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).asked(moved, dnscheck.Refused, "REFUSED")
			return b.zone(func(o *dnscheck.ZoneObservation) {
				for i := range o.Handed {
					o.Handed[i].NS = append(slices.Clone(o.Handed[i].NS), moved.Name)
				}
				o.Servers = append(o.Servers, refusing(moved))
			})
		}, 1},
		{"glue that is stale and a server that is down elsewhere are two incidents", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).servers("ns3", dnscheck.Silent, "timeout after 5 s").servers("ns2", dnscheck.Refused, "REFUSED")
			return b.zone(func(o *dnscheck.ZoneObservation) {
				o.Servers[1] = refusing(o.Servers[1].Server)
				o.Servers[2] = dnscheck.ZoneServer{Server: o.Servers[2].Server, Outcome: dnscheck.Silent, Detail: "no answer in 2 s", NSOutcome: dnscheck.Silent}
				for i := range o.Names[1].Own {
					if a := &o.Names[1].Own[i]; a.Type == dnscheck.A {
						a.Addresses = ips("192.0.2.22")
					}
				}
				o.Servers = slices.Insert(o.Servers, 2, served("ns2.shop.example", 22, o.Servers[0].NS...))
			})
		}, 1},
		{"a name server that drops EDNS is told once, and one without TCP beside it", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).servers("ns2", dnscheck.Silent, "no answer in 2 s")
			return b.zone(func(o *dnscheck.ZoneObservation) {
				o.Servers[1].EDNS = dnscheck.EDNSDropped
				o.Servers[2].TCP, o.Servers[2].TCPDetail = dnscheck.Unreachable, "TCP port closed"
			})
		}, 1},
		{"a name server that failed the look at the zone and speaks of the hosts is not accused", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).zone(func(o *dnscheck.ZoneObservation) { o.Servers[1] = refusing(o.Servers[1].Server) })
		}, 0},
		{"a server without TCP is one incident for all its zones", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			o := b.Observations.DNS[1]
			o.Steps[0].Zone = "auth.shop.example"
			noTCP := func(o *dnscheck.ZoneObservation) { o.Servers[0].TCP = dnscheck.Silent }
			return b.zone(noTCP).zone(func(o *dnscheck.ZoneObservation) {
				o.Zone, o.Handed, o.Names = "auth.shop.example", nil, nil
				noTCP(o)
			})
		}, 1},
		{"the parent has dropped the zone, and hosts still find it", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).zone(func(o *dnscheck.ZoneObservation) {
				for i, h := range o.Handed {
					o.Handed[i] = dnscheck.Handed{Server: h.Server, Outcome: dnscheck.NoName, TTL: 900}
				}
			})
		}, 1},
		{"what is only worth knowing of a zone, and a look that was cut short", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).zone(func(o *dnscheck.ZoneObservation) {
				o.Servers[2].Serial = 6
				o.Servers[0].EDNS, o.Servers[0].EDNSDetail = dnscheck.EDNSRejected, "FORMERR"
				o.Cut = "time ran out before every server was asked"
			})
		}, 0},
		{"zones are not judged while it is our own network", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).servers("ns", dnscheck.Silent, "timeout").probes(newAddr, silent)
			for i := range b.Observations.DNS {
				b.Observations.DNS[i].Heard = false
			}
			b.Observations.Clouds[0].Failure, b.Observations.Clouds[0].At = "timeout", time.Time{}
			return b.zone(func(o *dnscheck.ZoneObservation) { o.Servers[1] = refusing(o.Servers[1].Server) })
		}, 3},
	}
}
