package dnscheck

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Bounds on finding the servers beside delegations: the zones that one look at a name
// pays for, as others will be met again at the next look; and for each of them the
// servers asked whom they name, the questions on walks, and the names without an address.
const (
	besideZones   = 4
	besideServers = 2
	besideBudget  = 20
	besideStrays  = 2
)

// keepBeside is how long is kept what was found, at least: the parent shall not be asked
// at each look, however short the TTL of the zone's NS records is.
const keepBeside = time.Minute

// askBeside asks the servers of a zone that its delegation, as one server of the parent
// gave it, does not have: those that only the zone itself names, which resolvers prefer
// once they have read them (RFC 2181 section 5.4.1), those that only another server of the
// parent names, and servers of the parent that hold the zone too. It notes them all in s,
// and leaves out the answers of who does not speak, as JudgeZone tells of it.
func (w *walk) askBeside(ctx context.Context, s *Step, d delegation, servers []Server, name string, first bool) []Answer {
	if d.fixed {
		return nil
	}
	beside := w.beside(ctx, d, servers)
	others, _ := w.split(beside, beside.names)
	others = slices.DeleteFunc(others, func(s Server) bool {
		return slices.ContainsFunc(servers, func(t Server) bool { return t.Address == s.Address }) || d.has(s.Address)
	})
	others = others[:min(len(others), max(0, serverLimit-len(servers)))]
	s.Beside = slices.Clone(others)
	if !first {
		others = w.spare(others)
	}
	answers, _ := w.askAll(ctx, d, others, name)
	speaking := map[netip.AddrPort]bool{}
	for _, a := range answers {
		speaking[a.Server.Address] = speaking[a.Server.Address] || a.Outcome.Speaks()
	}
	return slices.DeleteFunc(answers, func(a Answer) bool { return !speaking[a.Server.Address] })
}

// has tells whether a delegation has the address as glue.
func (d delegation) has(at netip.AddrPort) bool {
	return slices.ContainsFunc(d.names, func(n nameServer) bool { return slices.Contains(n.at, at) })
}

// beside are the servers of a zone, whoever names them, as far as they are not those of
// d: what ObserveZone met and kept, or else what a question to one of the zone's servers
// and three to the parent's tell. That is shared by all names of the zone. It has a
// budget of its own: what it does not find ends no look at a name.
func (w *walk) beside(ctx context.Context, d delegation, servers []Server) delegation {
	soon, cancel := third(ctx)
	defer cancel()
	for soon.Err() == nil {
		if known, ok := w.r.besides.get(d.zone); ok {
			return known
		}
		leave := w.r.besides.lead(soon, d.zone)
		if leave == nil {
			continue
		}
		defer leave()
		in := quietKey(d.zone, Server{})
		if quiet, _ := w.r.quiet.get(in); quiet || !w.mayFindBeside() {
			break
		}
		own := &walk{r: w.r, budget: budget{walking: walkBudget - besideBudget, strayMost: besideStrays}}
		found, named := own.findBeside(soon, d, servers)
		if !named {
			w.r.quiet.put(in, true, keepBeside)
			break
		}
		w.r.besides.put(d.zone, found, max(keepFor(found.ttl), keepBeside))
		return found
	}
	return w.r.lastBeside(d.zone)
}

// lastBeside are the servers of a zone as they were when it could last be told: who is
// forgotten here is not asked, and what it gave counts as gone.
func (r *Resolver) lastBeside(zone string) delegation {
	if known, ok := r.besides.last(zone); ok {
		return known
	}
	servings, _ := r.servings.get(bare(zone))
	i := slices.IndexFunc(servings, func(s Serving) bool { return s.Gone.IsZero() })
	if i < 0 {
		return delegation{}
	}
	return delegation{zone: zone, names: namesOf(servings[i].Servers)}
}

// findBeside does the work of beside, and tells whether the zone said whom it names.
func (w *walk) findBeside(ctx context.Context, d delegation, servers []Server) (beside delegation, told bool) {
	var named, handed delegation
	var asked sync.WaitGroup
	w.do(&asked, func() {
		servers := someOf(slices.Clone(servers), d.zone)
		if h, _ := w.race(ctx, d.zone, servers[:min(len(servers), besideServers)], question{name: d.zone, qtype: dns.TypeNS}); h.answer.Outcome == NoData {
			named, _ = apexNS(d.zone, h.msg, w.r.port)
			told = true
		}
	})
	var o ZoneObservation
	w.do(&asked, func() { handed = (&zoneLook{walk: w, zone: d.zone}).above(ctx, &o) })
	asked.Wait()
	if len(handed.names) > 0 && handed.lacks(d) {
		w.r.outdated(d)
	}
	all := delegation{zone: d.zone}
	all.join(handed)
	all.join(named)
	all.join(delegation{names: namesOf(o.holders())})
	all.names = slices.DeleteFunc(all.names, func(n nameServer) bool {
		return len(n.at) == 0 && slices.ContainsFunc(d.names, func(k nameServer) bool { return k.host == n.host })
	})
	found, _ := w.serversToJudge(ctx, all)
	return delegation{zone: d.zone, names: namesOf(found), ttl: named.ttl}, told
}

// holders are the servers of the parent that hold the zone too, also such as neither side
// names any more: who asks them for the delegation is given what they hold.
func (o *ZoneObservation) holders() []Server {
	var all []Server
	for _, h := range o.Handed {
		if h.Both {
			all = append(all, h.Server)
		}
	}
	return all
}

// namesOf puts the addresses of each server's name together.
func namesOf(servers []Server) []nameServer {
	var names []nameServer
	for _, s := range servers {
		host := canonical(s.Name)
		i := slices.IndexFunc(names, func(n nameServer) bool { return n.host == host })
		switch {
		case i >= 0:
			names[i].at = append(names[i].at, s.Address)
		case len(names) < nameLimit:
			names = append(names, nameServer{host: host, at: []netip.AddrPort{s.Address}})
		}
	}
	slices.SortStableFunc(names, func(a, b nameServer) int { return cmp.Compare(a.host, b.host) })
	return names
}

// keepMet keeps the servers of the zone, whoever names them, for the looks at its names
// until the look at the zone after next: also one that is silent now, as it may have an
// old record when it is back.
func (l *zoneLook) keepMet(o *ZoneObservation) {
	met := o.holders()
	var ttl uint32
	told := false
	for _, s := range l.all() {
		if !metAt(met, s.Server.Address) {
			met = append(met, s.Server)
		}
		ttl = max(ttl, s.ttl)
		told = told || s.NSOutcome.Speaks()
	}
	if !told {
		return
	}
	slices.SortStableFunc(met, compareServers)
	l.r.besides.put(l.zone, delegation{zone: l.zone, names: namesOf(met), ttl: ttl}, keepAtMost)
}
