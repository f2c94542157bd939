package dnscheck

import (
	"context"
	"hash/fnv"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// above asks the parent for the zone, and returns whom it names. If no delegation
// is seen, as one server holds both zones or the parent is silent, it returns whom
// the walk finds; nobody, if that finds no zone of this name.
func (l *zoneLook) above(ctx context.Context, o *ZoneObservation) delegation {
	soon, cancel := third(ctx)
	defer cancel()
	d := delegation{zone: l.zone}
	parent, _ := l.locate(soon, parentOf(l.zone), 0)
	if parent.zone != "" {
		o.Parent = bare(parent.zone)
		servers, _ := l.serversToWalk(soon, parent, 0)
		servers = someOf(servers, l.zone)
		handed, down := make([]Handed, len(servers)), make([]delegation, len(servers))
		var asked sync.WaitGroup
		for i, s := range servers {
			l.do(&asked, func() { handed[i], down[i] = l.askParent(soon, parent.zone, s) })
		}
		asked.Wait()
		for i, h := range handed {
			if h.Outcome != unasked && h.Outcome != "" {
				o.Handed = append(o.Handed, h)
				d.join(down[i])
			}
		}
		slices.SortStableFunc(o.Handed, func(a, b Handed) int { return compareServers(a.Server, b.Server) })
	}
	if len(d.names) > 0 {
		return d
	}
	soon, cancel = third(ctx)
	defer cancel()
	if d, _ := l.locate(soon, l.zone, 0); d.zone == l.zone {
		return d
	}
	return delegation{}
}

// someOf picks the servers to be asked, of each name one address. A zone always
// meets the same ones, so that a verdict stays; zones meet different ones, so that
// no server of a large parent has to bear all the questions.
func someOf(servers []Server, zone string) []Server {
	servers = slices.CompactFunc(servers, func(a, b Server) bool { return a.Name != "" && a.Name == b.Name })
	if len(servers) <= parentLimit {
		return servers
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(zone)) // never fails, by its documentation
	first := int(h.Sum32() % uint32(len(servers)))
	return slices.Concat(servers[first:], servers[:first])[:parentLimit]
}

// join adds the servers of another delegation of the same zone.
func (d *delegation) join(other delegation) {
	for _, n := range other.names {
		i := slices.IndexFunc(d.names, func(k nameServer) bool { return k.host == n.host })
		switch {
		case i >= 0:
			for _, at := range n.at {
				if !slices.Contains(d.names[i].at, at) && len(d.names[i].at) < glueLimit {
					d.names[i].at = append(d.names[i].at, at)
				}
			}
		case len(d.names) < nameLimit:
			n.at = slices.Clone(n.at)
			d.names = append(d.names, n)
		}
	}
}

// askParent asks one server of the parent for the zone's NS records.
func (l *zoneLook) askParent(ctx context.Context, parent string, s Server) (Handed, delegation) {
	h := Handed{Server: s}
	q := question{name: l.zone, qtype: dns.TypeNS}
	r := l.ask(ctx, s, q)
	if r.msg == nil {
		h.Outcome, h.Detail = r.outcome, r.detail
		return h, delegation{}
	}
	d, refers := referral(parent, l.zone, r.msg, l.r.port)
	if refers && d.zone == l.zone {
		h.Outcome, h.TTL = OK, d.ttl
		for _, n := range d.names {
			h.NS = append(h.NS, bare(n.host))
			if !within(l.zone, n.host) {
				continue
			}
			g := Glue{Name: bare(n.host)}
			for _, at := range n.at {
				g.Addresses = append(g.Addresses, at.Addr())
			}
			slices.SortFunc(g.Addresses, addrOrder)
			h.Glue = append(h.Glue, g)
		}
		return h, d
	}
	a := readAnswer(parent, q, r.msg)
	h.Outcome, h.Detail, h.TTL = a.Outcome, a.Detail, a.TTL
	if refers {
		h.Outcome, h.Detail = Lame, "refers to the servers of "+bare(d.zone)
	}
	soa := denialOf(l.zone, r.msg)
	_, held := apexNS(l.zone, r.msg, l.r.port)
	h.Both = h.Outcome.Speaks() && (held || soa != nil && canonical(soa.Hdr.Name) == l.zone)
	return h, delegation{}
}

// apexNS reads a zone's own NS records out of an answer.
func apexNS(zone string, m *dns.Msg, port uint16) (delegation, bool) {
	return delegationIn(m.Answer, nil, zone, port, func(owner string) bool { return owner == zone })
}
