package situation

import (
	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// edns are servers that do not know EDNS, or know it wrong.
func edns() []Situation {
	heals := func(name, refs string, fault lab.Fault) Situation {
		return Situation{Name: name, Refs: refs, Shop: right, Faults: everywhere(fault), Clients: Works}
	}
	return []Situation{
		{
			Name: "servers know no EDNS, and say FORMERR", Refs: "RFC 6891 §7; DNS flag day 2019; Zonemaster NAMESERVER02",
			Shop: right, Faults: everywhere(lab.NoEDNS), Clients: Works,
			Zone: wants(nonconformant(info, "", "does not know EDNS (FORMERR)").Times(3)),
		},
		{
			Name: "servers know no EDNS, and say NOTIMP", Refs: "RFC 6891 §7; DNS flag day 2019",
			Shop: right, Faults: everywhere(withEDNS(rcode(dns.RcodeNotImplemented))),
			Clients: Works, BIND: Fails, Note: "BIND asks again without EDNS only after FORMERR",
			Zone: wants(nonconformant(warning, "", "does not know EDNS (NOTIMP)").Times(3)),
		},
		heals("servers know no EDNS, and answer without", "RFC 6891 §7; Zonemaster NAMESERVER02", func(_ lab.Query, truth *dns.Msg) lab.Reply {
			truth.Extra = nil
			return lab.Send(truth)
		}),
		heals("servers send an option that nobody asked for", "RFC 6891 §6.1.2; Zonemaster NAMESERVER11", options(&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")})),
		heals("servers say how EDNS is to go on", "RFC 8914 §2", options(&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeOther, ExtraText: "all is well"})),
		heals("servers offer a UDP size of 512", "RFC 6891 §6.2.5", changeOPT(func(o *dns.OPT) { o.SetUDPSize(512) })),
		{
			Name: "one server answers BADVERS to EDNS version 0", Refs: "RFC 6891 §6.1.3; Zonemaster NAMESERVER10",
			Shop: right, Faults: at(withEDNS(badVersion), 12), Clients: Sometimes, BIND: Works,
			Note: "Unbound reads only the four bits of the RCODE that stand in the header, and takes it for no data",
			Zone: wants(nonconformant(warning, "ns2.shop.example", "does not know EDNS (BADVERS)")),
		},
		{
			Name: "one server is silent when it is asked with EDNS", Refs: "DNS flag day 2019; RFC 8906 §3",
			Shop: right, Faults: at(withEDNS(lab.Silent), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "no answer")),
		},
		{
			Name: "all servers are silent when they are asked with EDNS", Refs: "DNS flag day 2019; RFC 8906 §3; Zonemaster NAMESERVER02",
			Shop: right, Faults: everywhere(withEDNS(lab.Silent)), Clients: Fails,
			Note: "since the flag day resolvers do not ask again without EDNS",
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example: no answer")),
			Zone: wants(Want{Code: "dns/nameserver-degraded", Severity: critical, Texts: []string{"only if it is asked without EDNS"}}.Times(3)),
		},
		{
			Name: "one server answers REFUSED to EDNS", Refs: "DNS flag day 2019; RFC 8906 §3",
			Shop: right, Faults: at(withEDNS(lab.Refuse), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "REFUSED")),
		},
		{
			Name: "one server answers SERVFAIL to EDNS", Refs: "DNS flag day 2019; RFC 8906 §3",
			Shop: right, Faults: at(withEDNS(lab.ServFail), 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "SERVFAIL")),
		},
		{
			Name: "one server sends more over UDP than it was offered", Refs: "RFC 6891 §6.2.4; DNS flag day 2020",
			Shop: right, Faults: at(oversize, 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "a packet of more than 4095 bytes")),
		},
	}
}

// cookies are servers that know DNS cookies, or stumble over them.
func cookies() []Situation {
	// A server's cookie of 8 bytes, behind the client's of 8.
	const server = "5e72766572000001"
	answer := func(q lab.Query, truth *dns.Msg, cookie string) lab.Reply {
		return options(&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})(q, truth)
	}
	return []Situation{
		{
			Name: "servers give cookies", Refs: "RFC 7873 §5.2; RFC 9018 §4",
			Shop: right, Clients: Works, Faults: everywhere(func(q lab.Query, truth *dns.Msg) lab.Reply {
				if sent := cookieOf(q); sent != "" {
					return answer(q, truth, sent[:16]+server)
				}
				return lab.Send(truth)
			}),
		},
		{
			Name: "servers answer BADCOOKIE to those whom they do not know", Refs: "RFC 7873 §5.2.3, §5.3",
			Shop: right, Clients: Works, Faults: everywhere(func(q lab.Query, truth *dns.Msg) lab.Reply {
				sent := cookieOf(q)
				if len(sent) == 16 && q.Proto == "udp" {
					m := new(dns.Msg).SetRcode(q.Msg, dns.RcodeBadCookie)
					m.SetEdns0(1232, false)
					return answer(q, m, sent+server)
				}
				if sent != "" {
					return answer(q, truth, sent[:16]+server)
				}
				return lab.Send(truth)
			}),
		},
		{
			Name: "a firewall drops questions with a cookie", Refs: "RFC 7873 §5.1; RFC 8906 §3; Zonemaster NAMESERVER11",
			Shop: right, Clients: Works, BIND: Fails,
			Note:   "BIND sends a cookie each time, Unbound 1.17 none",
			Zone:   wants(nonconformant(warning, "", "is silent to questions with a DNS cookie").Times(3)),
			Faults: everywhere(lab.When(func(q lab.Query) bool { return cookieOf(q) != "" }, lab.Silent)),
		},
		{
			Name: "one server sends a cookie that is another client's", Refs: "RFC 7873 §5.3",
			Shop: right, Clients: Sometimes, BIND: Works, Note: "Unbound 1.17 sends no cookie, and believes the answer",
			Faults: at(lie(func(q lab.Query, truth *dns.Msg) lab.Reply {
				return answer(q, truth, "0102030405060708"+server)
			}), 12),
			Want: wants(degraded("ns2.shop.example", "a cookie that is not ours")),
		},
		{
			Name: "one server refuses, and says why", Refs: "RFC 8914 §4.21",
			Shop: right, Clients: Works, Faults: at(func(q lab.Query, _ *dns.Msg) lab.Reply {
				m := new(dns.Msg).SetRcode(q.Msg, dns.RcodeRefused)
				m.SetEdns0(1232, false)
				return options(&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNotAuthoritative, ExtraText: "the bill was not paid"})(q, m)
			}, 12),
			Want: wants(degraded("ns2.shop.example", "REFUSED (EDE 20 Not Authoritative: \"the bill was not paid\")")),
		},
	}
}

// cookieOf is the cookie that a question has, in hexadecimal.
func cookieOf(q lab.Query) string {
	if opt := q.Msg.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// changeOPT changes the OPT record of an answer, where there is one.
func changeOPT(f func(*dns.OPT)) lab.Fault {
	return func(_ lab.Query, truth *dns.Msg) lab.Reply {
		if o := truth.IsEdns0(); o != nil {
			f(o)
		}
		return lab.Send(truth)
	}
}

func options(o ...dns.EDNS0) lab.Fault {
	return changeOPT(func(opt *dns.OPT) { opt.Option = append(opt.Option, o...) })
}

// badVersion answers BADVERS (RFC 6891 §9), which needs an OPT.
func badVersion(q lab.Query, _ *dns.Msg) lab.Reply {
	m := new(dns.Msg).SetReply(q.Msg)
	m.SetEdns0(512, false)
	m.Rcode = dns.RcodeBadVers
	return lab.Send(m)
}

// oversize fills the packet of an answer up.
func oversize(q lab.Query, truth *dns.Msg) lab.Reply {
	if q.Proto == "udp" && (q.Type == dns.TypeA || q.Type == dns.TypeAAAA) {
		for range 20 {
			truth.Extra = append(truth.Extra, &dns.TXT{
				Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{string(make([]byte, 250))},
			})
		}
	}
	return lab.Send(truth)
}
