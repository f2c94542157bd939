package dnscheck

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// ObserveZone asks at most three servers of the parent and every server of the zone
// what they say of its delegation. Like Observe it has no errors. A zone whose
// servers are configured by address has no delegation to look at, nor has the root.
//
// What it costs, beside the walk to servers that are not known yet: one question to
// each of the parent's servers asked; three to each server address of the zone (NS,
// SOA, and SOA over TCP); and for each server's name inside the zone that the parent
// names, A and AAAA from two of the zone's servers. A zone on three servers named
// inside it, under a parent with two, costs 2 + 3·3 + 3·2·2 = 23 questions, three of
// them over TCP. A server without the OPT record in its answers costs one more, one
// that rejects EDNS two more, one that may drop cookies too, a silent one six packets in
// place of its two questions over UDP. The most is 3 + 26·10 + 13·2·2 + 1 beside the walk.
func (r *Resolver) ObserveZone(ctx context.Context, zone string) ZoneObservation {
	name := canonical(zone)
	o := ZoneObservation{Zone: bare(name), At: time.Now()}
	_, configured := r.fixed[name]
	if !isName(name) || zone == "" || name == "." || configured {
		o.Cut = "this zone has no delegation to look at"
		return o
	}
	w, ctx, end := r.begin(ctx)
	defer end()
	if w == nil {
		o.Cut = closedText
		return o
	}
	l := &zoneLook{walk: w, zone: name, asked: map[netip.AddrPort]*zoneServer{}, names: map[string]*ServerName{}}
	var whole sync.WaitGroup
	w.do(&whole, func() { l.look(ctx, &o) })
	whole.Wait()
	l.tell(&o)
	o.bound()
	return o
}

// zoneLook is the work for one ZoneObservation.
type zoneLook struct {
	*walk
	zone string

	mu    sync.Mutex
	asked map[netip.AddrPort]*zoneServer
	met   int // of asked, without those that may not be asked
	names map[string]*ServerName
	tcp   bool // some server answered over TCP
}

// look asks the parent, then all servers that it names, then whatever these name
// beside them. Each part has a third of the time that is left, so that one that is
// silent leaves some for the rest.
func (l *zoneLook) look(ctx context.Context, o *ZoneObservation) {
	d := l.above(ctx, o)
	if d.zone == "" {
		return
	}
	if known, ok := l.r.zones.get(l.zone); ok && len(o.Handed) > 0 && d.lacks(known) {
		l.r.outdated(known)
	}
	servers := l.meet(ctx, d)
	var first, rest sync.WaitGroup
	soon, cancel := third(ctx)
	defer cancel()
	for _, s := range servers {
		l.do(&first, func() { l.askNS(soon, s) })
	}
	first.Wait()
	for _, s := range servers {
		l.do(&rest, func() { l.askOthers(ctx, s) })
	}
	l.do(&rest, func() { l.visit(ctx, l.namedBelow(d)) })
	l.do(&rest, func() { l.visit(ctx, l.ownAddresses(ctx, o.Handed, servers)) })
	rest.Wait()
	l.witnessTCP(ctx, o)
	l.dropBrokenIPv6(ctx)
	l.keepMet(o)
}

// third is a part of the time that is left.
func third(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, time.Until(deadline)/3)
}

// visit asks servers that were not known at the beginning.
func (l *zoneLook) visit(ctx context.Context, d delegation) {
	var asked sync.WaitGroup
	for _, s := range l.meet(ctx, d) {
		l.do(&asked, func() {
			soon, cancel := third(ctx)
			defer cancel()
			l.askNS(soon, s)
			l.askOthers(ctx, s)
		})
	}
	asked.Wait()
}

// meet finds the addresses of servers, and returns those that are to be asked and
// were not met before.
func (l *zoneLook) meet(ctx context.Context, d delegation) []*zoneServer {
	soon, cancel := third(ctx)
	defer cancel()
	servers, dead := l.serversToJudge(soon, d)
	missing := map[string]string{}
	for _, h := range dead {
		switch {
		case h.answer.Outcome == unasked:
			l.limit(h.answer.Detail)
		case !h.server.Address.IsValid():
			missing[h.server.Name] = h.answer.Detail
		}
	}
	for _, n := range d.names {
		if len(n.at) == 0 {
			l.note(n.host, missing[bare(n.host)])
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range dead {
		if at := h.server.Address; at.IsValid() && l.asked[at] == nil && len(l.asked) < 2*serverLimit {
			l.asked[at] = &zoneServer{ZoneServer: ZoneServer{Server: h.server, Outcome: h.answer.Outcome, Detail: h.answer.Detail}}
		}
	}
	var fresh []*zoneServer
	for _, s := range servers {
		switch {
		case l.asked[s.Address] != nil:
		case l.met == serverLimit:
			l.limit(fmt.Sprintf("the zone %s has more than %d server addresses", bare(l.zone), serverLimit))
		default:
			l.met++
			l.asked[s.Address] = &zoneServer{ZoneServer: ZoneServer{Server: s}}
			fresh = append(fresh, l.asked[s.Address])
		}
	}
	return fresh
}

// note keeps what there is to tell of a name whose addresses were looked for: why there
// are none, and whether it is an alias, which decides who can use the server.
func (l *zoneLook) note(host, missing string) {
	known, _ := l.r.hosts.get(canonical(host))
	n := ServerName{Name: bare(host), Missing: missing, Alias: known.alias}
	if n.Missing == "" && n.Alias == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names[n.Name] = &n
}

// namedBelow are the servers that only the zone itself names.
func (l *zoneLook) namedBelow(d delegation) delegation {
	l.mu.Lock()
	defer l.mu.Unlock()
	more := delegation{zone: l.zone}
	for _, s := range l.asked {
		for _, n := range s.named {
			known := func(k nameServer) bool { return k.host == n.host }
			if !slices.ContainsFunc(d.names, known) && !slices.ContainsFunc(more.names, known) {
				more.names = append(more.names, nameServer{host: n.host})
			}
		}
	}
	slices.SortStableFunc(more.names, func(a, b nameServer) int { return cmp.Compare(a.host, b.host) })
	if len(more.names) > nameLimit {
		more.names = more.names[:nameLimit]
		l.limit("the zone names too many servers")
	}
	return more
}

// ownAddresses asks for the addresses of the servers inside the zone for which the
// parent could have glue. It returns those addresses as servers to be asked, too.
// Whom it asks does not depend on who was quick.
func (l *zoneLook) ownAddresses(ctx context.Context, handed []Handed, servers []*zoneServer) delegation {
	var hosts []string
	for _, h := range handed {
		for _, g := range h.Glue {
			hosts = append(hosts, g.Name)
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	hosts = hosts[:min(len(hosts), ownNames)]
	witnesses := l.witnesses(servers)
	found := make([][]Answer, len(hosts))
	var asked sync.WaitGroup
	for i, host := range hosts {
		found[i] = make([]Answer, 2*len(witnesses))
		for j := range found[i] {
			q := question{name: canonical(host), qtype: []uint16{dns.TypeA, dns.TypeAAAA}[j%2]}
			l.do(&asked, func() { found[i][j], _ = l.askOne(ctx, l.zone, witnesses[j/2], q) })
		}
	}
	asked.Wait()
	more := delegation{zone: l.zone}
	for i, host := range hosts {
		own := slices.DeleteFunc(found[i], func(a Answer) bool { return a.Outcome == unasked || a.Outcome == "" })
		n := nameServer{host: canonical(host)}
		for _, a := range own {
			for _, ip := range a.Addresses[:min(len(a.Addresses), glueLimit)] {
				n.at = append(n.at, netip.AddrPortFrom(ip, l.r.port))
			}
		}
		if len(n.at) > 0 {
			more.names = append(more.names, n)
		}
		l.own(host, own)
	}
	return more
}

// witnesses are the servers that are asked for the addresses of others.
func (l *zoneLook) witnesses(servers []*zoneServer) []Server {
	l.mu.Lock() // askEDNS may hear of NS meanwhile
	defer l.mu.Unlock()
	var some []Server
	for _, s := range servers {
		if s.NSOutcome.Speaks() && len(some) < ownWitnesses && (len(some) == 0 || some[0].Name != s.Server.Name) {
			some = append(some, s.Server)
		}
	}
	return some
}

func (l *zoneLook) own(host string, answers []Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.names[host]
	if n == nil {
		n = &ServerName{Name: host}
		l.names[host] = n
	}
	n.Own = answers
	for _, a := range answers {
		n.Alias = cmp.Or(n.Alias, a.Target)
	}
}

// tell writes down what was found, in an order that does not depend on time.
func (l *zoneLook) tell(o *ZoneObservation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, s := range l.asked {
		if s.fails() {
			s.Unanswered = l.r.wire.servers.unanswered(at)
		}
		o.Servers = append(o.Servers, s.ZoneServer)
	}
	slices.SortStableFunc(o.Servers, func(a, b ZoneServer) int { return compareServers(a.Server, b.Server) })
	for _, n := range l.names {
		o.Names = append(o.Names, *n)
	}
	slices.SortStableFunc(o.Names, func(a, b ServerName) int { return cmp.Compare(a.Name, b.Name) })
	o.TCPLeaves, o.Cut, o.Heard = l.tcp, l.cut, l.heard.Load()
}

func compareServers(a, b Server) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), a.Address.Compare(b.Address))
}
