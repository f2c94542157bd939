package dnscheck

import (
	"strings"

	"github.com/miekg/dns"
)

// redirect applies the DNAME record in an answer that stands above name, if there is
// one (RFC 6672). Servers send the alias that it makes along; where they leave it out
// it is made here, as resolvers do. Caches hold the DNAME itself and make the alias
// from it, so its TTL counts, and not the 0 that old servers give the alias.
//
// A DNAME of a name outside zone is none of this server's business. Of several the
// highest counts, as nothing below it exists.
func (set *rrset) redirect(zone, name string, section []dns.RR) {
	d, fault := dnameAbove(zone, name, section)
	if d == nil {
		return
	}
	owner := canonical(d.Hdr.Name)
	target, fits := redirected(name, owner, canonical(d.Target))
	switch {
	case set.fault != "":
		return
	case fault != "":
		set.fault = fault
	case len(set.addrs) > 0:
		set.fault = "addresses for a name below a DNAME record"
	case set.target != "" && (!fits || set.target != target):
		set.fault = "an alias other than the one that its DNAME record makes"
	}
	set.dname, set.tooLong, set.odd = owner, !fits, nil
	set.note(&d.Hdr, 0)
	if set.odd != nil {
		set.odd.Least = set.ttl
	}
	if fits {
		set.target = target
	}
}

// dnameAbove finds the DNAME that applies to name.
func dnameAbove(zone, name string, section []dns.RR) (highest *dns.DNAME, fault string) {
	for _, rr := range section {
		d, ok := rr.(*dns.DNAME)
		if !ok || d.Hdr.Class != dns.ClassINET {
			continue
		}
		owner := canonical(d.Hdr.Name)
		switch {
		case !within(zone, owner) || !strictlyBelow(owner, name):
		case d.Target == "":
			return d, "a DNAME record without a target"
		case highest == nil || strictlyBelow(owner, canonical(highest.Hdr.Name)):
			highest, fault = d, ""
		case owner == canonical(highest.Hdr.Name) && canonical(d.Target) != canonical(highest.Target):
			fault = "two DNAME records for one name"
		}
	}
	return highest, fault
}

// redirected puts target in the place of owner at the end of name. It does not fit
// if what comes out is longer than names may be (RFC 6672 section 2.2).
func redirected(name, owner, target string) (made string, fits bool) {
	made = above(name, owner)
	if target != "." {
		made += target
	}
	return made, isName(made)
}

// dnameTarget is the target of the DNAME at owner that made of name the alias target,
// all without final dots.
func dnameTarget(name, owner, target string) string {
	kept := above(canonical(name), canonical(owner))
	return bare(canonical(strings.TrimPrefix(canonical(target), kept)))
}

// above are the labels of name in front of owner, each with its dot.
func above(name, owner string) string {
	if owner == "." {
		return name
	}
	return strings.TrimSuffix(name, owner)
}
