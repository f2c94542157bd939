package lab

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Fault decides what is sent instead of the truth. It is given the truthful
// reply, complete and cut to size, and may alter it, so faults compose:
//
//	func(q Query, truth *dns.Msg) Reply { truth.Id++; return Send(truth) }
type Fault func(q Query, truth *dns.Msg) Reply

// Reply is what a faulty server sends. The zero Reply is silence.
type Reply struct {
	Msgs        []*dns.Msg    // sent in order
	Raw         [][]byte      // sent after Msgs, as they are
	Delay       time.Duration // before the first; ended early by Stop
	OtherSource bool          // UDP: send from another port than was asked
	Close       bool          // TCP: close the connection afterwards
}

// Send is a Reply of whole messages.
func Send(msgs ...*dns.Msg) Reply { return Reply{Msgs: msgs} }

func (r Reply) send(run *dnsRun, w dns.ResponseWriter, addr netip.Addr) {
	if r.Delay > 0 {
		timer := time.NewTimer(r.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-run.done:
			return
		}
	}
	write := func(b []byte) { _, _ = w.Write(b) } // the client may be gone: its affair
	if r.OtherSource && w.RemoteAddr().Network() == "udp" {
		if conn, err := otherSocket(addr); err == nil {
			defer closeQuietly(conn)
			write = func(b []byte) { _, _ = conn.WriteTo(b, w.RemoteAddr()) }
		}
	}
	for _, m := range r.Msgs {
		if packed, err := m.Pack(); err == nil {
			write(packed)
		}
	}
	for _, b := range r.Raw {
		write(b)
	}
	if r.Close {
		_ = w.Close()
	}
}

func closeQuietly(c net.PacketConn) { _ = c.Close() }

// Silent never answers; over TCP the connection stays open.
func Silent(Query, *dns.Msg) Reply { return Reply{} }

// Refuse answers REFUSED.
func Refuse(q Query, _ *dns.Msg) Reply { return rcode(q, dns.RcodeRefused) }

// ServFail answers SERVFAIL.
func ServFail(q Query, _ *dns.Msg) Reply { return rcode(q, dns.RcodeServerFailure) }

// NXDomain denies every name, with AA and without an SOA.
func NXDomain(q Query, _ *dns.Msg) Reply {
	reply := rcode(q, dns.RcodeNameError)
	reply.Msgs[0].Authoritative = true
	return reply
}

func rcode(q Query, code int) Reply { return Send(new(dns.Msg).SetRcode(q.Msg, code)) }

// Lame answers without authority and refers upwards, to the root.
func Lame(q Query, _ *dns.Msg) Reply {
	reply := new(dns.Msg).SetReply(q.Msg)
	reply.Ns = []dns.RR{&dns.NS{
		Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 518400},
		Ns:  "a.root.",
	}}
	return Send(reply)
}

// NotAuthoritative gives the right answer without AA.
func NotAuthoritative(_ Query, truth *dns.Msg) Reply {
	truth.Authoritative = false
	return Send(truth)
}

// WrongID answers with another transaction id.
func WrongID(_ Query, truth *dns.Msg) Reply {
	truth.Id ^= 0x5555
	return Send(truth)
}

// WrongQuestion answers with records to a question that was not asked.
func WrongQuestion(_ Query, truth *dns.Msg) Reply {
	name := "other." + truth.Question[0].Name
	for _, rr := range truth.Answer {
		rr.Header().Name = name
	}
	truth.Question[0].Name = name
	return Send(truth)
}

// QR0 sends the answer marked as a query.
func QR0(_ Query, truth *dns.Msg) Reply {
	truth.Response = false
	return Send(truth)
}

// WrongSource sends the right answer from another UDP port.
func WrongSource(_ Query, truth *dns.Msg) Reply {
	return Reply{Msgs: []*dns.Msg{truth}, OtherSource: true}
}

// AlwaysTruncated sets TC and sends no records over UDP; TCP tells the truth.
func AlwaysTruncated(q Query, truth *dns.Msg) Reply {
	if q.Proto == "udp" {
		truth.Truncated = true
		truth.Answer, truth.Ns = nil, nil
	}
	return Send(truth)
}

// Garbage sends the right id and then bytes that are no DNS message.
func Garbage(q Query, _ *dns.Msg) Reply {
	raw := []byte{byte(q.Msg.Id >> 8), byte(q.Msg.Id), 0x84, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0xc0, 0x0c, 0xff}
	return Reply{Raw: [][]byte{raw}}
}

// TCPClosed truncates over UDP and hangs up over TCP, so a large answer is out of reach.
func TCPClosed(q Query, truth *dns.Msg) Reply {
	if q.Proto != "udp" {
		return Reply{Close: true}
	}
	return AlwaysTruncated(q, truth)
}

// NoEDNS answers FORMERR to a request with EDNS, and the truth without.
func NoEDNS(q Query, truth *dns.Msg) Reply {
	if q.Msg.IsEdns0() != nil {
		return rcode(q, dns.RcodeFormatError)
	}
	return Send(truth)
}

// DropEDNS is silent to a request with EDNS, as behind a firewall that does not know
// it, and tells the truth without.
func DropEDNS(q Query, truth *dns.Msg) Reply {
	if q.Msg.IsEdns0() != nil {
		return Reply{}
	}
	return Send(truth)
}

// SpoofFirst sends a forgery that carries the wrong id, then the truth.
func SpoofFirst(_ Query, truth *dns.Msg) Reply {
	forged := truth.Copy()
	forged.Id ^= 0x5555
	for _, rr := range forged.Answer {
		if a, ok := rr.(*dns.A); ok {
			a.A = net.IPv4(127, 66, 66, 66)
		}
	}
	return Send(forged, truth)
}

// Bogus is a resolver that validates, and to which what a zone says looks forged: it
// fails for each answer that comes from there in part, with the extended errors
// (RFC 8914), unless it is told not to check (CD=1). All else it says to be validated.
func Bogus(zone string, why ...uint16) Fault {
	return func(q Query, truth *dns.Msg) Reply {
		forged := dns.IsSubDomain(zone, q.Name)
		for _, rr := range slices.Concat(truth.Answer, truth.Ns) {
			forged = forged || dns.IsSubDomain(zone, dns.CanonicalName(rr.Header().Name))
		}
		if q.Msg.CheckingDisabled || !forged {
			truth.AuthenticatedData = q.Msg.AuthenticatedData && !q.Msg.CheckingDisabled
			return Send(truth)
		}
		reply := new(dns.Msg).SetRcode(q.Msg, dns.RcodeServerFailure)
		if opt := q.Msg.IsEdns0(); opt != nil && len(why) > 0 {
			reply.SetEdns0(udpSize, opt.Do())
			for _, code := range why {
				reply.IsEdns0().Option = append(reply.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: code})
			}
		}
		return Send(reply)
	}
}

// Slow tells the truth after d.
func Slow(d time.Duration) Fault {
	return func(_ Query, truth *dns.Msg) Reply { return Reply{Msgs: []*dns.Msg{truth}, Delay: d} }
}

// OverProto applies f to "udp" or "tcp" alone.
func OverProto(proto string, f Fault) Fault {
	return When(func(q Query) bool { return q.Proto == proto }, f)
}

// ForName applies f to questions at or below name.
func ForName(name string, f Fault) Fault {
	return When(func(q Query) bool { return dns.IsSubDomain(dns.CanonicalName(name), q.Name) }, f)
}

// Times applies f to the first n requests.
func Times(n int, f Fault) Fault {
	var seen atomic.Int64
	return When(func(Query) bool { return seen.Add(1) <= int64(n) }, f)
}

// When applies f where cond holds, and tells the truth elsewhere.
func When(cond func(Query) bool, f Fault) Fault {
	return func(q Query, truth *dns.Msg) Reply {
		if cond(q) {
			return f(q, truth)
		}
		return Send(truth)
	}
}
