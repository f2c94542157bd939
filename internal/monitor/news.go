package monitor

import (
	"slices"
	"time"

	"driftprobe/internal/inventory"
)

// newsFor is how long a change of a Service makes its balancers ones to ask for by
// themselves: until the next list has them.
const newsFor = time.Minute

// headline is a balancer whose Service has changed.
type headline struct {
	id string
	at time.Time
}

// compared finds what changed in what Services say of their load balancers. It returns
// them with the time at which that was seen, and the ids of the balancers that they
// named before and name now. Whether there was anything before is for the caller to say:
// at the first reading nothing has changed.
func compared(before, services []inventory.Service, now time.Time) (dated []inventory.Service, ids []string, changed bool) {
	was := make(map[inventory.ServiceRef]inventory.Service, len(before))
	for _, s := range before {
		was[s.ServiceRef] = s
	}
	dated = slices.Clone(services)
	for i, s := range dated {
		old, had := was[s.ServiceRef]
		delete(was, s.ServiceRef)
		if had && old.SameBalancer(s) {
			dated[i].Changed = old.Changed
			continue
		}
		dated[i].Changed, changed = now, true
		ids = append(ids, s.BalancerID, old.BalancerID)
	}
	for _, gone := range was {
		ids, changed = append(ids, gone.BalancerID), true
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
	return dated, ids, changed
}

// report adds balancers to the news, and drops what is none any more.
func (l *loop) report(ids []string, now time.Time) {
	l.news = slices.DeleteFunc(l.news, func(h headline) bool { return slices.Contains(ids, h.id) || now.Sub(h.at) >= newsFor })
	for _, id := range ids {
		l.news = append(l.news, headline{id, now})
	}
}

// inTheNews are the balancers to ask for, the latest first.
func (l *loop) inTheNews() []string {
	var ids []string
	for _, h := range slices.Backward(l.news) {
		ids = append(ids, h.id)
	}
	return ids
}
