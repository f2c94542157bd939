package dnscheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// udpSize is the EDNS size offered: what passes every path unfragmented (DNS
// flag day 2020).
const udpSize = 1232

const headerSize = 12

// question is one question; its class is always IN.
type question struct {
	name    string // canonical
	qtype   uint16
	recurse bool
	// unchecked asks a resolver not to validate (CD=1).
	unchecked bool
	// insists sends a cookie each time, though the server seems to drop such questions.
	insists bool
	// brief sends two packets in any case, and waits for each no longer than a round trip
	// may need.
	brief bool
}

func (q question) String() string { return bare(q.name) + " " + dns.TypeToString[q.qtype] }

// maxQuestion bounds a packed question: header, name, type and class, OPT, cookie.
const maxQuestion = headerSize + 255 + 4 + 11 + 4 + maxCookie

// pack writes the question as a message.
func (q question) pack(id uint16, edns bool) ([]byte, error) {
	packet, err := q.appendTo(make([]byte, 0, maxQuestion), edns)
	if err == nil {
		binary.BigEndian.PutUint16(packet, id)
	}
	return packet, err
}

// appendTo writes the question, with the ID 0, to an empty buffer with room for
// maxQuestion.
func (q question) appendTo(buf []byte, edns bool) ([]byte, error) {
	packet := buf[:maxQuestion]
	clear(packet)
	if q.recurse {
		packet[2], packet[3] = 1, 0x20 // RD; and AD, to be told what was validated (RFC 6840 §5.7)
	}
	if q.unchecked {
		packet[3] |= 0x10
	}
	packet[5] = 1
	end, err := dns.PackDomainName(q.name, packet, headerSize, nil, false)
	if err != nil {
		return nil, fmt.Errorf("write the question %s: %w", q, err)
	}
	packet = binary.BigEndian.AppendUint16(packet[:end], q.qtype)
	packet = binary.BigEndian.AppendUint16(packet, dns.ClassINET)
	if edns {
		packet[11] = 1
		packet = append(packet, 0)
		packet = binary.BigEndian.AppendUint16(packet, dns.TypeOPT)
		packet = binary.BigEndian.AppendUint16(packet, udpSize)
		packet = append(packet, 0, 0, 0, 0, 0, 0) // extended RCODE, version, flags, length
	}
	return packet, nil
}

// What is said of packets that cannot be for one of our questions.
const (
	tooShort = "a packet shorter than a DNS header"
	wrongID  = "an answer with a wrong ID"
)

// open parses a packet that came in answer to q under id. If it is not an answer
// to q, wrong says why, in words for a person. The parser of the library believes
// much that a resolver must not, so everything is checked here. A truncated
// answer comes without its records, which are never to be used.
func open(packet []byte, id uint16, q question) (m *dns.Msg, wrong string) {
	if len(packet) < headerSize {
		return nil, tooShort
	}
	flags := packet[2]
	switch opcode := flags >> 3 & 15; {
	case binary.BigEndian.Uint16(packet) != id:
		return nil, wrongID
	case flags&0x80 == 0:
		return nil, "a query (QR=0) instead of an answer"
	case opcode != dns.OpcodeQuery:
		return nil, fmt.Sprintf("an answer with the opcode %d", opcode)
	case binary.BigEndian.Uint16(packet[4:]) > 1:
		return nil, "an answer to another question"
	}
	if truncated := flags&0x02 != 0; truncated {
		packet = slices.Clone(packet)
		clear(packet[6:headerSize])
	}
	m, err := unpack(packet)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, fmt.Sprintf("an answer with more than %d KiB of names", textLimit>>10)
	case err != nil:
		return nil, "a packet that is no DNS message"
	}
	for i, n := range []int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		counted := int(binary.BigEndian.Uint16(packet[4+2*i:]))
		// Unbound and BIND bear with those that announce an OPT record and have none.
		if n != counted && (i != 3 || n != 0 || counted != 1) {
			return nil, "an answer with fewer records than its header counts"
		}
	}
	if wrong := broken(m); wrong != "" {
		return nil, wrong
	}
	if !answers(m, q) {
		return nil, "an answer to another question"
	}
	return m, ""
}

// broken says what the library lets pass in an answer, and resolvers do not: records
// without data, and OPT records that are not at the root, not alone or not in the
// additional section (RFC 6891 §6.1.1). What comes after the last record counts for
// nothing: Unbound and BIND ignore it.
func broken(m *dns.Msg) string {
	opts := 0
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			switch h := rr.Header(); h.Rrtype {
			case dns.TypeOPT:
				if opts++; opts > 1 || i != 2 || h.Name != "." {
					return "an answer with an OPT record where none may be"
				}
			case dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeSOA:
				if h.Rdlength == 0 {
					return "an answer with a record without data"
				}
			}
		}
	}
	return ""
}

// unpack parses; a panic of the parser is an error like any other.
func unpack(packet []byte) (m *dns.Msg, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("parse a DNS message: %v", p)
		}
	}()
	if m = quick(packet); m != nil {
		return m, nil
	}
	if m, err = careful(packet); err != nil {
		return nil, fmt.Errorf("parse a DNS message: %w", err)
	}
	return m, nil
}

// answers tells whether m repeats the question. Servers that give up early may
// leave it out; that says nothing about the name, so it is believed.
func answers(m *dns.Msg, q question) bool {
	if len(m.Question) == 0 && len(m.Answer) == 0 && len(m.Ns) == 0 {
		return !m.Truncated && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	if len(m.Question) != 1 {
		return false
	}
	asked := m.Question[0]
	return canonical(asked.Name) == q.name && asked.Qtype == q.qtype && asked.Qclass == dns.ClassINET
}
