package dnscheck

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"driftprobe/finding"
)

// zoneCase is a look at shop.example in which all is well, bent.
type zoneCase struct {
	rule string
	bend func(o *ZoneObservation)
	want []string
	says []string
}

// wellZone is shop.example on ns1 and ns2, named by a and b of example.
func wellZone() ZoneObservation {
	o := ZoneObservation{Zone: "shop.example", At: noon, Parent: "example", TCPLeaves: true, Heard: true}
	names := []string{"ns1.shop.example", "ns2.shop.example"}
	for i, parent := range []string{"a.nic.example", "b.nic.example"} {
		o.Handed = append(o.Handed, Handed{
			Server: serverAt(parent, 101+i), Outcome: OK, NS: names, TTL: 86400,
			Glue: []Glue{{names[0], ips("192.0.2.1")}, {names[1], ips("192.0.2.2")}},
		})
	}
	for i, name := range names {
		o.add(name, i+1, names...)
		n := ServerName{Name: name}
		for w, witness := range names {
			s := serverAt(witness, w+1)
			n.Own = append(n.Own, Answer{Server: s, Type: A, Outcome: OK, Addresses: ips(fmt.Sprint("192.0.2.", i+1))}, Answer{Server: s, Type: AAAA, Outcome: NoData})
		}
		o.Names = append(o.Names, n)
	}
	return o
}

func serverAt(name string, last int) Server {
	return Server{Name: name, Address: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:53", last))}
}

// add is a server with nothing wrong.
func (o *ZoneObservation) add(name string, last int, ns ...string) {
	o.Servers = append(o.Servers, ZoneServer{
		Server: serverAt(name, last), Outcome: OK, Serial: 7, NSOutcome: OK, NS: ns, EDNS: EDNSOK, TCP: OK,
	})
}

// fail makes a server fail in every way.
func (o *ZoneObservation) fail(i int, out Outcome, detail string) {
	s := &o.Servers[i]
	*s = ZoneServer{Server: s.Server, Outcome: out, Detail: detail, NSOutcome: out, NSDetail: detail, TCP: out, TCPDetail: detail}
}

func (o *ZoneObservation) hand(change func(h *Handed)) {
	for i := range o.Handed {
		change(&o.Handed[i])
	}
}

func zoneCases() []zoneCase {
	return slices.Concat(delegationCases(), glueCases(), conformanceCases())
}

func delegationCases() []zoneCase {
	both := "a.nic.example b.nic.example ns1.shop.example ns2.shop.example"
	return []zoneCase{
		{rule: "two sides that agree are nothing to tell", bend: func(*ZoneObservation) {}},
		{
			"a server that was moved is named by the parent alone, and refuses",
			func(o *ZoneObservation) {
				o.hand(func(h *Handed) { h.NS = append(slices.Clone(h.NS), "ns9.old.example") })
				o.add("ns9.old.example", 9)
				o.fail(2, Refused, "REFUSED")
			},
			[]string{
				"warning dns/delegation-mismatch shop.example | at " + both,
				"warning dns/nameserver-degraded shop.example ns9.old.example (192.0.2.9) | at ns9.old.example",
			},
			[]string{"only example names ns9.old.example", "ns9.old.example (192.0.2.9) does not serve the zone: REFUSED", "take ns9.old.example out of the delegation of shop.example (at the registrar"},
		},
		{
			"a server that only the parent names and that serves the zone belongs into the zone",
			func(o *ZoneObservation) {
				for i := range o.Servers {
					o.Servers[i].NS = []string{"ns1.shop.example"}
				}
			},
			[]string{"warning dns/delegation-mismatch shop.example | at " + both},
			[]string{"only example names ns2.shop.example", "add ns2.shop.example to the NS records of the zone shop.example"},
		},
		{
			"a server that only the zone names belongs into the delegation",
			func(o *ZoneObservation) {
				for i := range o.Servers {
					o.Servers[i].NS = append(slices.Clone(o.Servers[i].NS), "ns3.shop.example")
				}
				o.add("ns3.shop.example", 3, o.Servers[0].NS...)
			},
			[]string{"warning dns/delegation-mismatch shop.example | at a.nic.example b.nic.example ns1.shop.example ns2.shop.example ns3.shop.example"},
			[]string{"only the zone itself names ns3.shop.example", "add ns3.shop.example to the delegation"},
		},
		{
			"a server that only the zone names and that has an older copy is to leave the zone",
			func(o *ZoneObservation) {
				for i := range o.Servers {
					o.Servers[i].NS = append(slices.Clone(o.Servers[i].NS), "ns3.shop.example")
				}
				o.add("ns3.shop.example", 3, o.Servers[0].NS...)
				o.Servers[2].Serial = 6
			},
			[]string{
				"warning dns/delegation-mismatch shop.example | at a.nic.example b.nic.example ns1.shop.example ns2.shop.example ns3.shop.example",
				"info dns/nonconformant shop.example | at ns1.shop.example ns2.shop.example ns3.shop.example",
			},
			[]string{"take ns3.shop.example out of the NS records of the zone shop.example: it has other data"},
		},
		{
			"a server that only the zone names and that has the copy of another primary is to leave the zone",
			func(o *ZoneObservation) {
				for i := range o.Servers {
					o.Servers[i].NS = append(slices.Clone(o.Servers[i].NS), "ns3.shop.example")
				}
				o.add("ns3.shop.example", 3, o.Servers[0].NS...)
				o.Servers[2].Primary = "ns.other.example"
			},
			[]string{"warning dns/delegation-mismatch shop.example | at a.nic.example b.nic.example ns1.shop.example ns2.shop.example ns3.shop.example"},
			[]string{"take ns3.shop.example out of the NS records of the zone shop.example: it has other data"},
		},
		{
			"a server that only the zone names and that fails is to leave the zone",
			func(o *ZoneObservation) {
				for i := range o.Servers {
					o.Servers[i].NS = append(slices.Clone(o.Servers[i].NS), "ns3.shop.example")
				}
				o.add("ns3.shop.example", 3)
				o.fail(2, Silent, "no answer in 2 s")
			},
			[]string{
				"warning dns/delegation-mismatch shop.example | at " + both,
				"warning dns/nameserver-degraded shop.example ns3.shop.example (192.0.2.3) | at ns3.shop.example",
			},
			[]string{"take ns3.shop.example out of the NS records of the zone shop.example"},
		},
		{
			"while the parent's servers differ nothing is said of the zone",
			func(o *ZoneObservation) {
				o.Handed[1].NS = []string{"ns1.shop.example", "ns3.shop.example"}
				o.Handed[1].Glue = nil
			},
			[]string{"info dns/delegation-mismatch shop.example | at a.nic.example b.nic.example"},
			[]string{"ns1.shop.example, ns2.shop.example on a.nic.example (192.0.2.101); ns1.shop.example, ns3.shop.example on b.nic.example"},
		},
		{
			"a parent that denies the zone on every server has dropped it",
			func(o *ZoneObservation) {
				o.hand(func(h *Handed) { *h = Handed{Server: h.Server, Outcome: NoName, TTL: 900} })
			},
			[]string{"critical dns/delegation-mismatch shop.example | at a.nic.example b.nic.example | clear +15m0s"},
			[]string{"example does not delegate shop.example any more"},
		},
		{
			"a parent that denies the zone on one server of two fails for some",
			func(o *ZoneObservation) {
				o.Handed[1] = Handed{Server: o.Handed[1].Server, Outcome: NoName, TTL: 900}
			},
			[]string{"warning dns/delegation-mismatch shop.example | at a.nic.example b.nic.example"},
			[]string{"1 of 2 servers of example say that shop.example does not exist", "no delegation on b.nic.example"},
		},
		{
			"one parent server that denies while the other is silent proves nothing",
			func(o *ZoneObservation) {
				o.Handed[0] = Handed{Server: o.Handed[0].Server, Outcome: Silent}
				o.Handed[1] = Handed{Server: o.Handed[1].Server, Outcome: Silent}
			}, nil, nil,
		},
		{
			"where one server holds both zones the parent's side is unknown",
			func(o *ZoneObservation) {
				o.hand(func(h *Handed) { *h = Handed{Server: h.Server, Outcome: NoData, Both: true} })
				o.Servers[0].NS, o.Servers[1].NS = []string{"ns1.shop.example"}, []string{"ns1.shop.example"}
			}, nil, nil,
		},
		{
			"a zone that does not name its servers is not compared",
			func(o *ZoneObservation) {
				for i := range o.Servers {
					o.Servers[i].NSOutcome, o.Servers[i].NS = NoData, nil
				}
			},
			[]string{
				"info dns/nonconformant shop.example ns1.shop.example (192.0.2.1) | at ns1.shop.example",
				"info dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example",
			},
			[]string{"has no NS records for the zone itself"},
		},
		{
			"of a side that has more names than are kept no name is missing",
			func(o *ZoneObservation) {
				var many []string
				for i := range nameLimit {
					many = append(many, fmt.Sprintf("ns%02d.many.example", i))
				}
				o.hand(func(h *Handed) { h.NS, h.Glue = many, nil })
			}, nil, nil,
		},
		{
			"a zone whose servers all fail is for Judge",
			func(o *ZoneObservation) {
				o.fail(0, Silent, "no answer")
				o.fail(1, Silent, "no answer")
			}, nil, nil,
		},
		{"a look that was cut short before anything was seen says nothing", func(o *ZoneObservation) {
			*o = ZoneObservation{Zone: o.Zone, At: o.At, Cut: "time ran out"}
		}, nil, nil},
	}
}

func glueCases() []zoneCase {
	own := func(o *ZoneObservation, i int, t Type, a Answer) {
		for j := range o.Names[i].Own {
			if w := &o.Names[i].Own[j]; w.Type == t {
				a.Server, a.Type = w.Server, t
				*w = a
			}
		}
	}
	return []zoneCase{
		{
			"glue with an address that the zone does not have, and that does not serve it",
			func(o *ZoneObservation) {
				o.hand(func(h *Handed) { h.Glue[1].Addresses = ips("192.0.2.9") })
				o.Servers[1].Server = serverAt("ns2.shop.example", 9)
				o.fail(1, Refused, "REFUSED")
				o.add("ns2.shop.example", 2, o.Servers[0].NS...)
			},
			[]string{
				"warning dns/delegation-mismatch shop.example ns2.shop.example | at a.nic.example b.nic.example",
				"warning dns/nameserver-degraded shop.example ns2.shop.example (192.0.2.9) | at ns2.shop.example",
			},
			[]string{"the glue for ns2.shop.example at example is 192.0.2.9, but the zone shop.example has 192.0.2.2", "192.0.2.9 does not serve the zone: REFUSED", "set the glue for ns2.shop.example to 192.0.2.2"},
		},
		{
			"glue that is missing for a server inside the zone",
			func(o *ZoneObservation) { o.hand(func(h *Handed) { h.Glue[1].Addresses = nil }) },
			[]string{"warning dns/delegation-mismatch shop.example ns2.shop.example | at a.nic.example b.nic.example"},
			[]string{"example has no glue for ns2.shop.example, which lies in shop.example"},
		},
		{
			"glue without the server's IPv6 address is only worth knowing",
			func(o *ZoneObservation) { own(o, 1, AAAA, Answer{Outcome: OK, Addresses: ips("2001:db8::2")}) },
			[]string{"info dns/delegation-mismatch shop.example ns2.shop.example | at a.nic.example b.nic.example"}, nil,
		},
		{
			"glue for a name that the zone does not have",
			func(o *ZoneObservation) {
				own(o, 1, A, Answer{Outcome: NoName})
				own(o, 1, AAAA, Answer{Outcome: NoName})
			},
			[]string{"warning dns/delegation-mismatch shop.example ns2.shop.example | at a.nic.example b.nic.example"},
			[]string{"the zone shop.example has none", "give ns2.shop.example an address record in the zone shop.example"},
		},
		{
			"glue is not compared with what the zone's servers disagree about",
			func(o *ZoneObservation) { o.Names[1].Own[2].Addresses = ips("192.0.2.9") }, nil, nil,
		},
		{
			"glue is not compared with silence",
			func(o *ZoneObservation) { own(o, 1, A, Answer{Outcome: Silent}) }, nil, nil,
		},
		{
			"glue of which the parent's servers are not sure is not compared",
			func(o *ZoneObservation) { o.Handed[0].Glue[1].Addresses = ips("192.0.2.9") }, nil, nil,
		},
	}
}

func TestJudgeZone(t *testing.T) {
	for _, c := range zoneCases() {
		t.Run(c.rule, func(t *testing.T) {
			o := wellZone()
			c.bend(&o)
			fs := JudgeZone(noon, o)
			var got []string
			for _, f := range fs {
				got = append(got, line(f))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found\n  %s\nwant\n  %s\n%s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "), texts(fs))
			}
			for _, s := range c.says {
				if !strings.Contains(texts(fs), s) {
					t.Errorf("nothing says %q:\n%s", s, texts(fs))
				}
			}
			sound(t, fs)
			again := o
			again.Handed, again.Servers, again.Names = reversed(o.Handed), reversed(o.Servers), reversed(o.Names)
			if other := JudgeZone(noon, again); !reflect.DeepEqual(other, fs) {
				t.Errorf("in another order\n%+v\nbefore\n%+v", other, fs)
			}
		})
	}
}

func reversed[E any](list []E) []E {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// FuzzJudgeZone bends the lists of an observation in ways that no look makes.
func FuzzJudgeZone(f *testing.F) {
	f.Add([]byte{})
	for i := range 20 {
		f.Add(slices.Repeat([]byte{byte(i), byte(3 * i), byte(11 * i), 1, byte(i / 2)}, 60))
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		d := &dice{bytes}
		o := d.zone()
		fs := JudgeZone(noon, o)
		sound(t, fs)
		spoke := slices.ContainsFunc(o.Servers, func(s ZoneServer) bool { return s.Outcome == OK || s.EDNS == EDNSDropped || s.NSOutcome == OK }) ||
			slices.ContainsFunc(o.Handed, func(h Handed) bool { return h.Outcome.Speaks() }) ||
			slices.ContainsFunc(o.Names, func(n ServerName) bool { return n.Alias != "" })
		if len(fs) > 0 && !spoke {
			t.Errorf("nobody spoke, and yet: %s", line(fs[0]))
		}
		for _, f := range fs {
			if f.Severity == finding.Unknown {
				t.Errorf("%s is unknown", line(f))
			}
		}
	})
}

// zone is an observation as anybody could have written it into a snapshot.
func (d *dice) zone() ZoneObservation {
	o := ZoneObservation{Zone: d.name(), Parent: d.name(), At: noon, TCPLeaves: d.roll(2) == 1}
	names := func() []string {
		var all []string
		for range d.roll(5) {
			all = append(all, d.name())
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	for range d.roll(5) {
		a := d.answer()
		h := Handed{Server: a.Server, Outcome: a.Outcome, Detail: a.Detail, Both: d.roll(4) == 1, NS: names(), TTL: a.TTL}
		for range d.roll(4) {
			h.Glue = append(h.Glue, Glue{d.name(), d.addresses(3)})
		}
		o.Handed = append(o.Handed, h)
	}
	seen := map[Server]bool{}
	for range d.roll(9) {
		a, b := d.answer(), d.answer()
		if seen[a.Server] {
			continue
		}
		seen[a.Server] = true
		o.Servers = append(o.Servers, ZoneServer{
			Server: a.Server, Outcome: a.Outcome, Detail: a.Detail, Serial: a.TTL, NSOutcome: b.Outcome, NS: names(),
			EDNS: []EDNS{"", EDNSOK, EDNSRejected, EDNSDropped}[d.roll(4)], TCP: d.answer().Outcome,
		})
	}
	told := map[string]bool{}
	for range d.roll(6) {
		n := ServerName{Name: d.name(), Missing: d.answer().Detail, Alias: []string{"", "web.shop.example"}[d.roll(2)]}
		if told[n.Name] {
			continue
		}
		told[n.Name] = true
		for range d.roll(4) {
			n.Own = append(n.Own, d.answer())
		}
		o.Names = append(o.Names, n)
	}
	return o
}
