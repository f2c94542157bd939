package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Former is what a server says that a zone had. It is no part of what is published.
type Former struct {
	Answer
	// Until is when the last cache has dropped the NS records that name the server. What
	// it has read there just before lasts for its own TTL from then.
	Until time.Time `json:"until"`
}

// keepQuiet is for how long a server that a zone had is left alone once it says nothing
// of the zone, as most do that a zone has left.
const keepQuiet = 10 * time.Minute

// Recall takes over what a History remembers of the servers that zones have and had. Call
// it before the first look.
func (r *Resolver) Recall(servings []Serving) {
	for len(servings) > 0 {
		zone, n := servings[0].Zone, 1
		for n < len(servings) && servings[n].Zone == zone {
			n++
		}
		r.servings.put(zone, slices.Clone(servings[:n]), longestServing)
		servings = servings[n:]
	}
}

// reckon notes the servers that a look met, and returns those that the zone had, which
// caches still ask. whole is set if the look met all that the delegation names.
func (w *walk) reckon(s *Step, d delegation, met []Server, whole bool) []Serving {
	beside, complete := w.r.besides.get(d.zone)
	for _, n := range beside.names {
		for _, at := range n.at {
			met = append(met, Server{Name: bare(n.host), Address: at})
		}
	}
	known, _ := w.r.servings.get(s.Zone)
	if whole && complete {
		s.NSTTL = max(d.ttl, beside.ttl)
		known = succeed(known, Serving{Zone: s.Zone, Servers: met, TTL: s.NSTTL, LastSeen: w.began})
		w.r.servings.put(s.Zone, known, longestServing)
	}
	var had []Serving
	for _, k := range known {
		k.Servers = slices.DeleteFunc(slices.Clone(k.Servers), func(server Server) bool {
			return metAt(met, server.Address) || w.r.isQuiet(s.Zone, server)
		})
		if !k.Gone.IsZero() && k.Until.After(w.began) {
			had = append(had, k)
		}
	}
	return had
}

func quietKey(zone string, s Server) string { return zone + " " + s.Address.String() }

func (r *Resolver) isQuiet(zone string, s Server) bool {
	quiet, _ := r.quiet.get(quietKey(zone, s))
	return quiet
}

// askFormer asks the servers that the zone had what they say of the name, as far as room
// is left: they and the zone's own are together no more than the latter may be. What they
// say that a server of the zone says too is left out.
func (w *walk) askFormer(ctx context.Context, s *Step, d delegation, had []Serving, name string, first bool) {
	until := map[netip.AddrPort]time.Time{}
	var all []Server
	for _, k := range had {
		for _, server := range k.Servers {
			until[server.Address] = k.Until
			all = append(all, server)
		}
	}
	servers, _ := w.split(delegation{zone: d.zone}, namesOf(all))
	servers = servers[:min(len(servers), max(0, serverLimit-len(s.servers())))]
	if !first {
		servers = w.spare(servers)
	}
	var mu sync.Mutex
	var asked sync.WaitGroup
	speaks := map[Server]bool{}
	for _, server := range servers {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			w.do(&asked, func() {
				a, _ := w.askOne(ctx, d.zone, server, question{name: name, qtype: qtype})
				mu.Lock()
				defer mu.Unlock()
				if a.Outcome.Speaks() {
					speaks[server] = true
					s.Former = append(s.Former, Former{a, until[server.Address]})
				}
			})
		}
	}
	asked.Wait()
	for _, server := range servers {
		if !speaks[server] && ctx.Err() == nil {
			w.r.quiet.put(quietKey(s.Zone, server), true, keepQuiet)
		}
	}
	s.Former = slices.DeleteFunc(s.Former, func(f Former) bool {
		return slices.ContainsFunc(s.Answers, func(a Answer) bool { return a.Type == f.Type && sameData(&a, &f.Answer) })
	})
	slices.SortStableFunc(s.Former, func(a, b Former) int { return compareAnswers(a.Answer, b.Answer) })
	for _, f := range s.Former {
		if f.Outcome == Alias {
			w.follow(ctx, canonical(f.Target))
		}
	}
}
