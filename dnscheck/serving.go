package dnscheck

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Serving are servers of a zone: those that it has, or some that it had. Caches go on
// asking the latter until they have dropped the NS records that name them, whatever the
// zone's servers of now say.
type Serving struct {
	// Zone has no final dot; "." is the root.
	Zone    string   `json:"zone"`
	Servers []Server `json:"servers"`
	// TTL is that of the NS records in seconds: the larger of the parent's and the zone's.
	TTL      uint32    `json:"ttl"`
	LastSeen time.Time `json:"last_seen"`
	// Gone is when the zone was first seen to be without them; zero while it has them.
	Gone time.Time `json:"gone,omitzero"`
	// Until is when the last cache has dropped the records that name them, if the zone is
	// without them since Gone, or else since LastSeen. A TTL that was longer counts.
	Until time.Time `json:"until"`
}

const (
	// longestServing is for how long at most servers that a zone had are asked, whatever
	// the TTL: two days is what top-level domains say.
	longestServing = 48 * time.Hour
	// maxServed bounds the addresses remembered of the servers that a zone has, and of
	// those that it had.
	maxServed = 8
	// maxServings bounds what the History remembers of all zones, in bytes of JSON.
	maxServings = 1 << 20
	// servingsShare of a history that is cut to a size is left to them.
	servingsShare = 8
)

// succeed returns what is known of a zone after a look that met the servers of now, and
// no others. The first has no Gone; those that follow are what the zone had, the last
// that went before the others. A server without an address in now has those that its
// name had before. old is not changed.
func succeed(old []Serving, now Serving) []Serving {
	at := now.LastSeen
	met := now.Servers
	now.Servers = nil
	for _, s := range met {
		if s.Address.IsValid() && !metAt(now.Servers, s.Address) {
			now.Servers = append(now.Servers, s)
		}
	}
	now.Until = at.Add(nsCached(now.TTL))
	var had []Serving
	for _, s := range old {
		switch {
		case s.LastSeen.Sub(at) > skew || s.Gone.Sub(at) > skew:
			continue // remembered by a clock that was ahead
		case s.Gone.IsZero() && s.LastSeen.After(at):
			return old // this look was earlier
		case s.Gone.IsZero():
			now.Until = later(now.Until, s.Until)
			s.Gone, s.Until = at, later(s.Until, at.Add(nsCached(s.TTL)))
			for _, server := range s.Servers {
				if !metAt(met, server.Address) && unfound(met, server.Name) {
					now.Servers = append(now.Servers, server)
				}
			}
		}
		s.Servers = slices.DeleteFunc(slices.Clone(s.Servers), func(server Server) bool {
			return metAt(met, server.Address) || unfound(met, server.Name)
		})
		if len(s.Servers) > 0 && s.Until.After(at) {
			had = append(had, s)
		}
	}
	now.Servers = fewServers(now.Servers, maxServed)
	slices.SortStableFunc(had, func(a, b Serving) int { return b.Gone.Compare(a.Gone) })
	next, room := []Serving{now}, maxServed
	for _, s := range had {
		if s.Servers = fewServers(s.Servers, room); len(s.Servers) > 0 {
			next = append(next, s)
			room -= len(s.Servers)
		}
	}
	return next
}

// nsCached is for how long caches are taken to go to the servers that records with that
// TTL name.
func nsCached(ttl uint32) time.Duration { return min(seconds(ttl), longestServing) }

func metAt(met []Server, at netip.AddrPort) bool {
	return slices.ContainsFunc(met, func(s Server) bool { return s.Address == at })
}

// unfound tells whether no address was found for the name of a server that the zone has.
func unfound(met []Server, name string) bool {
	return name != "" && slices.ContainsFunc(met, func(s Server) bool { return s.Name == name && !s.Address.IsValid() })
}

// fewServers takes at most n of servers: one of each name before the second of any.
func fewServers(servers []Server, n int) []Server {
	nth := func(i int) int {
		count := 0
		for _, s := range servers[:i] {
			if s.Name == servers[i].Name {
				count++
			}
		}
		return count
	}
	if len(servers) <= n {
		return servers
	}
	order := make([]int, len(servers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(nth(a), nth(b)) })
	few := make([]Server, 0, n)
	for _, i := range order[:n] {
		few = append(few, servers[i])
	}
	slices.SortStableFunc(few, compareServers)
	return few
}

// serve updates what is known of the zones that were looked at. Of several looks at one
// zone the last counts.
func (h History) serve(inTime []Observation, newest time.Time) []Serving {
	type sight struct {
		step *Step
		at   time.Time
	}
	last := map[string]sight{}
	for i := range inTime {
		for k := range inTime[i].Steps {
			if s := &inTime[i].Steps[k]; s.NSTTL > 0 {
				last[s.Zone] = sight{s, inTime[i].At}
			}
		}
	}
	zones := map[string][]Serving{}
	for _, s := range h.Servings {
		zones[s.Zone] = append(zones[s.Zone], s)
	}
	for zone, seen := range last {
		now := Serving{Zone: zone, Servers: seen.step.servers(), TTL: seen.step.NSTTL, LastSeen: seen.at}
		zones[zone] = succeed(zones[zone], now)
	}
	var all []Serving
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		for _, s := range zones[zone] {
			if s.matters(newest) {
				all = append(all, s)
			}
		}
	}
	return boundServings(all, maxServings)
}

// servers are those that were asked, each address once, and the names for which no address
// was found.
func (s *Step) servers() []Server {
	all := slices.Clone(s.Beside)
	for _, a := range s.Answers {
		if !slices.Contains(all, a.Server) {
			all = append(all, a.Server)
		}
	}
	return all
}

// matters tells whether a serving need be remembered at a moment.
func (s Serving) matters(at time.Time) bool {
	if s.Gone.IsZero() {
		return at.Sub(s.LastSeen) < keep
	}
	return s.Until.After(at)
}

// boundServings forgets what is more than most bytes, in place: first the servers that zones
// have, as more looks will meet them, then those that went first. The order stays.
func boundServings(all []Serving, most int) []Serving {
	size := 0
	for _, s := range all {
		size += s.bytes()
	}
	if size <= most {
		return all
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(all[i].Gone.Compare(all[j].Gone), all[i].LastSeen.Compare(all[j].LastSeen))
	})
	forgotten := make([]bool, len(all))
	for _, i := range order {
		if size <= most {
			break
		}
		forgotten[i] = true
		size -= all[i].bytes()
	}
	return without(all, forgotten)
}

// Sizes of parts in JSON: see history_bound.go.
const (
	servingBytes = 60
	serverBytes  = 90 // an address of IPv6 with its port
)

// bytes estimates the size in the state file, from above.
func (s Serving) bytes() int {
	n := servingBytes + textBytes(s.Zone) + 3*timeBytes
	for _, server := range s.Servers {
		n += serverBytes + textBytes(server.Name)
	}
	return n
}
