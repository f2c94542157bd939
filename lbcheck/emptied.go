package lbcheck

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// emptyFor is how long an empty list is doubted after one that had balancers of this
// cluster, if no probe can bear witness.
const emptyFor = 10 * time.Minute

const suddenlyEmpty = "the list is suddenly empty"

// emptied tells whether a Service's balancer is missing only because the whole list
// is suddenly empty, and which addresses it had. A token of another team, or a fault
// of the API, gives an empty list too. It is doubted as long as a client is served at
// one of those addresses; it is believed once nobody is met there; and where no probe
// can tell, because it does not cross the load balancer, after emptyFor.
func (w *World) emptied(s inventory.Service) (had []netip.Addr, doubted bool) {
	if s.BalancerID == "" || s.Deleting || len(w.Clouds) == 0 {
		return nil, false
	}
	var at time.Time
	for _, c := range w.Clouds {
		if c.Failure != "" || len(c.Balancers) > 0 {
			return nil, false
		}
		at = later(at, c.At)
	}
	had, last, _ := w.lastListed(s)
	switch {
	case len(had) == 0:
		return nil, false
	case len(common(had, w.Alive)) > 0:
		return had, true
	case len(without(had, w.Dead)) == 0:
		return nil, false
	}
	return had, at.Sub(last) < emptyFor
}

// judgeEmptied tells of lists that are doubted.
func judgeEmptied(now time.Time, w World) []finding.Finding {
	var names []string
	var alive netip.Addr
	var last time.Time
	for _, s := range w.Inventory.Services {
		had, doubted := w.emptied(s)
		if !doubted {
			continue
		}
		names = append(names, s.String())
		for _, seen := range w.History.Of(s.ServiceRef) {
			last = later(last, seen.Listed)
		}
		if served := common(had, w.Alive); len(served) > 0 {
			alive = served[0]
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	why := fmt.Sprintf("%s: until %s it had the load balancers of %s", suddenlyEmpty, finding.Clock(last, now), finding.List(names, 3))
	hint := fmt.Sprintf("see whether the token is still of the account or team of this cluster; an empty list is believed when nobody answers at the addresses, or after %s", finding.Span(emptyFor))
	if alive.IsValid() {
		why += fmt.Sprintf(", and %s still answers", alive)
	}
	return []finding.Finding{degraded(w.Clouds[0].Provider, "load balancers", why, hint, true)}
}
