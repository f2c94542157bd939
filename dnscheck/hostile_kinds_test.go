package dnscheck_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// selves are the servers of each hostile zone.
const selves = 4

// hostile is a kind of hostile zone. Its servers are at self and the next addresses,
// or wherever its delegation says.
type hostile struct {
	zone        string // "k07.example."
	label       string // the same without the rest
	self        netip.Addr
	sinks       []netip.Addr // silent
	refusers    []netip.Addr // answer, but know nothing of the zone
	text        string
	delegation  string // relative to example.
	fault       lab.Fault
	prefix      string   // of the names to observe
	also        []string // names of further zones, at self
	accomplices bool     // the refusers do not refuse for this zone
}

// hostileKinds are the behaviours. Each makes its zone what it is.
func hostileKinds() map[string]func(*hostile) {
	return map[string]func(*hostile){
		"refers one label further down, for ever":                        func(h *hostile) { h.prefix, h.fault = strings.Repeat("a.", 60), h.referBelow(1) },
		"has a cut at each of 120 labels":                                func(h *hostile) { h.prefix, h.fault = strings.Repeat("a.", 110), h.referBelow(1) },
		"refers to names in the victim's zone":                           func(h *hostile) { h.prefix, h.fault = "a.b.", h.referTo(60, "victim.test.") },
		"refers to names below its own referrals":                        func(h *hostile) { h.prefix, h.fault = "a.b.", h.referTo(60, h.zone) },
		"refers to itself":                                               func(h *hostile) { h.fault = h.refer(func(lab.Query) string { return h.zone }) },
		"refers sideways":                                                func(h *hostile) { h.fault = h.refer(func(lab.Query) string { return "other.example." }) },
		"refers upwards":                                                 func(h *hostile) { h.fault = h.refer(func(lab.Query) string { return "." }) },
		"depends on itself through another zone (TsuNAME)":               (*hostile).cyclic,
		"gives a new alias for ever":                                     func(h *hostile) { h.fault = h.alias(h.zone) },
		"gives another alias at each question, all in the victim's zone": func(h *hostile) { h.fault = h.alias("victim.test.") },
		"leads through zones that are served by silent victims":          func(h *hostile) { h.throughVictims(h.sinks[:3]) },
		"leads through zones whose servers refuse":                       func(h *hostile) { h.throughVictims(h.refusers[:25]) },
		"leads through zones of which three servers refuse":              func(h *hostile) { h.throughVictims(h.refusers[:3]) },
		"grows by a DNAME":                                               (*hostile).grows,
		"is a circle of aliases":                                         func(h *hostile) { h.text = "* CNAME b." + h.zone + "\nb CNAME c\nc CNAME b" },
		"has 120 labels and wildcards on the way":                        (*hostile).wildcards,
		"has glue that is for nobody":                                    (*hostile).specialGlue,
		"leads through names under many wildcards":                       (*hostile).aliasesUnderWildcards,
		"has 40 silent servers":                                          func(h *hostile) { h.servedBy(h.sinks) },
		"has 40 servers that refuse":                                     func(h *hostile) { h.servedBy(h.refusers) },
		"gives 4,000 addresses over TCP":                                 func(h *hostile) { h.fault = h.large(dns.TypeA, []byte{192, 0, 2, 1}) },
		"gives 64 KiB of servers with long names over TCP":               func(h *hostile) { h.prefix, h.fault = longLabels(), h.large(dns.TypeNS, []byte{0xC0, 12}) },
		"gives a record of 30,000 long names over TCP":                   (*hostile).identities,
		"leads through one zone whose servers refuse":                    (*hostile).throughOneZone,
		"gives a new alias for ever from 40 servers": func(h *hostile) {
			h.throughOneZone()
			h.accomplices = true
		},
		"gives 64 KiB of signatures over TCP":          func(h *hostile) { h.fault = h.large(dns.TypeRRSIG, make([]byte, 40)) },
		"truncates, and is silent over TCP":            func(h *hostile) { h.fault = lab.OverProto("tcp", lab.Silent); h.truncates() },
		"truncates over TCP too":                       func(h *hostile) { h.fault = truncated },
		"truncates, and sends wrong messages over TCP": func(h *hostile) { h.fault = h.flood(0x5555); h.truncates() },
		"floods with answers to other questions":       func(h *hostile) { h.fault = h.flood(0) },
		"floods with wrong IDs":                        func(h *hostile) { h.fault = h.flood(0x5555) },
		"always says FORMERR":                          func(h *hostile) { h.fault = coded(dns.RcodeFormatError) },
		"reflects the question":                        func(h *hostile) { h.fault = lab.QR0 },
		"sends garbage":                                func(h *hostile) { h.fault = lab.Garbage },
		"shows a cut by its SOA at each label":         (*hostile).hiddenCuts,
		"gives other addresses at each question":       (*hostile).restless,
		"is silent":                                    func(h *hostile) { h.fault = lab.Silent },
	}
}

func record(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return rr
}

// refer answers with a referral to self, to the zone that zone picks.
func (h *hostile) refer(zone func(lab.Query) string) lab.Fault {
	return func(q lab.Query, _ *dns.Msg) lab.Reply {
		m := new(dns.Msg).SetReply(q.Msg)
		at := zone(q)
		ns := "ns." + strings.TrimPrefix(at, ".")
		m.Ns = []dns.RR{record(at + " 60 NS " + ns)}
		m.Extra = []dns.RR{record(ns + " 60 A " + h.self.String())}
		return lab.Send(m)
	}
}

// referBelow refers further down at each question.
func (h *hostile) referBelow(by int32) lab.Fault {
	var depth atomic.Int32
	return h.refer(func(q lab.Query) string {
		labels := dns.SplitDomainName(q.Name)
		return dns.Fqdn(strings.Join(labels[max(0, len(labels)-2-int(depth.Add(by))):], "."))
	})
}

// referTo refers one label further down, to servers that nobody has.
func (h *hostile) referTo(n int, zone string) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		labels := dns.SplitDomainName(q.Name)
		if len(labels) <= dns.CountLabel(h.zone) {
			return lab.Send(truth)
		}
		m := new(dns.Msg).SetReply(q.Msg)
		at := dns.Fqdn(strings.Join(labels[len(labels)-dns.CountLabel(h.zone)-1:], "."))
		for range n {
			m.Ns = append(m.Ns, record(fmt.Sprintf("%s 60 NS n%d.%s", at, rand.Uint32(), zone)))
		}
		m.Truncate(1200)
		m.Truncated = false
		return lab.Send(m)
	}
}

// alias answers every question for an address with a new alias in zone.
func (h *hostile) alias(zone string) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		m := new(dns.Msg).SetReply(q.Msg)
		m.Authoritative = true
		m.Answer = []dns.RR{record(fmt.Sprintf("%s 0 CNAME n%d.%s", q.Msg.Question[0].Name, rand.Uint32(), zone))}
		if q.Name == h.zone || q.Type == dns.TypeSOA && len(truth.Ns) > 0 {
			return lab.Send(truth)
		}
		return lab.Send(m)
	}
}

// grows leads on by a DNAME that makes each name longer.
func (h *hostile) grows() {
	h.fault = func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Name == h.zone || q.Type == dns.TypeSOA {
			return lab.Send(truth)
		}
		name := q.Msg.Question[0].Name
		m := new(dns.Msg).SetReply(q.Msg)
		m.Authoritative = true
		m.Answer = []dns.RR{
			record(h.zone + " 0 DNAME longer." + h.zone),
			record(name + " 0 CNAME " + strings.TrimSuffix(name, h.zone) + "longer." + h.zone),
		}
		return lab.Send(m)
	}
}

func (h *hostile) cyclic() {
	other := "o" + h.label + ".test."
	h.also = []string{other}
	h.delegation = fmt.Sprintf("%s NS ns1.%s\n%s NS ns2.%s\n%s NS ns3.%s", h.label, other, h.label, other, h.label, other)
}

// throughVictims leads on by aliases, through zones of which one server is self.
func (h *hostile) throughVictims(victims []netip.Addr) {
	h.fault = func(q lab.Query, truth *dns.Msg) lab.Reply {
		labels := dns.SplitDomainName(q.Name)
		if len(labels) < 4 {
			return lab.Send(truth)
		}
		m := new(dns.Msg).SetReply(q.Msg)
		at := dns.Fqdn(strings.Join(labels[len(labels)-3:], "."))
		if q.Type == dns.TypeA || q.Type == dns.TypeAAAA {
			m.Authoritative = true
			m.Answer = []dns.RR{record(fmt.Sprintf("%s 0 CNAME www.z%d.%s", q.Msg.Question[0].Name, rand.Uint32(), h.zone))}
			return lab.Send(m)
		}
		m.Ns = []dns.RR{record(at + " 60 NS n0." + at)}
		m.Extra = []dns.RR{record("n0." + at + " 60 A " + h.self.String())}
		for i, v := range victims {
			m.Ns = append(m.Ns, record(fmt.Sprintf("%s 60 NS n%d.%s", at, i+1, at)))
			m.Extra = append(m.Extra, record(fmt.Sprintf("n%d.%s 60 A %s", i+1, at, v)))
		}
		m.Compress = true
		return lab.Send(m)
	}
	h.prefix = "a.b."
}

// throughOneZone gives aliases without end, in a zone on many servers that refuse
// beside one of its own.
func (h *hostile) throughOneZone() {
	h.delegation = fmt.Sprintf("%s NS a.%s\na.%s A %s\n", h.label, h.label, h.label, h.self)
	h.servedBy(h.refusers)
	h.fault = h.alias(h.zone)
}

func (h *hostile) wildcards() {
	name := h.zone
	for range 60 {
		h.text += "*." + name + " 0 A 192.0.2.1\n"
		name = "a." + name
	}
	h.prefix = strings.Repeat("a.", 59)
	h.fault = func(q lab.Query, truth *dns.Msg) lab.Reply {
		// All wildcards work, also below others.
		if len(truth.Answer) == 0 && q.Type == dns.TypeA {
			truth.Rcode, truth.Ns = dns.RcodeSuccess, nil
			truth.Answer = []dns.RR{record(q.Msg.Question[0].Name + " 0 A 192.0.2.1")}
		}
		return lab.Send(truth)
	}
}

// aliasesUnderWildcards gives all names below one the same alias, to the next one.
func (h *hostile) aliasesUnderWildcards() {
	h.prefix = "a.b.c.d.s0."
	h.fault = func(q lab.Query, truth *dns.Msg) lab.Reply {
		for i := range 99 {
			if strings.Contains(q.Name, fmt.Sprintf(".s%d.", i)) && q.Type != dns.TypeSOA {
				m := new(dns.Msg).SetReply(q.Msg)
				m.Authoritative = true
				m.Answer = []dns.RR{record(fmt.Sprintf("%s 0 CNAME a.b.c.d.s%d.%s", q.Msg.Question[0].Name, i+1, h.zone))}
				return lab.Send(m)
			}
		}
		return lab.Send(truth)
	}
}

func (h *hostile) specialGlue() {
	for i, a := range []string{"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "fe80::1", "::ffff:127.0.0.1", "240.0.0.1"} {
		typ := "A"
		if strings.Contains(a, ":") {
			typ = "AAAA"
		}
		h.delegation += fmt.Sprintf("%s NS n%d.%s\nn%d.%s %s %s\n", h.label, i, h.label, i, h.label, typ, a)
	}
}

// servedBy delegates the zone to 40 names with the addresses of others.
func (h *hostile) servedBy(others []netip.Addr) {
	for i := range 40 {
		h.delegation += fmt.Sprintf("%s NS n%d.%s\nn%d.%s A %s\n", h.label, i, h.label, i, h.label, others[i%len(others)])
	}
}

// large sends 64 KiB of one record over TCP.
func (h *hostile) large(rrtype uint16, rdata []byte) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Proto == "udp" {
			return truncated(q, truth)
		}
		m := new(dns.Msg).SetReply(q.Msg)
		m.Authoritative = true
		packet, err := m.Pack()
		if err != nil {
			return lab.Reply{}
		}
		one := append([]byte{0xC0, 12, byte(rrtype >> 8), byte(rrtype), 0, 1, 0, 0, 0, 0, byte(len(rdata) >> 8), byte(len(rdata))}, rdata...)
		n := (dns.MaxMsgSize - len(packet)) / len(one)
		packet = append(packet, slices.Repeat(one, n)...)
		binary.BigEndian.PutUint16(packet[6:], uint16(n))
		return lab.Reply{Raw: [][]byte{packet}}
	}
}

// longLabels make a name that is nearly as long as can be.
func longLabels() string { return strings.Repeat(strings.Repeat("a", 63)+".", 3) }

// identities sends a HIP record (RFC 8005): its list of names is the one that swells
// most.
func (h *hostile) identities() {
	h.prefix = longLabels()
	h.fault = h.large(dns.TypeHIP, slices.Concat([]byte{4, 2, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8}, slices.Repeat([]byte{0xC0, 12}, 30_000)))
}

func truncated(_ lab.Query, truth *dns.Msg) lab.Reply {
	truth.Truncated, truth.Answer, truth.Ns = true, nil, nil
	return lab.Send(truth)
}

// truncates makes the fault that of TCP alone.
func (h *hostile) truncates() {
	overTCP := h.fault
	h.fault = func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Proto == "udp" {
			return truncated(q, truth)
		}
		return overTCP(q, truth)
	}
}

// flood answers with 100 wrong packets.
func (h *hostile) flood(id uint16) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		truth.Id ^= id
		truth.Question[0].Name = "other." + h.zone
		return lab.Send(slices.Repeat([]*dns.Msg{truth}, 100)...)
	}
}

func coded(rcode int) lab.Fault {
	return func(q lab.Query, _ *dns.Msg) lab.Reply { return lab.Send(new(dns.Msg).SetRcode(q.Msg, rcode)) }
}

// hiddenCuts answers with the SOA of the parent of the name asked, and names new
// servers for each.
func (h *hostile) hiddenCuts() {
	h.prefix = strings.Repeat("a.", 30)
	h.fault = func(q lab.Query, _ *dns.Msg) lab.Reply {
		m := new(dns.Msg).SetReply(q.Msg)
		m.Authoritative = true
		labels := dns.SplitDomainName(q.Name)
		at := dns.Fqdn(strings.Join(labels[1:], "."))
		switch {
		case q.Type == dns.TypeNS:
			for range 20 {
				m.Answer = append(m.Answer, record(fmt.Sprintf("%s 0 NS n%d.%s", q.Name, rand.Uint32(), h.zone)))
			}
		case dns.CountLabel(q.Name) <= 2:
			m.Ns = []dns.RR{record(h.zone + " 0 SOA n. m. 1 2 3 4 5")}
		default:
			m.Ns = []dns.RR{record(at + " 0 SOA n. m. 1 2 3 4 5")}
		}
		return lab.Send(m)
	}
}

func (h *hostile) restless() {
	h.fault = func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Type == dns.TypeA {
			truth.Rcode, truth.Ns = dns.RcodeSuccess, nil
			for range 60 {
				truth.Answer = append(truth.Answer, record(fmt.Sprintf("%s 0 A 198.18.%d.%d", q.Msg.Question[0].Name, rand.IntN(256), rand.IntN(256))))
			}
		}
		return lab.Send(truth)
	}
}
