package dnscheck

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
)

// misdeed makes of a right packet one that must not be believed.
type misdeed struct {
	name string
	of   func(packet []byte) []byte
}

// onBytes changes a copy of the packet.
func onBytes(f func(p []byte)) func([]byte) []byte {
	return func(packet []byte) []byte {
		p := slices.Clone(packet)
		f(p)
		return p
	}
}

// onMessage changes the message.
func onMessage(f func(m *dns.Msg)) func([]byte) []byte {
	return func(packet []byte) []byte {
		m := new(dns.Msg)
		if err := m.Unpack(packet); err != nil {
			panic(err)
		}
		f(m)
		out, err := m.Pack()
		if err != nil {
			panic(err)
		}
		return out
	}
}

func otherOwner(m *dns.Msg) {
	for _, rr := range m.Answer {
		rr.Header().Name = "other.example."
	}
}

// misdeeds are all ways to be wrong that a packet has. None of them is a denial.
func misdeeds() []misdeed {
	rcode := func(code int) func([]byte) []byte {
		return onMessage(func(m *dns.Msg) { m.Rcode = code })
	}
	return []misdeed{
		{"nothing", func([]byte) []byte { return nil }},
		{"half of it", func(p []byte) []byte { return p[:len(p)/2] }},
		{"one byte less", func(p []byte) []byte { return p[:len(p)-1] }},
		{"a query", onBytes(func(p []byte) { p[2] &^= 0x80 })},
		{"another opcode", onBytes(func(p []byte) { p[2] |= 4 << 3 })},
		{"truncated", onBytes(func(p []byte) { p[2] |= 2 })},
		{"not authoritative", onBytes(func(p []byte) { p[2] &^= 4 })},
		{"more records counted", onBytes(func(p []byte) { p[7] += 3 })},
		{"two questions", onMessage(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) })},
		{"another name asked", onMessage(func(m *dns.Msg) { m.Question[0].Name = "other." + m.Question[0].Name })},
		{"another type asked", onMessage(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT })},
		{"another class asked", onMessage(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS })},
		{"REFUSED", rcode(dns.RcodeRefused)},
		{"SERVFAIL", rcode(dns.RcodeServerFailure)},
		{"FORMERR", rcode(dns.RcodeFormatError)},
		{"NOTIMP", rcode(dns.RcodeNotImplemented)},
		{"NOTAUTH", rcode(dns.RcodeNotAuth)},
		{"NXDOMAIN with data", rcode(dns.RcodeNameError)},
		{"records of others", onMessage(otherOwner)},
		{"records of another class", onMessage(func(m *dns.Msg) {
			for _, rr := range m.Answer {
				rr.Header().Class = dns.ClassCHAOS
			}
		})},
		{"an alias beside it", onMessage(func(m *dns.Msg) {
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "lb.edge.example."})
		})},
		{"an address without data beside it", onMessage(func(m *dns.Msg) {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}},
				&dns.AAAA{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET}})
		})},
		{"a referral upwards", onMessage(func(m *dns.Msg) { m.Answer, m.Ns, m.Authoritative = nil, []dns.RR{nsOf(".")}, false })},
		{"a referral sideways", onMessage(func(m *dns.Msg) { m.Answer, m.Ns = nil, []dns.RR{nsOf("other.example.")} })},
		{"a referral downwards", onMessage(func(m *dns.Msg) { m.Answer, m.Ns, m.Authoritative = nil, []dns.RR{nsOf(m.Question[0].Name)}, false })},
		{"the SOA of another zone", onMessage(func(m *dns.Msg) {
			m.Answer, m.Ns = nil, []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "other.example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: ".", Mbox: "."}}
		})},
	}
}

func nsOf(zone string) dns.RR {
	return &dns.NS{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.test."}
}

// right is a right answer that gives an address to the host.
func right(t *testing.T, q question, addr netip.Addr) []byte {
	t.Helper()
	return packetOf(t, q, nil, fmt.Sprintf("%s 60 %s %s", q.name, askedType(q.qtype), addr))
}

// told is what a server's packet, or its silence if there is none, makes.
func told(server int, q question, packet []byte, id uint16) Answer {
	s := Server{Name: fmt.Sprintf("ns%d.shop.example", server), Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(server)}), 53)}
	r := reply{outcome: Silent, detail: "no answer in 2s"}
	if packet != nil {
		r.outcome = Malformed
		if r.msg, r.detail = open(packet, id, q); r.msg != nil && r.msg.Truncated {
			r = reply{outcome: Malformed, detail: "sent an answer that is truncated over TCP too"}
		}
	}
	a, _ := readReply(fuzzedZone, s, q, r, 53)
	return a
}

// aboutAddresses are the findings that say something of the name's addresses,
// without the places where it was seen.
func aboutAddresses(fs []finding.Finding) []finding.Finding {
	var out []finding.Finding
	for _, f := range fs {
		switch f.Code {
		case finding.DNSStaleRecord, finding.DNSMissingRecord, finding.DNSNoRecord, finding.DNSDraining, finding.DNSSpecialAddress, finding.DNSTTLExposure:
			f.SeenAt, f.Observed = nil, ""
			out = append(out, f)
		}
	}
	return out
}

// misled is a look at which each of n servers misbehaves, for both types.
func misled(t *testing.T, dice *rand.Rand, n int) Observation {
	t.Helper()
	host := "api.shop.example"
	o := Observation{Host: host, At: noon, Heard: dice.IntN(2) == 0, Steps: []Step{{Name: host, Zone: "shop.example"}}}
	all := misdeeds()
	for server := range n {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			q := question{name: canonical(host), qtype: qtype}
			addr := netip.MustParseAddr("203.0.113.66")
			if qtype == dns.TypeAAAA {
				addr = netip.MustParseAddr("2001:db8::66")
			}
			misdeed, id := all[dice.IntN(len(all))], uint16(7)
			packet := right(t, q, addr)
			if dice.IntN(8) == 0 {
				id++ // somebody guesses
			} else {
				packet = misdeed.of(packet)
			}
			a := told(server+1, q, packet, id)
			if a.Outcome.Speaks() {
				t.Fatalf("%s speaks: %+v", misdeed.name, a)
			}
			o.Steps[0].Answers = append(o.Steps[0].Answers, a)
		}
	}
	return o
}

// before is what was published an hour ago: the load balancer's address, and one
// that is stale.
func before() History {
	o := Observation{Host: "api.shop.example", At: noon.Add(-time.Hour), Steps: []Step{{Name: "api.shop.example", Zone: "shop.example", Answers: []Answer{
		{Server: Server{Name: "ns1.shop.example"}, Type: A, Outcome: OK, Addresses: addrs("203.0.113.10", "203.0.113.66"), TTL: 86400},
		// So it is known who gave them, and that none of those who misbehave later did.
		{Server: Server{Name: "ns2.shop.example"}, Type: A, Outcome: Silent},
	}}}}
	return History{}.Remember([]Observation{o})
}

func verdict(h History, o Observation) []finding.Finding {
	h = h.Remember([]Observation{o})
	e := inventory.Expected{Known: true, Addresses: addrs("203.0.113.10", "2001:db8::10")}
	return Judge(Policy{MaxTTL: time.Second, Special: ipspace.New().Special}, noon,
		Case{Expected: e, Observed: o, Seen: h.Of(o.Host), Denied: h.DeniedOf(o.Host)})
}

func TestMisbehaviourSaysNothingOfAddresses(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		for _, h := range []History{{}, before()} {
			o := misled(t, dice, 1+dice.IntN(5))
			for _, f := range verdict(h, o) {
				if len(aboutAddresses([]finding.Finding{f})) > 0 || f.Severity == finding.Critical {
					t.Fatalf("%s, from\n%+v", line(f), o.Steps[0].Answers)
				}
			}
		}
	}
}

func TestOneGoodAnswerDecidesAmongBadOnes(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	host := question{name: "api.shop.example."}
	nx := onMessage(func(m *dns.Msg) {
		m.Answer, m.Rcode = nil, dns.RcodeNameError
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: fuzzedZone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: ".", Mbox: "."}}
	})
	for _, c := range []struct {
		rule  string
		four  func(packet []byte) []byte
		addr  string
		tells string // a code that must be there
	}{
		{"a stale address", slices.Clone[[]byte], "203.0.113.77", "dns/stale-record"},
		{"the right address", slices.Clone[[]byte], "203.0.113.10", ""},
		{"no such name", nx, "203.0.113.10", "dns/no-record"},
	} {
		for range 700 {
			o := misled(t, dice, 1+dice.IntN(5))
			var good []Answer
			for qtype, packet := range map[uint16][]byte{
				dns.TypeA:    c.four(right(t, question{name: host.name, qtype: dns.TypeA}, netip.MustParseAddr(c.addr))),
				dns.TypeAAAA: nx(right(t, question{name: host.name, qtype: dns.TypeAAAA}, netip.MustParseAddr("2001:db8::1"))),
			} {
				if qtype == dns.TypeAAAA && !strings.Contains(c.rule, "no such") {
					packet = onMessage(func(m *dns.Msg) { m.Rcode = dns.RcodeSuccess })(packet)
				}
				good = append(good, told(9, question{name: host.name, qtype: qtype}, packet, 7))
			}
			slices.SortFunc(good, compareAnswers)
			alone := o
			alone.Steps = []Step{{Name: o.Host, Zone: "shop.example", Answers: good}}
			o.Steps[0].Answers = append(slices.Clone(good), o.Steps[0].Answers...)
			for _, h := range []History{{}, before()} {
				want, got := aboutAddresses(verdict(h, alone)), aboutAddresses(verdict(h, o))
				if !reflect.DeepEqual(got, want) || c.tells != "" && !slices.ContainsFunc(got, func(f finding.Finding) bool { return string(f.Code) == c.tells }) {
					t.Fatalf("%s: with bad answers\n%+v\nwithout\n%+v\nbad ones\n%+v", c.rule, got, want, o.Steps[0].Answers)
				}
			}
		}
	}
}

func TestTheOracleOfTheFuzzerIsStrict(t *testing.T) {
	q := question{name: "api.shop.example.", qtype: dns.TypeA}
	packet := right(t, q, netip.MustParseAddr("203.0.113.66"))
	if got := validAddresses(packet, q); !slices.Equal(got, addrs("203.0.113.66")) {
		t.Errorf("of a right packet it reads %s", got)
	}
	for _, m := range misdeeds() {
		if got := validAddresses(m.of(packet), q); len(got) > 0 {
			t.Errorf("%s: it reads %s", m.name, got)
		}
	}
	binary.BigEndian.PutUint16(packet[6:], 2)
	if got := validAddresses(packet, q); len(got) > 0 {
		t.Errorf("of a packet with too high a count it reads %s", got)
	}
}
