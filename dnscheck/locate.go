package dnscheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// locate finds the zone that holds name, and its servers. The question is for the
// SOA record: every authoritative answer to it tells the zone, also where one
// server holds parent and child and so never refers. The delegation is empty if
// there is a Failure, or if our own limits ended the walk.
func (w *walk) locate(ctx context.Context, name string, depth int) (delegation, Failure) {
	if zone, ok := w.r.places.get(name); ok {
		if d := w.r.closest(name); d.zone == zone {
			return d, Failure{}
		}
	}
	d, h, failure := w.descend(ctx, question{name: name, qtype: dns.TypeSOA}, depth)
	if d.zone == "" || failure.Outcome != "" || !h.answer.Outcome.Speaks() {
		return d, failure
	}
	if h.showsBelow(d.zone) {
		d = w.hiddenCut(ctx, d, h, name, depth)
	} else if nearest := aliasLiesWith(name, h.answer); h.answer.Outcome == Alias && strictlyBelow(d.zone, nearest) {
		if above, failed := w.locate(ctx, nearest, depth); above.zone != "" && failed.Outcome == "" && within(d.zone, above.zone) {
			d = above
		}
	}
	w.r.places.put(name, d.zone, keepFor(d.ttl))
	return d, Failure{}
}

// aliasLiesWith is a name in the same zone as an alias: its parent, as an alias is no
// apex, or the owner of its DNAME, as nothing below that exists.
func aliasLiesWith(name string, a Answer) string {
	if a.DNAME != "" {
		return canonical(a.DNAME)
	}
	return parentOf(name)
}

// descend follows referrals from the closest known zone. It returns the last zone
// reached, and what was heard there; if nothing leads on, h is empty. It ends, as
// each zone is below the one before.
func (w *walk) descend(ctx context.Context, q question, depth int) (d delegation, h heard, failure Failure) {
	d = w.r.closest(q.name)
	for {
		child, h, failed := w.oneCut(ctx, d, q, depth)
		switch {
		case child.zone != "":
			d = child
		case h.answer.Outcome == NoName && w.onlyDelegates(d, q.name):
			return d, heard{}, Failure{
				Outcome: NoName, At: bare(d.zone), NegativeTTL: h.answer.TTL,
				Text: fmt.Sprintf("the zone %s has no delegation on the way to %s (NXDOMAIN)", bare(d.zone), bare(q.name)),
			}
		case h.leads():
			return d, h, Failure{}
		default:
			return w.stuck(ctx, d, q, failed)
		}
	}
}

// onlyDelegates tells whether a zone is one that passes names on and holds none
// itself. That cannot be known for sure: the root and top-level domains are taken
// for such, unless their servers are configured.
func (w *walk) onlyDelegates(d delegation, name string) bool {
	_, configured := w.r.fixed[d.zone]
	return dns.CountLabel(d.zone) <= 1 && d.zone != name && !configured
}

// stuck is the end of a walk in a zone whose servers all fail. A zone that may
// hold the name is returned as if found, so that each of its servers is heard.
func (w *walk) stuck(ctx context.Context, d delegation, q question, failed []heard) (delegation, heard, Failure) {
	w.r.outdated(d) // it may have been delegated anew
	counts := map[Outcome]int{}
	var texts []string
	for _, h := range failed {
		if h.answer.Outcome == unasked {
			w.limit(h.answer.Detail)
			continue
		}
		counts[h.answer.Outcome]++
		texts = append(texts, h.server.String()+": "+h.answer.Detail)
	}
	switch {
	case w.onlyDelegates(d, q.name) && len(texts) > 0:
		return d, heard{}, Failure{Outcome: mostOf(counts), At: bare(d.zone), Text: stuckText(d, texts)}
	case w.cutShort(ctx):
		return delegation{}, heard{}, Failure{}
	case w.onlyDelegates(d, q.name) && len(failed) == 0:
		return d, heard{}, Failure{Outcome: Unreachable, At: bare(d.zone), Text: noIPv6}
	}
	return d, heard{}, Failure{}
}

// stuckText names some of the servers that failed.
func stuckText(d delegation, texts []string) string {
	const shown = 3
	slices.Sort(texts)
	listed := strings.Join(texts[:min(shown, len(texts))], "; ")
	if more := len(texts) - shown; more > 0 {
		listed += fmt.Sprintf("; %d more", more)
	}
	return fmt.Sprintf("no server of the zone %s gave a usable answer (%s)", bare(d.zone), listed)
}

// mostOf is the outcome that most servers share.
func mostOf(counts map[Outcome]int) Outcome {
	most := Silent
	for _, o := range []Outcome{Unreachable, Refused, Failed, Lame, Malformed, Forbidden} {
		if counts[o] > counts[most] {
			most = o
		}
	}
	return most
}

// closest is the deepest zone at or above name whose servers are known.
func (r *Resolver) closest(name string) delegation {
	for n := name; ; n = parentOf(n) {
		if d, ok := r.fixed[n]; ok {
			return d
		}
		if d, ok := r.zones.get(n); ok {
			return d
		}
		if n == "." {
			return r.roots
		}
	}
}

// learn keeps a delegation that was just read. If the zone had other servers before, who
// is beside those says nothing of these.
func (r *Resolver) learn(d delegation) delegation {
	if old, ok := r.zones.last(d.zone); ok && !old.sameServers(d) {
		r.besides.drop(d.zone)
	}
	d.read = time.Now()
	r.zones.put(d.zone, d, keepFor(d.ttl))
	return d
}

// outdated has the parent asked anew, unless somebody else did so since d was read.
func (r *Resolver) outdated(d delegation) {
	if known, ok := r.zones.get(d.zone); ok && !d.fixed && !known.read.After(d.read) {
		r.zones.expire(d.zone)
	}
}

// sameServers tells whether two delegations of a zone name the same servers, with the
// same addresses.
func (d delegation) sameServers(other delegation) bool {
	return slices.EqualFunc(d.names, other.names, func(a, b nameServer) bool {
		return a.host == b.host && len(a.at) == len(b.at) && !slices.ContainsFunc(a.at, func(at netip.AddrPort) bool { return !slices.Contains(b.at, at) })
	})
}

// lacks tells whether a delegation does not name all servers of another one.
func (d delegation) lacks(other delegation) bool {
	return slices.ContainsFunc(other.names, func(n nameServer) bool {
		return !slices.ContainsFunc(d.names, func(k nameServer) bool { return k.host == n.host })
	})
}

// oneCut asks the servers of d for q: a child, or what was heard of the name, or
// who failed. Walks that need the same child wait for the first of them once.
func (w *walk) oneCut(ctx context.Context, d delegation, q question, depth int) (child delegation, h heard, failed []heard) {
	servers, dead := w.serversToWalk(ctx, d, depth)
	if len(servers) == 0 {
		return delegation{}, heard{}, dead
	}
	if leave := w.r.zones.lead(ctx, childToward(d.zone, q.name)); leave != nil {
		defer leave()
	} else if known := w.r.closest(q.name); strictlyBelow(d.zone, known.zone) {
		return known, heard{}, nil
	}
	h, failed = w.race(ctx, d.zone, servers, q)
	if h.answer.Outcome == NoName && (q.qtype != dns.TypeSOA || w.onlyDelegates(d, q.name)) {
		h = w.secondOpinion(ctx, d.zone, servers, q, h)
	}
	if h.child.zone != "" {
		h.child = w.r.learn(h.child)
	}
	return h.child, h, append(failed, dead...)
}

// secondOpinion asks another server, if there is one, before a denial ends a walk:
// one server that is behind, or broken, must not make a name vanish. Whoever knows
// the name is believed. (A denial that does not end the walk needs none, as then
// every server of the zone is asked.)
func (w *walk) secondOpinion(ctx context.Context, zone string, servers []Server, q question, first heard) heard {
	others := slices.DeleteFunc(slices.Clone(servers), func(s Server) bool {
		return s.Address == first.server.Address || s.Name != "" && s.Name == first.server.Name
	})
	if second, _ := w.race(ctx, zone, others, q); second.leads() {
		return second
	}
	return first
}

// showsBelow tells whether the answer comes from a zone below the one that was asked.
func (h heard) showsBelow(zone string) bool {
	return h.soa != nil && strictlyBelow(zone, canonical(h.soa.Hdr.Name))
}

// hiddenCut is a zone that showed itself only by its SOA, because a server of the parent
// holds it too. A second server of the parent is asked, as one that answers for whatever
// it is asked, or has a copy of old, makes no cut: the name is the parent's if that one
// has no delegation either. Where nobody delegates, the servers are those that the zone
// names itself, and those that showed it; else see askBeside.
func (w *walk) hiddenCut(ctx context.Context, parent delegation, h heard, name string, depth int) delegation {
	zone := canonical(h.soa.Hdr.Name)
	if known, ok := w.r.zones.get(zone); ok {
		return known
	}
	servers, _ := w.serversToWalk(ctx, parent, depth)
	second := w.secondOpinion(ctx, parent.zone, servers, question{name: name, qtype: dns.TypeSOA}, h)
	switch {
	case second.child.zone != "":
		return w.r.learn(second.child)
	case !second.showsBelow(parent.zone):
		return parent
	}
	d := delegation{zone: zone, names: parent.names, ttl: parent.ttl, fixed: parent.fixed}
	if w.spend() {
		r := w.ask(ctx, h.server, question{name: zone, qtype: dns.TypeNS})
		if r.msg != nil && r.msg.Authoritative && r.msg.Rcode == dns.RcodeSuccess {
			named, ok := delegationIn(r.msg.Answer, r.msg.Extra, parent.zone, w.r.port, func(owner string) bool { return owner == zone })
			if ok {
				d = named
			}
		}
	}
	if !parent.fixed {
		d.join(delegation{names: namesOf(slices.Compact([]Server{h.server, second.server}))})
	}
	return w.r.learn(d)
}
