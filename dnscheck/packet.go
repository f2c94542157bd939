package dnscheck

import (
	"encoding/binary"
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
}

func (q question) String() string { return bare(q.name) + " " + dns.TypeToString[q.qtype] }

func (q question) pack(id uint16, edns bool) ([]byte, error) {
	m := new(dns.Msg).SetQuestion(q.name, q.qtype)
	m.Id = id
	m.RecursionDesired = q.recurse
	if edns {
		m.SetEdns0(udpSize, false)
	}
	packet, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("write the question %s: %w", q, err)
	}
	return packet, nil
}

// open parses a packet that came in answer to q under id. If it is not an answer
// to q, wrong says why, in words for a person. The parser of the library believes
// much that a resolver must not, so everything is checked here. A truncated
// answer comes without its records, which are never to be used.
func open(packet []byte, id uint16, q question) (m *dns.Msg, wrong string) {
	if len(packet) < headerSize {
		return nil, "a packet shorter than a DNS header"
	}
	flags := packet[2]
	switch opcode := flags >> 3 & 15; {
	case binary.BigEndian.Uint16(packet) != id:
		return nil, "an answer with a wrong ID"
	case flags&0x80 == 0:
		return nil, "a query (QR=0) instead of an answer"
	case opcode != dns.OpcodeQuery:
		return nil, fmt.Sprintf("an answer with the opcode %d", opcode)
	}
	if truncated := flags&0x02 != 0; truncated {
		packet = slices.Clone(packet)
		clear(packet[6:headerSize])
	}
	m, err := unpack(packet)
	if err != nil {
		return nil, "a packet that is no DNS message"
	}
	for i, n := range []int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		if n != int(binary.BigEndian.Uint16(packet[4+2*i:])) {
			return nil, "an answer with fewer records than its header counts"
		}
	}
	if !answers(m, q) {
		return nil, "an answer to another question"
	}
	return m, ""
}

// unpack parses; a panic of the parser is an error like any other.
func unpack(packet []byte) (m *dns.Msg, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("parse a DNS message: %v", p)
		}
	}()
	m = new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
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
