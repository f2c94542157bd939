package situation

import (
	"sync"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// soa is an SOA record with a serial.
func soa(serial string) string {
	return "\n@ 300 SOA ns1 hostmaster " + serial + " 7200 900 1209600 300"
}

// disagreements are servers of one zone that do not say the same.
func disagreements() []Situation {
	return []Situation{
		{
			Name: "one server is behind, by its serial, and has the old address", Refs: "RFC 1034 §4.3.5; RFC 1982; Zonemaster CONSISTENCY01",
			Shop: right + soa("2026030702"), Alone: map[byte]Edit{12: {Set: "www 60 A 192.0.2.9" + soa("2026030701")}}, Clients: Sometimes,
			Want: wants(stale(old, "on 1 of 3 authoritative servers"), disagree("192.0.2.9 on ns2", "192.0.2.1 on ns1", "ns2.shop.example", "lags: it has serial 2026030701")),
			Zone: wants(nonconformant(info, "", "different serials on its servers")),
		},
		{
			Name: "one server has the old address with the newest serial", Refs: "RFC 1034 §4.3.5; Zonemaster CONSISTENCY01",
			Shop: right + soa("7"), Alone: map[byte]Edit{12: {Set: "www 60 A 192.0.2.9"}}, Clients: Sometimes,
			Want: wants(stale(old, "on 1 of 3 authoritative servers"), disagree("192.0.2.9 on ns2")),
		},
		{
			Name: "one server is behind in IPv6 alone", Refs: "RFC 1034 §4.3.5; RFC 3596 §2.1",
			Shop: right + "\nwww 60 AAAA 2001:db8::1", Alone: map[byte]Edit{13: {Set: "www 60 AAAA 2001:db8::9"}},
			Expected: ips("192.0.2.1", "2001:db8::1"), Clients: Sometimes,
			Want: wants(stale("2001:db8::9"), disagree("AAAA 2001:db8::9 on ns3")),
		},
		{
			Name: "one server has an address of the load balancer that the others lack", Refs: "RFC 2181 §5; RFC 1034 §4.3.5",
			Shop: right, Alone: map[byte]Edit{13: {Set: right + "\nwww 60 A 192.0.2.2"}}, Expected: ips("192.0.2.1", "192.0.2.2"), Clients: Works,
			Want: wants(disagree("192.0.2.1, 192.0.2.2 on ns3")),
		},
		{
			Name: "every server has an address of its own", Refs: "RFC 2181 §5",
			Shop: right, Alone: map[byte]Edit{12: {Set: "www 60 A 192.0.2.2"}, 13: {Set: "www 60 A 192.0.2.3"}},
			Expected: ips("192.0.2.1", "192.0.2.2", "192.0.2.3"), Clients: Works,
			Want: wants(disagree("192.0.2.1 on ns1", "192.0.2.2 on ns2", "192.0.2.3 on ns3")),
		},
		{
			Name: "the servers give one set in different orders", Refs: "RFC 2181 §5; RFC 1794 §2",
			Shop: right + "\nwww 60 A 192.0.2.2\nwww 60 A 192.0.2.3", Expected: ips("192.0.2.1", "192.0.2.2", "192.0.2.3"), Clients: Works,
			Faults: everywhere(turning(func(n int, m *dns.Msg) {
				for range n {
					m.Answer = append(m.Answer[1:], m.Answer[0])
				}
			})),
		},
		{
			Name: "the TTLs differ from server to server", Refs: "RFC 2181 §5.2",
			Shop: right, Alone: map[byte]Edit{12: {Set: "www 300 A 192.0.2.1"}}, Clients: Works,
		},
	}
}

// turns are servers that give another answer each time.
func turns() []Situation {
	three := ips("192.0.2.1", "192.0.2.2", "192.0.2.3")
	const all = right + "\nwww 60 A 192.0.2.2\nwww 60 A 192.0.2.3"
	// Each server begins with another address, and so gives another one the next time.
	one := func() map[byte]lab.Fault {
		faults := map[byte]lab.Fault{}
		for i, last := range []byte{11, 12, 13} {
			faults[last] = turning(func(n int, m *dns.Msg) {
				n = (n + i) % len(m.Answer)
				m.Answer = m.Answer[n : n+1]
			})
		}
		return faults
	}
	return []Situation{
		{
			Name: "the servers give one address of the load balancer's three by turns", Refs: "RFC 1794 §3",
			Shop: all, Expected: three, Faults: one(), Clients: Works,
		},
		{
			Name: "the servers give three addresses by turns, one of which is stale", Refs: "RFC 1794 §3",
			Shop: all, Expected: three[:2], Faults: one(), Clients: Sometimes,
			Want: wants(stale("192.0.2.3")),
		},
		{
			Name: "the servers give one of two aliases by turns, one of which is stale", Refs: "RFC 1794 §3; RFC 1034 §3.6.2",
			Shop: "www 60 CNAME a.lb.test.", Zones: lb("a 60 A 192.0.2.1\nb 60 A 192.0.2.9"), Clients: Sometimes,
			Faults: at(turning(func(n int, m *dns.Msg) {
				if n%2 == 0 {
					m.Answer = section("www.shop.example. 60 CNAME b.lb.test.")
				}
			}), 11),
			Want: wants(stale(old, "b.lb.test")),
		},
	}
}

// turning changes answers about www as f has it for the number of the question of
// that type. (Resolvers ask for the servers' own addresses too.)
func turning(f func(n int, m *dns.Msg)) lab.Fault { return turningAt("www.shop.example.", f) }

func turningAt(name string, f func(n int, m *dns.Msg)) lab.Fault {
	var mu sync.Mutex
	count := map[uint16]int{}
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		if len(truth.Answer) == 0 || q.Name != name {
			return lab.Send(truth)
		}
		mu.Lock()
		n := count[q.Type]
		count[q.Type]++
		mu.Unlock()
		f(n, truth)
		return lab.Send(truth)
	}
}

// specials are addresses that mean something on a network of one's own.
func specials() []Situation {
	row := func(kind, refs, addr, purpose string) Situation {
		typ := "A"
		if ips(addr)[0].Is6() {
			typ = "AAAA"
		}
		return Situation{Name: "a public name has " + kind, Refs: refs, Shop: "www 60 " + typ + " " + addr, Unmapped: true, Public: true,
			Clients: Works, Note: "the address is given, and leads nowhere", Want: wants(special(addr, purpose))}
	}
	return []Situation{
		row("a private address", "RFC 1918 §3; RFC 6890", "10.0.0.7", "the private address 10.0.0.7"),
		row("the address of the local host", "RFC 1122 §3.2.1.3; RFC 6890", "127.0.0.1", "the loopback address"),
		row("the address of a cloud's metadata service", "RFC 3927 §2.1; RFC 6890", "169.254.169.254", "the link-local address"),
		row("the unspecified address", "RFC 1122 §3.2.1.3; RFC 6890", "0.0.0.0", "0.0.0.0"),
		row("a unique local address", "RFC 4193 §3; RFC 6890", "fd00::7", "the unique local address"),
		row("a private address inside an IPv6 address", "RFC 6052 §2.1; RFC 6890", "64:ff9b::a00:7", "the private address"),
		{
			Name: "a private address is that of an internal load balancer", Refs: "RFC 1918 §3",
			Shop: "www 60 A 10.0.0.7", Expected: ips("10.0.0.7"), Public: true, Clients: Works,
		},
		{
			Name: "a private address in a private tree", Refs: "RFC 1918 §3",
			Shop: "www 60 A 10.0.0.7", Unmapped: true, Clients: Works,
		},
		{
			Name: "a private address beside that of the public load balancer", Refs: "RFC 1918 §3",
			Shop: right + "\nwww 60 A 10.0.0.7", Public: true, Clients: Stale,
			Want: wants(stale("10.0.0.7")),
		},
		{
			Name: "the inner servers of a split zone are pinned, and right", Refs: "RFC 8499 §6 (split DNS)",
			Shop: "www 60 A 192.0.2.9", Alone: map[byte]Edit{13: {Set: "www 60 A 10.0.0.7"}}, Pinned: []byte{13},
			Expected: ips("10.0.0.7"), Public: true, Clients: Sometimes, Note: "the clients meant are those inside",
		},
		{
			Name: "the inner servers of a split zone are pinned, and stale", Refs: "RFC 8499 §6 (split DNS)",
			Shop: right, Alone: map[byte]Edit{13: {Set: "www 60 A 10.0.0.9"}}, Pinned: []byte{13},
			Expected: ips("10.0.0.7"), Public: true, Clients: Sometimes, Note: "the clients meant are those inside",
			Want: wants(stale("10.0.0.9", "on 1 of 1 authoritative servers of shop.example"), missing(warning, "10.0.0.7")),
		},
	}
}
