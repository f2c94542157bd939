package lab

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// chainLimit bounds CNAME and DNAME steps inside one zone: a zone may hold a loop.
const chainLimit = 16

// Answer fills in what an authoritative server of this zone says to q, which
// lies in the zone: RFC 1034 §4.3.2, with RFC 6672 (DNAME), RFC 4592
// (wildcards) and RFC 2308 (negative answers).
func (z *Zone) Answer(reply *dns.Msg, q dns.Question) {
	reply.Authoritative = true
	name := dns.CanonicalName(q.Name)
	owner := q.Name
	seen := map[string]bool{}
	for range chainLimit {
		seen[name] = true
		next, done := z.step(reply, name, owner, q.Qtype)
		if done {
			return
		}
		name, owner = dns.CanonicalName(next), next
		if !dns.IsSubDomain(z.apex, name) || seen[name] {
			return
		}
	}
}

// step answers for one name of a chain. It returns the next name, or done.
func (z *Zone) step(reply *dns.Msg, name, owner string, qtype uint16) (next string, done bool) {
	// Whatever stands higher hides what is below it (RFC 6672 section 2.4).
	cut, moved := z.cutAbove(name, qtype), z.dnameAbove(name)
	if cut != "" && (moved == "" || dns.IsSubDomain(cut, moved)) {
		z.refer(reply, cut)
		return "", true
	}
	if moved != "" {
		target := z.dname(reply, moved, owner)
		return target, target == ""
	}
	node := name
	if !z.nodes[name] {
		node = dns.Fqdn("*." + strings.TrimSuffix(z.encloser(name), "."))
		if !z.nodes[node] {
			reply.Rcode = dns.RcodeNameError
			z.deny(reply)
			return "", true
		}
	}
	return z.atNode(reply, node, owner, qtype)
}

// atNode answers from the records of an existing node, given to owner.
func (z *Zone) atNode(reply *dns.Msg, node, owner string, qtype uint16) (next string, done bool) {
	if qtype == dns.TypeANY {
		for key, set := range z.sets {
			if key.name == node {
				reply.Answer = append(reply.Answer, renamed(set, owner)...)
			}
		}
	} else if set := z.sets[rrsetKey{node, qtype}]; len(set) > 0 {
		reply.Answer = append(reply.Answer, renamed(set, owner)...)
		z.addGlue(reply, set)
		return "", true
	} else if set := z.sets[rrsetKey{node, dns.TypeCNAME}]; len(set) > 0 {
		reply.Answer = append(reply.Answer, renamed(set, owner)...)
		return set[0].(*dns.CNAME).Target, false
	}
	if len(reply.Answer) == 0 || qtype != dns.TypeANY {
		z.deny(reply)
	}
	return "", true
}

// cutAbove is the delegation at or above name and below the apex, the highest one.
// DS belongs to the parent (RFC 4035 §3.1.4.1), so a cut does not hide its own.
func (z *Zone) cutAbove(name string, qtype uint16) string {
	cut := ""
	for n := name; n != z.apex; n = parentOf(n) {
		if len(z.sets[rrsetKey{n, dns.TypeNS}]) > 0 && (n != name || qtype != dns.TypeDS) {
			cut = n
		}
	}
	return cut
}

// refer hands down a delegation: no AA unless an answer (a CNAME) stands already.
func (z *Zone) refer(reply *dns.Msg, cut string) {
	reply.Authoritative = len(reply.Answer) > 0
	ns := z.sets[rrsetKey{cut, dns.TypeNS}]
	reply.Ns = append(reply.Ns, copyRRs(ns)...)
	reply.Ns = append(reply.Ns, copyRRs(z.sets[rrsetKey{cut, dns.TypeDS}])...)
	z.addGlue(reply, ns)
}

// addGlue adds the addresses this zone holds for the servers that NS records name.
func (z *Zone) addGlue(reply *dns.Msg, set []dns.RR) {
	for _, rr := range set {
		ns, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		host := dns.CanonicalName(ns.Ns)
		reply.Extra = append(reply.Extra, copyRRs(z.sets[rrsetKey{host, dns.TypeA}])...)
		reply.Extra = append(reply.Extra, copyRRs(z.sets[rrsetKey{host, dns.TypeAAAA}])...)
	}
}

// dnameAbove is the owner of the highest DNAME above name, or "".
func (z *Zone) dnameAbove(name string) string {
	highest := ""
	for n := name; n != z.apex; {
		n = parentOf(n)
		if len(z.sets[rrsetKey{n, dns.TypeDNAME}]) > 0 {
			highest = n
		}
	}
	return highest
}

// dname applies the DNAME at a name above owner: it adds the DNAME and the CNAME made
// from it, of the same TTL (RFC 6672 §3.1). target is empty when the new name would be
// too long.
func (z *Zone) dname(reply *dns.Msg, at, owner string) (target string) {
	record := z.sets[rrsetKey{at, dns.TypeDNAME}][0].(*dns.DNAME)
	if !slices.ContainsFunc(reply.Answer, func(rr dns.RR) bool { return dns.IsDuplicate(rr, record) }) {
		reply.Answer = append(reply.Answer, dns.Copy(record))
	}
	prefix := owner[:len(owner)-len(at)]
	if at == "." {
		prefix = owner
	}
	target = prefix + record.Target
	if record.Target == "." {
		target = prefix
	}
	if _, err := dns.PackDomainName(target, make([]byte, 255), 0, nil, false); err != nil {
		reply.Rcode = dns.RcodeYXDomain
		return ""
	}
	reply.Answer = append(reply.Answer, &dns.CNAME{
		Hdr:    dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: record.Hdr.Ttl},
		Target: target,
	})
	return target
}

// encloser is the longest existing ancestor of a name that does not exist.
func (z *Zone) encloser(name string) string {
	for n := parentOf(name); ; n = parentOf(n) {
		if z.nodes[n] {
			return n
		}
	}
}

// deny adds the SOA with the negative TTL (RFC 2308 §3).
func (z *Zone) deny(reply *dns.Msg) {
	for _, rr := range copyRRs(z.sets[rrsetKey{z.apex, dns.TypeSOA}]) {
		rr.Header().Ttl = min(rr.Header().Ttl, rr.(*dns.SOA).Minttl)
		reply.Ns = append(reply.Ns, rr)
	}
}

// renamed copies a set to the name that was asked: wildcards, and the case of the question.
func renamed(set []dns.RR, owner string) []dns.RR {
	out := copyRRs(set)
	for _, rr := range out {
		rr.Header().Name = owner
	}
	return out
}
