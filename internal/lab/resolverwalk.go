package lab

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// walk is the work for one client question; left bounds it however the tree loops.
type walk struct {
	r    *Resolver
	done <-chan struct{}
	left int
}

// find gives the RRset of name, or its CNAME, or its denial: from the cache or
// from the tree. ok is false when no server gave a usable answer.
func (w *walk) find(name string, rrtype uint16) (cached, bool) {
	name = dns.CanonicalName(name)
	for _, t := range []uint16{rrtype, dns.TypeCNAME} {
		if e, ok := w.r.cachedEntry(rrsetKey{name, t}); ok && (t == rrtype || len(e.rrs) > 0) {
			return e, true
		}
	}
	reply := w.descend(name, rrtype)
	if reply == nil {
		return cached{}, false
	}
	for _, t := range []uint16{rrtype, dns.TypeCNAME} {
		if rrs := ownedBy(reply.Answer, name, t); len(rrs) > 0 {
			return w.r.keep(rrsetKey{name, t}, cached{rrs: rrs}), true
		}
	}
	var soa []dns.RR
	for _, rr := range reply.Ns {
		if s, ok := rr.(*dns.SOA); ok {
			s.Hdr.Ttl = min(s.Hdr.Ttl, s.Minttl)
			soa = append(soa, s)
		}
	}
	return w.r.keep(rrsetKey{name, rrtype}, cached{soa: soa, rcode: reply.Rcode}), true
}

// ownedBy picks the records of one name and type; all others are not believed.
func ownedBy(rrs []dns.RR, name string, rrtype uint16) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		if keyOf(rr) == (rrsetKey{name, rrtype}) {
			out = append(out, rr)
		}
	}
	return out
}

// descend walks from the roots to the zone of name; nil when it gets stuck.
func (w *walk) descend(name string, rrtype uint16) *dns.Msg {
	zone, servers := ".", w.r.roots
	for len(servers) > 0 {
		reply, cut := w.askAny(servers, zone, name, rrtype)
		if reply == nil || cut == "" {
			return reply
		}
		servers = w.serversOf(reply, zone)
		zone = cut
	}
	return nil
}

// askAny asks servers in turn until one gives an answer (cut is empty) or refers
// to a zone below.
func (w *walk) askAny(servers []netip.Addr, zone, name string, rrtype uint16) (reply *dns.Msg, cut string) {
	for _, addr := range servers {
		reply := w.ask(addr, name, rrtype)
		switch {
		case reply == nil || reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		case len(ownedBy(reply.Answer, name, rrtype)) > 0, len(ownedBy(reply.Answer, name, dns.TypeCNAME)) > 0:
			return reply, ""
		case reply.Rcode == dns.RcodeNameError, reply.Authoritative:
			return reply, ""
		default:
			if cut := referral(reply, zone, name); cut != "" {
				return reply, cut
			}
		}
	}
	return nil, ""
}

// referral is the zone referred to, if it leads downwards and towards name.
func referral(reply *dns.Msg, zone, name string) string {
	for _, rr := range reply.Ns {
		owner := dns.CanonicalName(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeNS && owner != zone && dns.IsSubDomain(zone, owner) && dns.IsSubDomain(owner, name) {
			return owner
		}
	}
	return ""
}

// serversOf gives the addresses of a referral: glue inside the referring zone,
// else by asking for each name.
func (w *walk) serversOf(reply *dns.Msg, zone string) []netip.Addr {
	var addrs []netip.Addr
	var without []string
	for _, rr := range reply.Ns {
		ns, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		host := dns.CanonicalName(ns.Ns)
		glue := ownedBy(reply.Extra, host, dns.TypeA)
		if len(glue) == 0 || !dns.IsSubDomain(zone, host) {
			without = append(without, host)
			continue
		}
		addrs = appendAddrs(addrs, glue)
	}
	for _, host := range without {
		if len(addrs) > 0 {
			break
		}
		if e, ok := w.find(host, dns.TypeA); ok {
			addrs = appendAddrs(addrs, e.rrs)
		}
	}
	return addrs
}

func appendAddrs(addrs []netip.Addr, rrs []dns.RR) []netip.Addr {
	for _, rr := range rrs {
		if a, ok := rr.(*dns.A); ok {
			if addr, ok := netip.AddrFromSlice(a.A.To4()); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs
}

// ask sends one question, over TCP again if it was cut; nil is no usable message.
func (w *walk) ask(addr netip.Addr, name string, rrtype uint16) *dns.Msg {
	for _, proto := range []string{"udp", "tcp"} {
		select {
		case <-w.done:
			return nil
		default:
		}
		if w.left--; w.left < 0 {
			return nil
		}
		req := new(dns.Msg).SetQuestion(name, rrtype)
		req.RecursionDesired = false
		req.SetEdns0(udpSize, false)
		client := &dns.Client{Net: proto, Timeout: resolverTry}
		reply, _, err := client.Exchange(req, netip.AddrPortFrom(addr, w.r.port).String())
		if err != nil || !reply.Response || len(reply.Question) != 1 ||
			!strings.EqualFold(reply.Question[0].Name, name) || reply.Question[0].Qtype != rrtype {
			return nil
		}
		if !reply.Truncated {
			return reply
		}
	}
	return nil
}
