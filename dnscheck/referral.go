package dnscheck

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Bounds on what one delegation may name.
const (
	nameLimit = 26
	glueLimit = 8
)

// delegation is a zone and its servers, as its parent (or the configuration)
// names them.
type delegation struct {
	zone  string // canonical; empty if there is none
	names []nameServer
	ttl   uint32
	read  time.Time // when it came; zero unless it is kept
	fixed bool      // roots and configured servers: asked wherever they are
}

// nameServer is one server of a delegation.
type nameServer struct {
	host string           // canonical; empty if configured by address
	at   []netip.AddrPort // glue, or as configured; empty if host is to be looked up
}

// referral reads the delegation that a server of zone hands down for name. It
// must lead downwards and towards name: everything else is lame. Glue counts only
// from inside zone, as resolvers have it (RFC 2181 §5.4.1, RFC 9471).
func referral(zone, name string, m *dns.Msg, port uint16) (delegation, bool) {
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) > 0 || denialOf(name, m) != nil {
		return delegation{}, false
	}
	return delegationIn(m.Ns, m.Extra, zone, port, func(owner string) bool {
		return strictlyBelow(zone, owner) && within(owner, name)
	})
}

// delegationIn reads the NS records of the first owner that fits.
func delegationIn(ns, extra []dns.RR, bailiwick string, port uint16, fits func(owner string) bool) (delegation, bool) {
	d := delegation{ttl: 1 << 30}
	for _, rr := range ns {
		record, ok := rr.(*dns.NS)
		if !ok || record.Hdr.Class != dns.ClassINET || record.Ns == "" {
			continue
		}
		owner, host := canonical(record.Hdr.Name), canonical(record.Ns)
		if d.zone == "" && fits(owner) {
			d.zone = owner
		}
		if owner != d.zone || d.zone == "" || len(d.names) == nameLimit {
			continue
		}
		d.ttl = min(d.ttl, ttlOf(&record.Hdr))
		if !slices.ContainsFunc(d.names, func(n nameServer) bool { return n.host == host }) {
			d.names = append(d.names, nameServer{host: host})
		}
	}
	if d.zone == "" {
		return delegation{}, false
	}
	for _, rr := range extra {
		d.addGlue(rr, bailiwick, port)
	}
	slices.SortStableFunc(d.names, func(a, b nameServer) int { return cmp.Compare(a.host, b.host) })
	return d, true
}

func (d *delegation) addGlue(rr dns.RR, bailiwick string, port uint16) {
	host := canonical(rr.Header().Name)
	addr, ok := addressOf(rr)
	if !ok || rr.Header().Class != dns.ClassINET || !within(bailiwick, host) {
		return
	}
	at := netip.AddrPortFrom(addr, port)
	for i, n := range d.names {
		if n.host == host && len(n.at) < glueLimit && !slices.Contains(n.at, at) {
			d.names[i].at = append(n.at, at)
		}
	}
}
