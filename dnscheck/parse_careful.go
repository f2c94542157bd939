package dnscheck

import (
	"encoding/binary"
	"errors"

	"github.com/miekg/dns"
)

// textLimit bounds the text of the names in one packet, which a name that points
// at another can blow up: the library makes 10 MB of 64 KiB of NS records, and more
// of types with lists of names. It is no bound for what a server of good will sends:
// 1,000 servers have 64 KB of names, and addresses repeat the name asked, which
// counts once.
const textLimit = 256 << 10

var (
	errCut      = errors.New("the packet ends within a record")
	errTooLarge = errors.New("the names take too much memory")
)

// careful parses what quick leaves over, as the library does, within bounds. The
// data of records that nothing here looks at stays out.
func careful(packet []byte) (*dns.Msg, error) {
	p := parser{packet: packet, at: headerSize}
	c := reader{packet: packet, at: headerSize}
	m := &dns.Msg{MsgHdr: headerOf(packet)}
	for range p.count(0) {
		if len(packet) == headerSize {
			break // nothing but a header: open says so
		}
		name, err := c.name()
		if err != nil {
			return nil, err
		}
		rest := packet[c.at:]
		if len(rest) < 4 {
			return nil, errCut
		}
		if c.asked == "" {
			c.asked = name
		}
		c.at += 4
		m.Question = append(m.Question, dns.Question{Name: name, Qtype: binary.BigEndian.Uint16(rest), Qclass: binary.BigEndian.Uint16(rest[2:])})
	}
	for i, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		for range p.count(1 + i) {
			if c.at == len(packet) {
				break // fewer than the header counts: open says so
			}
			rr, err := c.record()
			if err != nil {
				return nil, err
			}
			*section = append(*section, rr)
		}
	}
	if opt := m.IsEdns0(); opt != nil {
		m.Rcode |= opt.ExtendedRcode()
	}
	return m, nil
}

// reader reads a packet from a place on.
type reader struct {
	packet []byte
	at     int
	asked  string
	text   int // bytes of names so far
}

func (c *reader) name() (string, error) {
	if rest := c.packet[c.at:]; c.asked != "" && len(rest) > 1 && rest[0] == 0xC0 && rest[1] == headerSize {
		c.at += 2
		return c.asked, nil
	}
	name, at, err := dns.UnpackDomainName(c.packet, c.at)
	if err != nil {
		return "", err
	}
	c.at = at
	return name, c.weigh(name)
}

// weigh counts the text of names.
func (c *reader) weigh(names ...string) error {
	for _, name := range names {
		c.text += len(name)
	}
	if c.text > textLimit {
		return errTooLarge
	}
	return nil
}

func (c *reader) record() (dns.RR, error) {
	owner, err := c.name()
	if err != nil {
		return nil, err
	}
	const fixed = 10
	rest := c.packet[c.at:]
	if len(rest) < fixed {
		return nil, errCut
	}
	h := dns.RR_Header{
		Name: owner, Rrtype: binary.BigEndian.Uint16(rest), Class: binary.BigEndian.Uint16(rest[2:]),
		Ttl: binary.BigEndian.Uint32(rest[4:]), Rdlength: binary.BigEndian.Uint16(rest[8:]),
	}
	from := c.at + fixed
	c.at = from + int(h.Rdlength)
	if c.at > len(c.packet) {
		return nil, errCut
	}
	switch h.Rrtype {
	case dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeSOA, dns.TypeOPT:
	default:
		return &dns.RFC3597{Hdr: h}, nil
	}
	rr, _, err := dns.UnpackRRWithHeader(h, c.packet[:c.at], from) // so no name reads on behind it
	if err != nil {
		return nil, err
	}
	switch rr := rr.(type) {
	case *dns.CNAME:
		err = c.weigh(rr.Target)
	case *dns.DNAME:
		err = c.weigh(rr.Target)
	case *dns.NS:
		err = c.weigh(rr.Ns)
	case *dns.SOA:
		if h.Rdlength > 0 && rr.Mbox == "" {
			return nil, errCut // the library lets it pass
		}
		err = c.weigh(rr.Ns, rr.Mbox)
	}
	return rr, err
}
