package dnscheck

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// packetOf builds a packet from a change to a truthful answer.
func packetOf(tb testing.TB, q question, change func(*dns.Msg), records ...string) []byte {
	tb.Helper()
	m := new(dns.Msg).SetQuestion(q.name, q.qtype)
	m.Id, m.Response, m.Authoritative = 7, true, true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			tb.Fatal(err)
		}
		if rr.Header().Rrtype == dns.TypeSOA || rr.Header().Rrtype == dns.TypeNS {
			m.Ns = append(m.Ns, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	if change != nil {
		change(m)
	}
	packet, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return packet
}

func TestReadAnswer(t *testing.T) {
	q := question{name: "www.shop.example.", qtype: dns.TypeA}
	nx := func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }
	for _, c := range []struct {
		rule    string
		change  func(*dns.Msg)
		records []string
		want    Answer
	}{
		{"addresses are unique and sorted", nil, []string{"www.shop.example. 60 A 192.0.2.2", "www.shop.example. 60 A 192.0.2.1", "www.shop.example. 60 A 192.0.2.2"}, Answer{Outcome: OK, Addresses: addrs("192.0.2.1", "192.0.2.2"), TTL: 60}},
		{"of mixed TTLs the largest counts", nil, []string{"www.shop.example. 60 A 192.0.2.2", "www.shop.example. 600 A 192.0.2.1"}, Answer{Outcome: OK, Addresses: addrs("192.0.2.1", "192.0.2.2"), TTL: 600}},
		{"a TTL with the top bit set is 0", func(m *dns.Msg) { m.Answer[0].Header().Ttl = 1 << 31 }, []string{"www.shop.example. 60 A 192.0.2.1"}, Answer{Outcome: OK, Addresses: addrs("192.0.2.1")}},
		{"records of other owners are ignored", nil, []string{"www.shop.example. 60 A 192.0.2.1", "other.example. 60 A 192.0.2.9"}, Answer{Outcome: OK, Addresses: addrs("192.0.2.1"), TTL: 60}},
		{"the case of an owner does not matter", nil, []string{"WWW.Shop.Example. 60 A 192.0.2.1"}, Answer{Outcome: OK, Addresses: addrs("192.0.2.1"), TTL: 60}},
		{"another class is another record", func(m *dns.Msg) { m.Answer[0].Header().Class = dns.ClassCHAOS }, []string{"www.shop.example. 60 A 192.0.2.1"}, Answer{Outcome: Malformed}},
		{"the rest of an alias chain is ignored", nil, []string{"www.shop.example. 60 CNAME lb.test.", "lb.test. 30 A 192.0.2.1"}, Answer{Outcome: Alias, Target: "lb.test", TTL: 60}},
		{"an alias with NXDOMAIN is an alias", nx, []string{"www.shop.example. 60 CNAME lb.test."}, Answer{Outcome: Alias, Target: "lb.test", TTL: 60}},
		{"two aliases are a fault", nil, []string{"www.shop.example. 60 CNAME a.test.", "www.shop.example. 60 CNAME b.test."}, Answer{Outcome: Malformed}},
		{"an alias beside an address is a fault", nil, []string{"www.shop.example. 60 CNAME a.test.", "www.shop.example. 60 A 192.0.2.1"}, Answer{Outcome: Malformed}},
		{"an address with NXDOMAIN is a fault", nx, []string{"www.shop.example. 60 A 192.0.2.1"}, Answer{Outcome: Malformed}},
		{"the negative TTL is the smaller one", nx, []string{"shop.example. 900 SOA n. m. 5 1 1 1 30"}, Answer{Outcome: NoName, TTL: 30, Serial: 5}},
		{"a denial with the SOA of a zone that cannot hold the name is lame", nx, []string{"other.example. 900 SOA n. m. 5 1 1 1 30"}, Answer{Outcome: Lame}},
		{"a referral upwards is lame in spite of AA", nil, []string{". 900 NS a.root."}, Answer{Outcome: Lame}},
		{"servers of the zone beside nothing are no referral", nil, []string{"shop.example. 900 NS ns1.shop.example."}, Answer{Outcome: NoData}},
		{"an SOA above the zone is lame", nil, []string{"example. 900 SOA n. m. 5 1 1 1 30"}, Answer{Outcome: Lame}},
		{"NODATA without an SOA may not be kept", nil, nil, Answer{Outcome: NoData}},
		{"no AA is lame", func(m *dns.Msg) { m.Authoritative = false }, []string{"www.shop.example. 60 A 192.0.2.1"}, Answer{Outcome: Lame}},
		{"NOTAUTH is a failure", func(m *dns.Msg) { m.Rcode = dns.RcodeNotAuth }, nil, Answer{Outcome: Failed}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m, wrong := open(packetOf(t, q, c.change, c.records...), 7, q)
			if m == nil {
				t.Fatal(wrong)
			}
			got := readAnswer("shop.example.", q, m)
			if got.Type != A || (got.Detail == "") != got.Outcome.Speaks() {
				t.Errorf("type %s, outcome %s, detail %q", got.Type, got.Outcome, got.Detail)
			}
			if !sameData(&got, &c.want) || got.TTL != c.want.TTL || got.Serial != c.want.Serial {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range texts {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestOpenRejectsWhatIsNoAnswerToTheQuestion(t *testing.T) {
	q := question{name: "www.shop.example.", qtype: dns.TypeA}
	good := packetOf(t, q, nil, "www.shop.example. 60 A 192.0.2.1")
	edit := func(at int, b byte) []byte {
		p := slices.Clone(good)
		p[at] = b
		return p
	}
	end := len(packetOf(t, q, nil))
	// rdata and named are good with other data, or another owner, of its address.
	rdata := func(counted byte, data ...byte) []byte {
		return append(append(slices.Clone(good[:len(good)-6]), 0, counted), data...)
	}
	named := func(name ...byte) []byte {
		p := append(slices.Clone(good[:end]), name...)
		return append(p, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
	}
	opt := func(owner string) dns.RR {
		return &dns.OPT{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeOPT, Class: udpSize}}
	}
	empty := func(rrtype uint16) dns.RR {
		return &dns.RFC3597{Hdr: dns.RR_Header{Name: q.name, Rrtype: rrtype, Class: dns.ClassINET}}
	}
	for _, c := range []struct {
		rule   string
		packet []byte
		wrong  string
	}{
		{"the right one", good, ""},
		{"empty", nil, "shorter"},
		{"wrong ID", edit(1, 8), "wrong ID"},
		{"a query", edit(2, good[2]&^0x80), "QR=0"},
		{"another opcode", edit(2, good[2]|4<<3), "opcode 4"},
		{"a record less than counted", edit(7, 2), "fewer records"},
		{"an authority record less than counted", edit(9, 1), "fewer records"},
		{"an OPT record is counted, and none is there", edit(11, 1), ""},
		{"two additional records are counted, and none is there", edit(11, 2), "fewer records"},
		{"bytes after the last record", append(slices.Clone(good), 1, 2, 3), ""},
		{"a record more than counted", edit(7, 0), ""},
		{"an address of three bytes", rdata(3, 192, 0, 2), "no DNS message"},
		{"an address of five bytes", rdata(5, 192, 0, 2, 1, 1), "no DNS message"},
		{"an address without bytes", rdata(0), "without data"},
		{"an address that is shorter than its record", rdata(5, 192, 0, 2, 1), "no DNS message"},
		{"an alias without bytes", packetOf(t, q, func(m *dns.Msg) { m.Answer = []dns.RR{empty(dns.TypeCNAME)} }), "without data"},
		{"servers without bytes", packetOf(t, q, func(m *dns.Msg) { m.Ns = []dns.RR{empty(dns.TypeNS)} }), "without data"},
		{"a text without bytes", packetOf(t, q, func(m *dns.Msg) { m.Extra = []dns.RR{empty(dns.TypeTXT)} }), ""},
		{"a name that points at itself", named(0xC0, byte(end)), "no DNS message"},
		{"a name that points at one that points back", named(1, 'a', 0xC0, byte(end)), "no DNS message"},
		{"a name that points over the end", named(0xFF, 0xFF), "no DNS message"},
		{"a label of 64 bytes", named(append([]byte{64}, make([]byte, 66)...)...), "no DNS message"},
		{"a label of a reserved kind", named(append([]byte{0x80}, make([]byte, 66)...)...), "no DNS message"},
		{"a name of 256 bytes", named(append(bytes.Repeat([]byte{1, 'a'}, 127), 1, 'b', 0)...), "no DNS message"},
		{"a name of 255 bytes", named(append(bytes.Repeat([]byte{1, 'a'}, 127), 0)...), ""},
		{"two OPT records", packetOf(t, q, func(m *dns.Msg) { m.Extra = []dns.RR{opt("."), opt(".")} }), "OPT"},
		{"an OPT record that is not at the root", packetOf(t, q, func(m *dns.Msg) { m.Extra = []dns.RR{opt("shop.example.")} }), "OPT"},
		{"an OPT record among the answers", packetOf(t, q, func(m *dns.Msg) { m.Answer = []dns.RR{opt(".")} }), "OPT"},
		{"an OPT record", packetOf(t, q, func(m *dns.Msg) { m.Extra = []dns.RR{opt(".")} }), ""},
		{"cut in the middle", good[:len(good)-3], "no DNS message"},
		{"another type", packetOf(t, question{name: q.name, qtype: dns.TypeAAAA}, nil), "another question"},
		{"another class", packetOf(t, q, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), "another question"},
		{"two questions", packetOf(t, q, func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), "another question"},
		{"no question with NOERROR", packetOf(t, q, func(m *dns.Msg) { m.Question = nil }), "another question"},
		{"no question with FORMERR", packetOf(t, q, func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeFormatError }), ""},
		{"cut in the middle with TC", func() []byte { p := edit(2, good[2]|2); return p[:len(p)-3] }(), ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m, wrong := open(c.packet, 7, q)
			if (m != nil) != (c.wrong == "") || !strings.Contains(wrong, c.wrong) {
				t.Errorf("open: %v, %q; want %q", m, wrong, c.wrong)
			}
			if m != nil && m.Truncated && len(m.Answer) > 0 {
				t.Errorf("records of a truncated answer: %v", m.Answer)
			}
		})
	}
}

func TestForbiddenServersAreThoseThatOnlyADelegationNames(t *testing.T) {
	at := func(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 53) }
	public := New(Settings{Servers: map[string][]netip.AddrPort{"corp.example": {at("10.0.0.53")}}})
	defer public.Close()
	private := New(Settings{Roots: []netip.AddrPort{at("127.0.53.1")}})
	defer private.Close()
	found, configured := delegation{zone: "shop.example."}, public.fixed["corp.example."]
	for _, c := range []struct {
		rule      string
		r         *Resolver
		d         delegation
		addr      string
		forbidden bool
	}{
		{"a public address", public, found, "8.8.8.8", false},
		{"loopback under the public roots", public, found, "127.0.0.1", true},
		{"the metadata service under the public roots", public, found, "169.254.169.254", true},
		{"IPv4 in IPv6", public, found, "::ffff:127.0.0.1", true},
		{"a configured zone", public, configured, "10.0.0.53", false},
		{"an address that the configuration names for another zone", public, found, "10.0.0.53", false},
		{"a private address beside it", public, found, "10.0.0.54", true},
		{"loopback under private roots", private, found, "127.0.0.1", false},
		{"multicast under private roots", private, found, "224.0.0.1", true},
		{"the unspecified address under private roots", private, found, "0.0.0.0", true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if why := c.r.forbidden(c.d, netip.MustParseAddr(c.addr)); (why != "") != c.forbidden {
				t.Errorf("forbidden says %q", why)
			}
		})
	}
}

func TestAForbiddenServerIsToldAndNotAsked(t *testing.T) {
	r := New(Settings{})
	defer r.Close()
	w := &walk{r: r}
	d := delegation{zone: "shop.example.", names: []nameServer{{host: "ns.shop.example.", at: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}}}}
	servers, dead := w.serversToJudge(t.Context(), d)
	answers := w.deadAnswers(dead)
	if len(servers) != 0 || len(answers) != 2 || answers[0].Outcome != Forbidden || answers[0].Server.Name != "ns.shop.example" {
		t.Errorf("asked %v, told %+v", servers, answers)
	}
}

func TestIPv6OfOurOwnNetworkIsNoWitness(t *testing.T) {
	for _, c := range []struct {
		addr            string
		public, private bool
	}{
		{"2001:500:2::c", true, true},
		{"fd00::53", false, true},
		{"::1", false, true},
		{"192.33.4.12", false, false},
		{"::ffff:192.33.4.12", false, false},
	} {
		a := netip.MustParseAddr(c.addr)
		r := New(Settings{})
		private := New(Settings{Roots: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}})
		if got := [2]bool{r.beyond(a), private.beyond(a)}; got != [2]bool{c.public, c.private} {
			t.Errorf("%s stands for IPv6 in the public and in a private DNS: %v", a, got)
		}
	}
}

func TestReadRecursive(t *testing.T) {
	q := question{name: "www.shop.example.", qtype: dns.TypeA, recurse: true}
	for _, c := range []struct {
		rule    string
		change  func(*dns.Msg)
		records []string
		want    ResolverAnswer
	}{
		{"the smallest TTL of the chain", nil, []string{"lb.test. 600 A 192.0.2.1", "www.shop.example. 41 CNAME lb.test."}, ResolverAnswer{Outcome: OK, Addresses: addrs("192.0.2.1"), TTL: 41}},
		{"addresses beside the chain are ignored", nil, []string{"www.shop.example. 41 CNAME lb.test.", "x.test. 60 A 192.0.2.9"}, ResolverAnswer{Outcome: NoData}},
		{"a loop is malformed", nil, []string{"www.shop.example. 41 CNAME a.test.", "a.test. 41 CNAME www.shop.example."}, ResolverAnswer{Outcome: Malformed}},
		{"nothing but records of other names is malformed", nil, []string{"x.test. 60 A 192.0.2.9"}, ResolverAnswer{Outcome: Malformed}},
		{"without recursion", func(m *dns.Msg) { m.Authoritative = false }, nil, ResolverAnswer{Outcome: Lame}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m, wrong := open(packetOf(t, q, c.change, c.records...), 7, q)
			if m == nil {
				t.Fatal(wrong)
			}
			got := readRecursive(q, m)
			if got.Outcome != c.want.Outcome || got.TTL != c.want.TTL || !slices.Equal(got.Addresses, c.want.Addresses) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzParseAnswer(f *testing.F) {
	q := question{name: "www.shop.example.", qtype: dns.TypeA}
	for _, records := range [][]string{
		{"www.shop.example. 60 A 192.0.2.1", "www.shop.example. 60 A 192.0.2.2"},
		{"www.shop.example. 60 CNAME lb.test.", "lb.test. 60 A 192.0.2.1"},
		{"shop.example. 60 SOA n. m. 1 2 3 4 5"},
		{"eu.shop.example. 60 NS ns.eu.shop.example."},
	} {
		f.Add(packetOf(f, q, nil, records...))
		f.Add(packetOf(f, q, func(m *dns.Msg) { m.Authoritative = false }, records...))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		id := uint16(7)
		if len(packet) >= 2 {
			id = binary.BigEndian.Uint16(packet)
		}
		m, wrong := open(packet, id, q)
		if (m == nil) != (wrong != "") {
			t.Fatalf("message %v, wrong %q", m, wrong)
		}
		if m == nil {
			return
		}
		a := readAnswer("shop.example.", q, m)
		if a.Outcome == "" || a.Outcome.Speaks() != (a.Detail == "") || (a.Outcome == OK) != (len(a.Addresses) > 0) || (a.Outcome == Alias) != (a.Target != "") {
			t.Errorf("inconsistent: %+v", a)
		}
		if len(a.Addresses) > addressLimit || !slices.IsSortedFunc(a.Addresses, netip.Addr.Compare) || a.TTL > 1<<31-1 {
			t.Errorf("unbounded or unsorted: %+v", a)
		}
		if d, ok := referral("shop.example.", q.name, m, 53); ok && (!strictlyBelow("shop.example.", d.zone) || !within(d.zone, q.name) || len(d.names) > nameLimit) {
			t.Errorf("referral to %+v", d)
		}
		readRecursive(q, m)
	})
}
