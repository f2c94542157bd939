package situation

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// broken are packets that break the protocol, from one server of three. Where they
// can, they hold a forged address.
func broken() []Situation {
	row := func(name, refs string, fault lab.Fault, texts ...string) Situation {
		return Situation{Name: name, Refs: refs, Shop: right, Faults: at(lie(fault), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", texts...))}
	}
	return []Situation{
		row("one server's answers have a wrong ID", "RFC 5452 §9.1", lab.WrongID, "an answer with a wrong ID"),
		row("one server's answers are to another question", "RFC 5452 §9.1", lab.WrongQuestion, "an answer to another question"),
		row("one server's answers are to a question of another type", "RFC 5452 §9.1", alter(func(m *dns.Msg) {
			m.Question[0].Qtype = dns.TypeMX
		}), "an answer to another question"),
		row("one server's answers are to a question of another class", "RFC 5452 §9.1", alter(func(m *dns.Msg) {
			m.Question[0].Qclass = dns.ClassCHAOS
		}), "an answer to another question"),
		row("one server's answers repeat no question", "RFC 1035 §4.1.2; RFC 9619 §3", alter(func(m *dns.Msg) {
			m.Question = nil
		}), "an answer to another question"),
		row("one server's answers repeat the question twice", "RFC 9619 §4", alter(func(m *dns.Msg) {
			m.Question = append(m.Question, m.Question[0])
		}), "an answer to another question"),
		row("one server's answers are marked as queries", "RFC 1035 §4.1.1", lab.QR0, "a query (QR=0) instead of an answer"),
		row("one server's answers have another opcode", "RFC 1035 §4.1.1", alter(func(m *dns.Msg) {
			m.Opcode = dns.OpcodeNotify
		}), "an answer with the opcode 4"),
		row("one server's answers come from another port", "RFC 5452 §9.1; Zonemaster NAMESERVER04", lab.WrongSource, "no answer"),
		row("one server's records are of another class", "RFC 1035 §3.2.4", alter(func(m *dns.Msg) {
			for _, rr := range m.Answer {
				rr.Header().Class = dns.ClassCHAOS
			}
		}), "records of other names").seen(Sometimes, Works, "Unbound believes them"),
		row("one server's records are of another owner", "RFC 5452 §6; RFC 2181 §5.4.1", alter(func(m *dns.Msg) {
			for _, rr := range m.Answer {
				rr.Header().Name = "other.shop.example."
			}
			m.Ns = nil
		}), "records of other names").seen(Sometimes, Works, "Unbound takes it for no data"),
		row("one server's answers hold fewer records than they count", "RFC 1035 §4.1.1; RFC 9267 §5", counting(1), "fewer records than its header counts"),
		row("one server's addresses are of length 0", "RFC 1035 §3.4.1; RFC 9267 §4", length(0), "a record without data").seen(Sometimes, Works, "Unbound passes them on"),
		row("one server's addresses are of length 3", "RFC 1035 §3.4.1; RFC 9267 §4", length(3), "no DNS message").seen(Sometimes, Works, "Unbound passes them on"),
		row("one server's addresses are of length 16", "RFC 1035 §3.4.1; RFC 9267 §4", length(16), "no DNS message").seen(Sometimes, Sometimes, "Unbound passes them on; BIND gives up"),
		row("one server's answers end in the middle of a record", "RFC 9267 §4", packets(func(p []byte) []byte {
			return p[:len(p)-2]
		}), "no DNS message"),
		row("one server's names point at themselves", "RFC 1035 §4.1.4; RFC 9267 §2", packets(func(p []byte) []byte {
			return append(header(p, 1), 0xc0, byte(len(header(p, 1))), 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66)
		}), "no DNS message").seen(Works, Sometimes, "BIND gives up and asks no other server"),
		row("one server's answers are garbage", "RFC 8906 §3", lab.Garbage, "no DNS message").seen(Works, Sometimes, "BIND gives up and asks no other server"),
		row("one server's answers are shorter than a header", "RFC 1035 §4.1.1", packets(func(p []byte) []byte { return p[:7] }), "shorter than a DNS header"),
		row("one server sends addresses and NXDOMAIN in one", "RFC 2308 §2.1", forType(dns.TypeA, alter(func(m *dns.Msg) {
			m.Rcode = dns.RcodeNameError
		})), "addresses and NXDOMAIN in one").seen(Sometimes, Works, "Unbound passes both on"),
	}
}

// healing are packets that a careful reader gets over: nothing is to be told.
func healing() []Situation {
	row := func(name, refs string, fault lab.Fault) Situation {
		return Situation{Name: name, Refs: refs, Shop: right, Faults: everywhere(fault), Clients: Works}
	}
	return []Situation{
		row("a forgery with a wrong ID comes before every answer", "RFC 5452 §9.1", lab.SpoofFirst),
		{
			Name: "a forgery of another question comes before every answer of one server", Refs: "RFC 5452 §9.1", Shop: right, Clients: Works,
			Faults: at(first(func(m *dns.Msg) { m.Question[0].Name = "other.shop.example." }), 12),
			Note:   "Unbound listens no longer, and asks another server",
		},
		row("a forgery without its records comes before every answer", "RFC 9267 §5", first(func(m *dns.Msg) {
			m.Id++
			m.Answer = nil
		})),
		row("a hundred forgeries come before every answer", "RFC 5452 §9.3", flood(100)),
		row("every answer comes twice", "RFC 1035 §7.3", func(_ lab.Query, truth *dns.Msg) lab.Reply { return lab.Send(truth, truth) }),
		row("every answer is truncated, and TCP works", "RFC 2181 §9; RFC 7766 §5", lab.AlwaysTruncated),
		row("truncated answers hold forged records, and TCP works", "RFC 2181 §9; RFC 7766 §5", func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Proto == "udp" && q.Type == dns.TypeA {
				forge(truth)
				truth.Truncated = true
			}
			return lab.Send(truth)
		}),
		row("answers repeat the question in another case", "RFC 4343 §3; Zonemaster NAMESERVER09", alter(func(m *dns.Msg) {
			m.Question[0].Name = strings.ToUpper(m.Question[0].Name)
			for _, rr := range m.Answer {
				rr.Header().Name = strings.ToUpper(rr.Header().Name)
			}
		})),
		row("every record stands twice in the answer", "RFC 2181 §5", alter(func(m *dns.Msg) { m.Answer = append(m.Answer, m.Answer...) })),
		row("answers hold records that nobody asked for", "RFC 2181 §5.4.1; RFC 5452 §6", forType(dns.TypeA, alter(func(m *dns.Msg) {
			m.Answer = append(m.Answer, record("other.shop.example. 60 A "+forged))
			m.Extra = append(m.Extra, record("www.shop.example. 60 A "+forged))
		}))),
		row("bytes follow the answer", "RFC 1035 §4.1", packets(func(p []byte) []byte { return append(p, "and more"...) })),
	}
}

// overTCP are servers that do not keep their word over TCP.
func overTCP() []Situation {
	cut := "after a truncated answer over UDP"
	tcp := func(f lab.Fault) lab.Fault {
		return func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Proto == "udp" {
				return lab.AlwaysTruncated(q, truth)
			}
			return f(q, truth)
		}
	}
	closes := func(lab.Query, *dns.Msg) lab.Reply { return lab.Reply{Close: true} }
	still := func(_ lab.Query, truth *dns.Msg) lab.Reply {
		truth.Truncated = true
		return lab.Send(truth)
	}
	return []Situation{
		{
			Name: "one server truncates, and hangs up over TCP", Refs: "RFC 7766 §5; DNS flag day 2020; Zonemaster CONNECTIVITY02",
			Shop: right, Faults: at(tcp(closes), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "closed the TCP connection without an answer", cut)),
		},
		{
			Name: "all servers truncate, and hang up over TCP", Refs: "RFC 7766 §5; DNS flag day 2020; Zonemaster CONNECTIVITY02",
			Shop: right, Faults: everywhere(tcp(closes)), Clients: Fails,
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example", "closed the TCP connection without an answer", cut)),
		},
		{
			Name: "one server truncates over TCP too", Refs: "RFC 2181 §9; RFC 7766 §5",
			Shop: right, Faults: at(tcp(lie(still)), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "truncated over TCP too", cut)),
		},
		{
			Name: "one server truncates, and is silent over TCP", Refs: "RFC 7766 §6.2; Zonemaster CONNECTIVITY02",
			Shop: right, Faults: at(tcp(lab.Silent), 12), Clients: Sometimes, BIND: Works, Note: "Unbound waits longer than clients do",
			Want: wants(degraded("ns2.shop.example", cut)),
		},
		{
			Name: "one server has a wrong ID over TCP", Refs: "RFC 7766 §6.2.1",
			Shop: right, Faults: at(tcp(lie(lab.WrongID)), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "an answer with a wrong ID", cut)),
		},
	}
}

// counting claims more answers than there are.
func counting(more uint16) lab.Fault {
	return packets(func(p []byte) []byte {
		binary.BigEndian.PutUint16(p[6:], binary.BigEndian.Uint16(p[6:])+more)
		return p
	})
}

// length gives the address record of an answer another length.
func length(n int) lab.Fault {
	return packets(func(p []byte) []byte {
		if binary.BigEndian.Uint16(p[6:]) == 0 {
			return p[:len(p)-1] // a negative answer: cut, to be wrong as well
		}
		p = slices.Clone(p[:len(p)-6])
		p = binary.BigEndian.AppendUint16(p, uint16(n))
		return append(p, make([]byte, n)...)
	})
}

// header is the header and question of a packet that counts n answers.
func header(p []byte, n uint16) []byte {
	_, end, err := dns.UnpackDomainName(p, 12)
	if err != nil {
		return nil
	}
	out := slices.Clone(p[:end+4])
	binary.BigEndian.PutUint16(out[6:], n)
	clear(out[8:12])
	return out
}

// first sends a forgery that f has changed, then the truth.
func first(f func(*dns.Msg)) lab.Fault {
	return func(_ lab.Query, truth *dns.Msg) lab.Reply {
		lies := truth.Copy()
		forge(lies)
		f(lies)
		return lab.Send(lies, truth)
	}
}

// flood sends n forgeries over UDP before each answer.
func flood(n int) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		var all []*dns.Msg
		for i := 1; i <= n && q.Proto == "udp"; i++ {
			lies := truth.Copy()
			lies.Id += uint16(i)
			forge(lies)
			all = append(all, lies)
		}
		return lab.Send(append(all, truth)...)
	}
}
