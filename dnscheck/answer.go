package dnscheck

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// addressLimit bounds the addresses kept of one answer.
const addressLimit = 256

// rrset is what an answer section holds at the owner asked, and nowhere else.
type rrset struct {
	addrs   []netip.Addr
	target  string // of a CNAME, canonical
	dname   string // the owner of the DNAME that makes the CNAME
	tooLong bool   // the name that the DNAME makes is none
	soa     *dns.SOA
	ttl     uint32
	odd     *OddTTL
	others  bool   // there were records of other owners
	fault   string // breaks the protocol, in words
}

// readAnswer is what a reply from a server of zone says to q; Server, TCP and RTT
// are left to the caller.
func readAnswer(zone string, q question, m *dns.Msg) Answer {
	a := Answer{Type: askedType(q.qtype)}
	set := gather(q, m.Answer)
	set.redirect(zone, q.name, m.Answer)
	soa := denialOf(q.name, m)
	empty := set.target == "" && len(set.addrs) == 0 && set.soa == nil
	switch {
	case m.Rcode == dns.RcodeRefused:
		return a.misbehaved(Refused, "REFUSED"+extendedError(m))
	case set.tooLong && m.Authoritative && set.fault == "":
		a.DNAME = bare(set.dname)
		return a.misbehaved(Failed, "the DNAME record at "+a.DNAME+" makes a name that is too long (YXDOMAIN)")
	case !speaksOf(m.Rcode, set):
		return a.misbehaved(Failed, rcodeText(m.Rcode)+extendedError(m))
	case set.fault != "":
		return a.misbehaved(Malformed, "sent "+set.fault)
	case !m.Authoritative:
		return a.misbehaved(Lame, lameText(m)+set.believed())
	case empty && set.others:
		return a.misbehaved(Malformed, "sent records of other names than the one asked for")
	case empty && strange(zone, q.name, m) != "":
		a.empty, a.ttl = m.Rcode == dns.RcodeSuccess && soa != nil, negativeTTL(soa)
		return a.misbehaved(Lame, strange(zone, q.name, m)+", not for "+bare(zone))
	case len(set.addrs) > 0 && m.Rcode == dns.RcodeNameError:
		return a.misbehaved(Malformed, "sent addresses and NXDOMAIN in one")
	}
	if set.soa != nil {
		a.Serial, a.Primary = set.soa.Serial, bare(canonical(set.soa.Ns))
	} else if soa != nil && canonical(soa.Hdr.Name) == zone {
		a.Serial = soa.Serial
	}
	a.TTL, a.Odd = set.ttl, set.odd
	switch {
	case set.target != "":
		a.Outcome, a.Target = Alias, bare(set.target)
		if set.dname != "" {
			a.DNAME = bare(set.dname)
		}
	case !empty:
		a.Outcome, a.Addresses = OK, set.addrs
	case m.Rcode == dns.RcodeNameError:
		a.Outcome, a.TTL = NoName, negativeTTL(soa)
	default:
		a.Outcome, a.TTL = NoData, negativeTTL(soa)
	}
	return a
}

// speaksOf tells whether an RCODE leaves a meaning to the set. At the end of a chain
// of aliases it is about the last name, which is asked for by itself.
func speaksOf(rcode int, set rrset) bool {
	return rcode == dns.RcodeSuccess || rcode == dns.RcodeNameError || rcode == dns.RcodeYXDomain && set.target != ""
}

// strange says that a negative answer comes from a zone that is not ours, as
// servers give which were set up for another one: its SOA is not that of a zone at
// or below ours which holds the name, or it refers upwards in spite of AA.
func strange(zone, name string, m *dns.Msg) string {
	text := ""
	for _, rr := range m.Ns {
		owner := canonical(rr.Header().Name)
		switch rr.(type) {
		case *dns.SOA:
			if within(zone, owner) && within(owner, name) {
				return ""
			}
			text = "answers for the zone " + bare(owner)
		case *dns.NS:
			if !within(zone, owner) && text == "" {
				text = "refers to the servers of " + bare(owner)
			}
		}
	}
	return text
}

func (a Answer) misbehaved(o Outcome, detail string) Answer {
	a.Outcome, a.Detail = o, detail
	return a
}

func askedType(qtype uint16) Type { return Type(dns.TypeToString[qtype]) }

func qtypeOf(t Type) uint16 { return dns.StringToType[string(t)] }

func rcodeText(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS" // the library names another error of the same number
	}
	if s, ok := dns.RcodeToString[rcode]; ok {
		return s
	}
	return fmt.Sprintf("RCODE %d", rcode)
}

// lameText says in which way a server is not authoritative.
func lameText(m *dns.Msg) string {
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == dns.TypeNS && len(m.Answer) == 0 {
			return "not authoritative: refers to the servers of " + bare(canonical(rr.Header().Name))
		}
	}
	return "not authoritative: answers without AA"
}

// believed says what an answer without authority gives: resolvers that do not insist
// on AA take it.
func (set rrset) believed() string {
	what := bare(set.target)
	if len(set.addrs) > 0 {
		what = addrList(set.addrs)
	}
	if what == "" {
		return ""
	}
	return "; gives " + what + " all the same, and many resolvers believe it"
}

// gather picks the records of the owner asked: the type asked, or a CNAME.
func gather(q question, section []dns.RR) rrset {
	var set rrset
	least := uint32(math.MaxUint32)
	for _, rr := range section {
		h := rr.Header()
		if canonical(h.Name) != q.name || h.Class != dns.ClassINET {
			set.others = true
			continue
		}
		switch rr := rr.(type) {
		case *dns.CNAME:
			set.alias(canonical(rr.Target), rr.Target == "")
		case *dns.SOA:
			if q.qtype != dns.TypeSOA {
				continue
			}
			set.soa = rr
		case *dns.A, *dns.AAAA:
			if h.Rrtype != q.qtype {
				continue
			}
			set.add(rr)
		default:
			continue
		}
		least = set.note(h, least)
	}
	if least < set.ttl {
		set.strange().Least = least
	} else if set.odd != nil {
		set.odd.Least = set.ttl
	}
	if set.target != "" && len(set.addrs) > 0 {
		set.fault = "an alias and addresses for one name"
	}
	slices.SortFunc(set.addrs, netip.Addr.Compare)
	set.addrs = slices.Compact(set.addrs)
	set.addrs = slices.Clip(set.addrs[:min(len(set.addrs), addressLimit)])
	return set
}

// note takes in the TTL of one record, and returns the least so far.
func (set *rrset) note(h *dns.RR_Header, least uint32) uint32 {
	if h.Ttl > math.MaxInt32 {
		set.strange().TopBit = true
	}
	set.ttl = max(set.ttl, ttlOf(h))
	return min(least, ttlOf(h))
}

// strange is where to say what is odd about the TTLs.
func (set *rrset) strange() *OddTTL {
	if set.odd == nil {
		set.odd = &OddTTL{}
	}
	return set.odd
}

func (set *rrset) alias(target string, missing bool) {
	switch {
	case missing:
		set.fault = "an alias without a target"
	case set.target != "" && set.target != target:
		set.fault = "two aliases for one name"
	}
	set.target = target
}

func (set *rrset) add(rr dns.RR) {
	addr, ok := addressOf(rr)
	if !ok {
		set.fault = "an address record of a wrong length"
		return
	}
	set.addrs = append(set.addrs, addr)
}

// addressOf reads an A or AAAA record. The parser lets records without data
// pass, as dynamic updates have them.
func addressOf(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		if v4 := rr.A.To4(); v4 != nil {
			return netip.AddrFrom4([4]byte(v4)), true
		}
	case *dns.AAAA:
		if len(rr.AAAA) == 16 {
			return netip.AddrFrom16([16]byte(rr.AAAA)), true
		}
	}
	return netip.Addr{}, false
}

// ttlOf is the TTL of a record; with the top bit set it counts as 0 (RFC 2181 §8).
func ttlOf(h *dns.RR_Header) uint32 { return sane(h.Ttl) }

func sane(ttl uint32) uint32 {
	if ttl > math.MaxInt32 {
		return 0
	}
	return ttl
}

// denialOf is the SOA of a negative answer: that of a zone which can hold name.
func denialOf(name string, m *dns.Msg) *dns.SOA {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && soa.Hdr.Class == dns.ClassINET && within(canonical(soa.Hdr.Name), name) {
			return soa
		}
	}
	return nil
}

// negativeTTL is how long the absence may be kept (RFC 2308 §5); without an SOA
// it may not be kept.
func negativeTTL(soa *dns.SOA) uint32 {
	if soa == nil {
		return 0
	}
	return min(ttlOf(&soa.Hdr), sane(soa.Minttl))
}
