package dnscheck

import (
	"encoding/binary"
	"encoding/json"
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
	"driftprobe/internal/lab"
)

// The fuzzer's bytes are a first one that chooses what is expected, and replies:
// a byte of choices, two of length, and that many bytes.
const (
	fromHeader = 1 << iota // the bytes follow a header and question that are right
	forAAAA
	forTarget // of the last alias, if there is one
	nextLook
	fromResolver
	secondServer
)

// looks reads observations out of a fuzzer's bytes, as the walk makes them of
// packets, and notes for which addresses a valid answer speaks.
type looks struct {
	bytes []byte
	all   []Observation
	valid map[netip.Addr]bool
	spoke bool // a packet came that an authority can have sent about a name
}

const fuzzedZone = "shop.example."

func (l *looks) take(n int) []byte {
	n = min(n, len(l.bytes))
	out := l.bytes[:n]
	l.bytes = l.bytes[n:]
	return out
}

func (l *looks) read(host string) {
	l.valid = map[netip.Addr]bool{}
	fresh := func() Observation {
		return Observation{Host: host, At: noon.Add(time.Duration(len(l.all)-9) * time.Minute), Steps: []Step{{Name: host, Zone: bare(fuzzedZone)}}}
	}
	o := fresh()
	for range 12 {
		head := l.take(3)
		if len(head) < 3 {
			break
		}
		choice, body := head[0], l.take(int(binary.BigEndian.Uint16(head[1:])))
		if choice&nextLook != 0 {
			l.all = append(l.all, o)
			o = fresh()
		}
		l.reply(&o, choice, body)
	}
	l.all = append(l.all, o)
}

// reply adds what one packet says to an observation.
func (l *looks) reply(o *Observation, choice byte, body []byte) {
	step := &o.Steps[0]
	if choice&forTarget != 0 {
		step = &o.Steps[len(o.Steps)-1]
	}
	q := question{name: canonical(step.Name), qtype: dns.TypeA}
	if choice&forAAAA != 0 {
		q.qtype = dns.TypeAAAA
	}
	packet := body
	if choice&fromHeader != 0 {
		packet = completed(q, body)
	}
	id := uint16(0)
	if len(packet) >= 2 {
		id = binary.BigEndian.Uint16(packet)
	}
	m, wrong := open(packet, id, q)
	if m != nil && m.Truncated { // the exchange asks again over TCP, and believes none of it
		m, wrong = nil, "truncated"
	}
	if choice&fromResolver != 0 {
		r := ResolverAnswer{Outcome: Malformed, Detail: wrong}
		if m != nil {
			r = readRecursive(q, m)
		}
		r.Resolver, r.Type, r.At = netip.MustParseAddrPort("192.0.2.53:53"), askedType(q.qtype), o.At
		o.Resolvers = append(o.Resolvers, r)
		return
	}
	server := Server{Name: "ns1.shop.example", Address: netip.MustParseAddrPort("192.0.2.1:53")}
	if choice&secondServer != 0 {
		server = Server{Name: "ns2.shop.example", Address: netip.MustParseAddrPort("192.0.2.2:53")}
	}
	a, _ := readReply(zoneOf(step.Name), server, q, reply{msg: m, outcome: Malformed, detail: wrong}, 53)
	step.Answers = append(step.Answers, a)
	for _, addr := range validAddresses(packet, q) {
		l.valid[addr] = true
	}
	l.spoke = l.spoke || len(packet) > 3 && packet[2]&0x86 == 0x84 && (packet[3]&15 == 0 || packet[3]&15 == 3)
	if _, known := o.step(a.Target); a.Outcome == Alias && !known && len(o.Steps) < MaxSteps {
		o.Steps = append(o.Steps, Step{Name: a.Target, Zone: bare(zoneOf(a.Target))})
	}
}

// zoneOf is where a name lies in the fuzzer's world.
func zoneOf(name string) string {
	if within(fuzzedZone, canonical(name)) {
		return fuzzedZone
	}
	return parentOf(canonical(name))
}

// completed puts a right header and question before the bytes: of them, the first
// two are flags and the next three the counts of records.
func completed(q question, body []byte) []byte {
	fixed := make([]byte, 5)
	n := copy(fixed, body)
	packet, err := q.pack(7, false)
	if err != nil {
		return body
	}
	packet[2], packet[3] = fixed[0], fixed[1]
	packet[7], packet[9], packet[11] = fixed[2], fixed[3], fixed[4]
	return append(packet, body[n:]...)
}

// validAddresses are those that a packet gives to q, read by the letter of RFC 1035
// and by none of the code that is tested: an answer, by authority, whole, without an
// error, to the one question, with records of just the owner, class and type asked,
// and no alias beside them.
func validAddresses(p []byte, q question) []netip.Addr {
	const qr, aa, tc, opcode, rcode = 1 << 15, 1 << 10, 1 << 9, 15 << 11, 15
	if len(p) < 12 {
		return nil
	}
	if flags := binary.BigEndian.Uint16(p[2:]); flags&(qr|aa|tc|opcode|rcode) != qr|aa || binary.BigEndian.Uint16(p[4:]) != 1 {
		return nil
	}
	same := func(name string) bool { return strings.EqualFold(name, q.name) }
	name, at, err := dns.UnpackDomainName(p, 12)
	if err != nil || !same(name) || len(p) < at+4 || binary.BigEndian.Uint16(p[at:]) != q.qtype || binary.BigEndian.Uint16(p[at+2:]) != 1 {
		return nil
	}
	at += 4
	var found []netip.Addr
	for range binary.BigEndian.Uint16(p[6:]) {
		owner, end, err := dns.UnpackDomainName(p, at)
		if err != nil || len(p) < end+10 {
			return nil
		}
		rrtype, class, size := binary.BigEndian.Uint16(p[end:]), binary.BigEndian.Uint16(p[end+2:]), int(binary.BigEndian.Uint16(p[end+8:]))
		from := end + 10
		at = from + size
		if at > len(p) {
			return nil
		}
		if !same(owner) || class != 1 {
			continue
		}
		addr, ok := netip.AddrFromSlice(p[from:at])
		switch {
		case rrtype == dns.TypeCNAME:
			return nil
		case rrtype == q.qtype && (!ok || addr.Is4() != (q.qtype == dns.TypeA)):
			return nil
		case rrtype == q.qtype:
			found = append(found, addr)
		}
	}
	return found
}

// fuzzReply writes a reply as looks reads it.
func fuzzReply(choice byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{choice}, uint16(len(body))), body...)
}

// labPackets are real answers of the lab's server, by what was asked.
func labPackets(tb testing.TB) [][]byte {
	tb.Helper()
	zone, err := lab.NewZone(`$ORIGIN shop.example.
@ 60 SOA ns1 hostmaster 7 7200 900 1209600 300
@ 60 NS ns1
api 60 A 203.0.113.77
api 60 AAAA 2001:db8::77
cdn 300 CNAME lb.edge.example.
old 60 DNAME new.shop.example.
api.new 60 A 203.0.113.78
eu 60 NS ns.eu
ns.eu 60 A 192.0.2.7
*.wild 60 A 203.0.113.79`)
	if err != nil {
		tb.Fatal(err)
	}
	var all [][]byte
	for _, name := range []string{"api.shop.example.", "cdn.shop.example.", "api.old.shop.example.", "www.eu.shop.example.", "x.wild.shop.example.", "gone.shop.example."} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			m := new(dns.Msg).SetQuestion(name, qtype)
			m.SetEdns0(udpSize, false)
			reply := new(dns.Msg).SetReply(m)
			zone.Answer(reply, m.Question[0])
			reply.Compress = true
			packet, err := reply.Pack()
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, packet)
		}
	}
	return all
}

// asBody turns a packet into bytes that completed makes a packet of again, for
// whatever question.
func asBody(packet []byte) []byte {
	p := parser{packet: packet, at: headerSize}
	p.name()
	return slices.Concat([]byte{packet[2], packet[3], packet[7], packet[9], packet[11]}, packet[p.at+4:])
}

func FuzzPacketToVerdict(f *testing.F) {
	packets := labPackets(f)
	for i, packet := range packets {
		four := byte(i%2) * forAAAA
		f.Add(append([]byte{3}, fuzzReply(four, packet)...))
		f.Add(append([]byte{1}, fuzzReply(fromHeader|four, asBody(packet))...))
		f.Add(append([]byte{2}, fuzzReply(fromResolver|four, packet)...))
	}
	api, cdn, gone := packets[0], packets[2], packets[10]
	f.Add(slices.Concat([]byte{3}, fuzzReply(0, api), fuzzReply(secondServer|fromHeader, asBody(gone)), fuzzReply(nextLook|forAAAA, packets[1])))
	f.Add(slices.Concat([]byte{7}, fuzzReply(fromHeader, asBody(cdn)), fuzzReply(fromHeader|forTarget, asBody(api)), fuzzReply(nextLook|fromHeader, asBody(gone))))
	for _, fault := range misdeeds() {
		f.Add(append([]byte{3}, fuzzReply(0, fault.of(api))...))
	}
	special := ipspace.New().Special
	f.Fuzz(func(t *testing.T, bytes []byte) {
		l := looks{bytes: bytes}
		first := append(l.take(1), 0)[0]
		l.read("api.shop.example")
		c := Case{Expected: inventory.Expected{Known: first&1 != 0, Addresses: addrs("203.0.113.10")}}
		if first&2 != 0 {
			c.Expected.Addresses = append(c.Expected.Addresses, addrs("2001:db8::10")...)
		}
		if first&4 != 0 {
			c.Expected.Allow = prefixes("198.51.100.0/24")
		}
		var h History
		for _, o := range l.all {
			c.Observed = o
			h = h.Remember([]Observation{o})
		}
		c.Seen, c.Denied = h.Of(c.Observed.Host), h.DeniedOf(c.Observed.Host)
		p := Policy{MaxTTL: time.Minute, Special: special}
		fs := Judge(p, noon, c)
		soundOnce(t, c, fs)
		l.check(t, fs)
		bounded(t, c.Observed, fs)
		if again := Judge(p, noon, throughJSON(t, c, h)); !reflect.DeepEqual(fs, again) {
			t.Errorf("after JSON it is judged\n%+v\nnot\n%+v", again, fs)
		}
	})
}

// check holds the findings against what the packets say to another reader.
func (l *looks) check(t *testing.T, fs []finding.Finding) {
	t.Helper()
	for _, f := range fs {
		switch f.Code {
		case finding.DNSStaleRecord, finding.DNSSpecialAddress, finding.DNSDraining:
			if addr := f.Subject.Address; addr != "" && !l.valid[netip.MustParseAddr(addr)] {
				t.Errorf("no valid answer speaks for %s", line(f))
			}
		case finding.DNSMissingRecord, finding.DNSNoRecord:
			if !l.spoke {
				t.Errorf("no authority spoke, and yet %s", line(f))
			}
		}
	}
}

// bounded checks that what is kept of packets, and said of them, is small.
func bounded(t *testing.T, o Observation, fs []finding.Finding) {
	t.Helper()
	for _, s := range o.Steps {
		for _, a := range s.Answers {
			if n := bytesOf("", a); n > mostKept {
				t.Errorf("an answer takes %d bytes", n)
			}
		}
	}
	for _, f := range fs {
		for _, text := range []string{f.Summary, f.Expected, f.Observed, f.Hint} {
			if len(text) > maxText+len(" …") {
				t.Errorf("%s has a text of %d bytes", f.Code, len(text))
			}
		}
	}
}

// throughJSON is the case as it comes back from a snapshot.
func throughJSON(t *testing.T, c Case, h History) Case {
	t.Helper()
	var o Observation
	var back History
	for _, pair := range [][2]any{{c.Observed, &o}, {h, &back}} {
		text, err := json.Marshal(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, pair[1]); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	c.Observed, c.Seen, c.Denied = o, back.Of(o.Host), back.DeniedOf(o.Host)
	return c
}
