package lbcheck

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// twoLists is the least time between lists that count as two: those that a reload or
// another token brings close together can share a fault.
const twoLists = 30 * time.Second

const slippedOut = "the newest list lacks the load balancer, and it still answers"

// lastListed are the addresses that a Service's balancer had in the cloud's newest list
// that had it, when that was, and when a list first lacked it.
func (w *World) lastListed(s inventory.Service) (had []netip.Addr, last, missed time.Time) {
	for _, seen := range w.History.Of(s.ServiceRef) {
		if seen.Balancer != s.BalancerID || seen.Listed.IsZero() || seen.Listed.Before(last) {
			continue
		}
		if seen.Listed.After(last) {
			had, last, missed = nil, seen.Listed, seen.Missed
		}
		had = append(had, seen.Address)
	}
	return had, last, missed
}

// slipped tells whether one list alone lacks a Service's balancer, beside others, while
// the status names it and a client is served there; and which addresses it had. Pages
// of a list can slip while it is read, and an API can lag behind itself. It is believed
// when a second list lacks it too, when nobody is met at the address, or when no probe
// can tell; and at once if the API was asked for it by its id, which no newer list has
// come after.
func (w *World) slipped(s inventory.Service) (had []netip.Addr, doubted bool) {
	if s.BalancerID == "" || s.Deleting || len(w.Clouds) == 0 {
		return nil, false
	}
	had, last, missed := w.lastListed(s)
	at := w.oldestList()
	if len(common(common(had, s.Addresses), w.Alive)) == 0 || !at.After(last) {
		return nil, false
	}
	return had, missed.IsZero() || at.Sub(missed) < twoLists
}

// oldestList is when the oldest of the clouds' lists was complete.
func (w *World) oldestList() time.Time {
	var oldest time.Time
	for i, c := range w.Clouds {
		if i == 0 || c.At.Before(oldest) {
			oldest = c.At
		}
	}
	return oldest
}

// judgeSlipped tells of balancers that one list lacks.
func judgeSlipped(now time.Time, w World, fronts map[inventory.ServiceRef]Front) []finding.Finding {
	var names []string
	var at []netip.Addr
	var last time.Time
	for _, ref := range refs(fronts) {
		f := fronts[ref]
		if !f.Slipped {
			continue
		}
		had, listed, _ := w.lastListed(f.Service)
		names = append(names, fmt.Sprintf("%s (%s)", ref, f.Service.BalancerID))
		at, last = union(at, common(had, w.Alive)), later(last, listed)
	}
	if len(names) == 0 {
		return nil
	}
	why := fmt.Sprintf("the newest list lacks the load balancer of %s: until %s it was there, and %s still answers",
		finding.List(names, 3), finding.Clock(last, now), list(at))
	hint := "nothing yet: if the next list lacks it too, a minute later, or nobody answers there any more, it is believed to be gone"
	return []finding.Finding{degraded(w.Clouds[0].Provider, "load balancers", why, hint, true)}
}

// common returns the addresses of a that are in b too.
func common(a, b []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(a), func(x netip.Addr) bool { return !slices.Contains(b, x) })
}
