package dnscheck

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// quick parses the commonest answers: one question, and whole records of a few
// types under plain names, and of EDNS the options that we know. It gives exactly what the library gives, at a third of
// the cost; of everything else it gives nil, and the library is to look.
func quick(packet []byte) *dns.Msg {
	p := parser{packet: packet, at: headerSize}
	if len(packet) < headerSize || len(packet) > readSize || p.count(0) != 1 {
		return nil
	}
	m := &dns.Msg{MsgHdr: headerOf(packet)}
	p.asked = p.name()
	m.Question = []dns.Question{{Name: p.asked, Qtype: p.uint16(), Qclass: p.uint16()}}
	m.Answer, m.Ns, m.Extra = p.section(1), p.section(2), p.section(3)
	if p.failed || p.at != len(packet) {
		return nil
	}
	if opt := m.IsEdns0(); opt != nil {
		m.Rcode |= opt.ExtendedRcode()
	}
	return m
}

func headerOf(packet []byte) dns.MsgHdr {
	a, b := packet[2], packet[3]
	return dns.MsgHdr{
		Id:                 binary.BigEndian.Uint16(packet),
		Response:           a&0x80 != 0,
		Opcode:             int(a >> 3 & 15),
		Authoritative:      a&4 != 0,
		Truncated:          a&2 != 0,
		RecursionDesired:   a&1 != 0,
		RecursionAvailable: b&0x80 != 0,
		Zero:               b&0x40 != 0,
		AuthenticatedData:  b&0x20 != 0,
		CheckingDisabled:   b&0x10 != 0,
		Rcode:              int(b & 15),
	}
}

// parser reads a packet from a place on. Once it failed, what it gives is void.
type parser struct {
	packet []byte
	at     int
	failed bool
	asked  string // the name at the end of the header, which most records repeat
}

// count is what the header says of a section.
func (p *parser) count(section int) int {
	return int(binary.BigEndian.Uint16(p.packet[4+2*section:]))
}

// next gives n bytes, or fails and gives n zeros, for which n is at most 20.
func (p *parser) next(n int) []byte {
	if p.failed || n > len(p.packet)-p.at {
		p.failed = true
		return make([]byte, n)
	}
	p.at += n
	return p.packet[p.at-n : p.at]
}

func (p *parser) uint16() uint16 { return binary.BigEndian.Uint16(p.next(2)) }

func (p *parser) uint32() uint32 { return binary.BigEndian.Uint32(p.next(4)) }

// section gives nil for an empty one, as the library does. The records grow as
// they are read: what the header counts may be a lie.
func (p *parser) section(which int) []dns.RR {
	n := p.count(which)
	if n == 0 {
		return nil
	}
	out := make([]dns.RR, 0, min(n, 4))
	for range n {
		rr := p.record()
		if p.failed {
			return nil
		}
		out = append(out, rr)
	}
	return out
}

func (p *parser) record() dns.RR {
	h := dns.RR_Header{Name: p.name(), Rrtype: p.uint16(), Class: p.uint16(), Ttl: p.uint32(), Rdlength: p.uint16()}
	end := p.at + int(h.Rdlength)
	var rr dns.RR
	switch {
	case h.Rrtype == dns.TypeA && h.Rdlength == net.IPv4len:
		rr = &dns.A{Hdr: h, A: append(net.IP(nil), p.next(net.IPv4len)...)}
	case h.Rrtype == dns.TypeAAAA && h.Rdlength == net.IPv6len:
		rr = &dns.AAAA{Hdr: h, AAAA: append(net.IP(nil), p.next(net.IPv6len)...)}
	case h.Rrtype == dns.TypeOPT:
		rr = &dns.OPT{Hdr: h, Option: p.options(end)}
	case h.Rdlength == 0: // as dynamic updates have it
	case h.Rrtype == dns.TypeCNAME:
		rr = &dns.CNAME{Hdr: h, Target: p.name()}
	case h.Rrtype == dns.TypeNS:
		rr = &dns.NS{Hdr: h, Ns: p.name()}
	case h.Rrtype == dns.TypeSOA:
		rr = &dns.SOA{
			Hdr: h, Ns: p.name(), Mbox: p.name(),
			Serial: p.uint32(), Refresh: p.uint32(), Retry: p.uint32(), Expire: p.uint32(), Minttl: p.uint32(),
		}
	}
	if rr == nil || p.at != end {
		p.failed = true
	}
	return rr
}

// options reads cookies and extended errors up to end.
func (p *parser) options(end int) []dns.EDNS0 {
	var out []dns.EDNS0
	for !p.failed && p.at < end {
		code, size := p.uint16(), int(p.uint16())
		if p.failed || size > end-p.at || size > len(p.packet)-p.at {
			p.failed = true
			return nil
		}
		switch data := p.next(size); {
		case code == dns.EDNS0COOKIE:
			out = append(out, &dns.EDNS0_COOKIE{Cookie: hex.EncodeToString(data)})
		case code == dns.EDNS0EDE && size >= 2:
			out = append(out, &dns.EDNS0_EDE{InfoCode: binary.BigEndian.Uint16(data), ExtraText: string(data[2:])})
		default:
			p.failed = true
		}
	}
	return out
}

// name reads a name of plain characters, so that nothing is to be escaped, whose
// pointers lead backwards only.
func (p *parser) name() string {
	var text [240]byte // shorter than the longest name
	n, back, limit := 0, -1, p.at
	for !p.failed {
		c := int(p.next(1)[0])
		switch {
		case p.failed:
		case c >= 0xC0:
			target := c&0x3F<<8 | int(p.next(1)[0])
			if back < 0 {
				back = p.at
			}
			if n == 0 && target == headerSize && p.asked != "" && limit > headerSize {
				p.at = back
				return p.asked
			}
			if target < headerSize || target >= limit {
				p.failed = true
			}
			p.at, limit = target, target
		case c == 0:
			if back >= 0 {
				p.at = back
			}
			if n == 0 {
				return "."
			}
			return string(text[:n])
		case c > 63 || n+c+1 > len(text):
			p.failed = true
		default:
			label := p.next(c)
			for _, b := range label {
				p.failed = p.failed || !plain(b)
			}
			n += copy(text[n:], label)
			text[n] = '.'
			n++
		}
	}
	return ""
}

// plain characters need no escape in any reading of the text form of a name.
func plain(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '*'
}

// asks tells whether a packet repeats the question q, as far as that can be read.
func asks(packet []byte, q question) bool {
	p := parser{packet: packet, at: headerSize}
	return len(packet) > headerSize && strings.EqualFold(p.name(), q.name) && p.uint16() == q.qtype && !p.failed
}
