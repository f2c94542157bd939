package dnscheck

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
)

// dice makes choices out of a fuzzer's bytes; when they run out every choice is 0.
type dice struct{ bytes []byte }

func (d *dice) roll(n int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % n
}

func (d *dice) address() netip.Addr {
	all := ips("203.0.113.77", "203.0.113.10", "203.0.113.11", "2001:db8::77", "2001:db8::10", "::ffff:203.0.113.77", "10.0.0.7", "127.0.0.1", "198.51.100.7")
	return all[d.roll(len(all))]
}

func (d *dice) addresses(most int) []netip.Addr {
	var all []netip.Addr
	for range d.roll(most + 1) {
		all = append(all, d.address())
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// name is one of a few names, so that aliases meet; one is as long as names get
// when every octet is escaped.
func (d *dice) name() string {
	all := []string{"api.shop.example", "www.shop.example", "lb.edge.example", strings.Repeat(`\255`, 250) + ".example", "*.shop.example", "."}
	return all[d.roll(len(all))]
}

func (d *dice) answer() Answer {
	outcomes := []Outcome{OK, Alias, NoData, NoName, Silent, Unreachable, Refused, Failed, Lame, Malformed, Forbidden, "", "new"}
	details := []string{"", "timeout after 5 s", strings.Repeat("ü", 2000)}
	a := Answer{
		Server: Server{Name: fmt.Sprint("ns", d.roll(20)), Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(d.roll(20))}), 53)},
		Type:   []Type{A, AAAA}[d.roll(2)], Outcome: outcomes[d.roll(len(outcomes))],
		TTL: []uint32{0, 60, 3600, 1<<31 - 1, 1<<32 - 1}[d.roll(5)], Detail: details[d.roll(len(details))],
	}
	switch a.Outcome {
	case OK:
		a.Addresses = d.addresses(12)
		a.Addresses = slices.DeleteFunc(a.Addresses, func(ip netip.Addr) bool { return ip.Is4() != (a.Type == A) })
	case Alias:
		a.Target = d.name()
	}
	switch d.roll(8) {
	case 1:
		a.Odd = &OddTTL{Least: uint32(d.roll(100)), TopBit: d.roll(2) == 1}
	case 2:
		a.DNAME = []string{"shop.example", "edge.example", ".", "x"}[d.roll(4)]
	case 3:
		a.Serial, a.Primary = []uint32{1, 41, 42, 1 << 31}[d.roll(4)], fmt.Sprint("ns", d.roll(2))
	}
	return a
}

func (d *dice) look() Observation {
	o := Observation{Host: d.name(), At: noon.Add(-time.Duration(d.roll(100)) * time.Minute)}
	for i := range d.roll(MaxSteps + 1) {
		s := Step{Name: d.name(), Zone: "shop.example"}
		if i == 0 {
			s.Name = o.Host
		}
		if _, again := o.step(s.Name); again {
			continue
		}
		for range d.roll(12) {
			s.Answers = append(s.Answers, d.answer())
		}
		for range d.roll(3) {
			s.WildcardOwner, s.Wildcard = "*.shop.example", append(s.Wildcard, d.answer())
		}
		if d.roll(8) == 1 {
			s.Failure = Failure{Outcome: d.answer().Outcome, At: "example", NegativeTTL: 900}
		}
		s.Rotates = d.roll(6) == 1
		for range d.roll(3) {
			s.NSTTL = uint32(d.roll(7200))
			s.Former = append(s.Former, Former{d.answer(), noon.Add(time.Duration(d.roll(100)-10) * time.Minute)})
		}
		o.Steps = append(o.Steps, s)
	}
	for range d.roll(4) {
		a := d.answer()
		o.Resolvers = append(o.Resolvers, ResolverAnswer{Resolver: a.Server.Address, Type: a.Type, Outcome: a.Outcome, Addresses: a.Addresses, TTL: a.TTL, At: o.At})
	}
	return o
}

func FuzzJudge(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x01\x03\x01\x01\x00\x00\x01\x00\x02\x01\x00"))
	for i := range 20 {
		f.Add(slices.Repeat([]byte{byte(i), byte(7 * i), byte(13 * i), 1, byte(i / 2)}, 200))
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		d := &dice{bytes}
		c := Case{Expected: inventory.Expected{Known: d.roll(4) > 0, Addresses: d.addresses(3), Uncertain: d.addresses(2)}, Strangers: map[netip.Addr]Stranger{}}
		if d.roll(3) == 1 {
			c.Expected.Allow = prefixes("198.51.100.0/24", "10.0.0.0/8")
		}
		c.Strangers[d.address()] = Stranger{Valid: d.roll(2) == 1, Text: "connection refused", Owner: "blue"}
		var h History
		for range d.roll(4) {
			h = h.Remember([]Observation{d.look()})
		}
		c.Observed = d.look()
		c.Seen = h.Of(c.Observed.Host)
		p := Policy{MaxTTL: time.Duration(d.roll(3)) * time.Minute, Special: ipspace.New().Special}
		fs := Judge(p, noon, c)
		soundOnce(t, c, fs)
		for _, s := range c.Observed.Steps {
			slices.Reverse(s.Answers)
			slices.Reverse(s.Former)
		}
		slices.Reverse(c.Observed.Resolvers)
		if again := Judge(p, noon, c); !reflect.DeepEqual(fs, again) {
			t.Errorf("answers in reverse give\n%+v\nnot\n%+v", again, fs)
		}
	})
}

// soundOnce adds to sound what ties findings to the observation.
func soundOnce(t *testing.T, c Case, fs []finding.Finding) {
	t.Helper()
	sound(t, fs)
	spoke := slices.ContainsFunc(c.Observed.Steps, func(s Step) bool {
		return s.Failure.Outcome == NoName || slices.ContainsFunc(s.Answers, func(a Answer) bool { return a.Outcome.Speaks() })
	})
	for _, f := range fs {
		drift := f.Code == finding.DNSStaleRecord || f.Code == finding.DNSMissingRecord || f.Code == finding.DNSNoRecord
		if drift && !spoke {
			t.Errorf("silence gives %s", line(f))
		}
		if !c.Expected.Known && (f.Code == finding.DNSStaleRecord || f.Code == finding.DNSMissingRecord) {
			t.Errorf("an unknown expectation gives %s", line(f))
		}
		if f.Code == finding.DNSStaleRecord {
			a := netip.MustParseAddr(f.Subject.Address)
			given := slices.Contains(c.Observed.Published(), a)
			if !given && !(TakesTurns(c.Observed, c.Seen, a) && slices.Contains(Published(c.Observed, c.Seen), a)) {
				t.Errorf("what nobody gives, not even by turns, gives %s", line(f))
			}
		}
		if f.Code == finding.DNSStaleRecord && c.Expected.Accepts(netip.MustParseAddr(f.Subject.Address)) {
			t.Errorf("an accepted address gives %s", line(f))
		}
	}
}
