package lbcheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/internal/inventory"
)

// World is all that is known about load balancers at one moment.
type World struct {
	Inventory inventory.Inventory
	Clouds    []Observation
	History   History
	// Published holds what the DNS gives for each hostname that stands in a
	// Service's status; a name that could not be resolved is absent.
	Published map[string][]netip.Addr
	// Recent holds what those hostnames gave not long ago, the present included.
	Recent map[string][]netip.Addr
	// Alive are addresses at which a probe that crossed the load balancer was served
	// as a client is; Dead those where such probes met nobody.
	Alive, Dead []netip.Addr

	indexed bool
	index   map[inventory.ServiceRef][]netip.Addr // History.former, if indexed
	others  []netip.Addr                          // elsewhere, if indexed
}

// Indexed returns the same world, ready for many targets: each asks for the addresses
// that Services had, and for those of other load balancers.
func (w World) Indexed() World {
	w.index, w.others = w.History.former(), w.elsewhere()
	w.indexed = true
	return w
}

func (w *World) former() map[inventory.ServiceRef][]netip.Addr {
	if w.indexed {
		return w.index
	}
	return w.History.former()
}

// Front is the join of what Kubernetes and the cloud say about one Service's load
// balancer.
type Front struct {
	Service inventory.Service
	// Addresses are certain, Uncertain ones are named by one of two sources only.
	Addresses, Uncertain []netip.Addr
	// Known tells whether an address that stands in neither list is certainly not
	// the balancer's; Why says why not.
	Known bool
	Why   string
	// Balancer is the cloud's own entry, if it was found, and Provider its cloud.
	// Listed is when the cloud was asked for it; zero if the cloud fails now.
	Balancer *Balancer
	Provider string
	Listed   time.Time
	// Outdated: the cloud was asked before the Service changed, so the two are not of
	// one moment and do not disagree.
	Outdated bool
	// Twins: several balancers have the name by which the controller finds this one.
	Twins []Balancer
	// Lost: the cloud's list is complete and has no such balancer although the
	// Service names it by id.
	Lost bool
	// Slipped: one list alone lacks it so far, and it still answers.
	Slipped bool
	// Missed is when a list first lacked the balancer that the Service names; zero if
	// the newest has it.
	Missed time.Time
	// Absent: the Service is not in the inventory any more, though it was once.
	Absent bool
}

// Join makes one Front for each Service that is known, also for those that only
// the history knows. The map's values are independent of the order of the inputs.
func Join(w World) map[inventory.ServiceRef]Front {
	fronts := make(map[inventory.ServiceRef]Front, len(w.Inventory.Services))
	for _, s := range w.Inventory.Services {
		fronts[s.ServiceRef] = w.join(s)
	}
	if _, gap := w.gap(); gap {
		return fronts
	}
	for ref := range w.former() {
		if _, there := fronts[ref]; !there && !w.leftAlone(ref) {
			fronts[ref] = Front{
				Service: inventory.Service{ServiceRef: ref}, Absent: true,
				Why: "the Service " + ref.String() + " is gone",
			}
		}
	}
	return fronts
}

// leftAlone tells whether the Service asks not to be looked at.
func (w *World) leftAlone(ref inventory.ServiceRef) bool {
	return slices.ContainsFunc(w.Inventory.LeftAlone, func(s inventory.Service) bool { return s.ServiceRef == ref })
}

// gap returns the hole in the list of Services, if there is one.
func (w *World) gap() (inventory.Gap, bool) {
	for _, g := range w.Inventory.Gaps {
		if g.Source == "kubernetes" && g.Covers("services") {
			return g, true
		}
	}
	return inventory.Gap{}, false
}

func (w *World) join(s inventory.Service) Front {
	f := Front{Service: s}
	cloud, balancer, found := w.find(s)
	if found {
		f.Balancer, f.Provider = &balancer, cloud.Provider
		if cloud.Failure == "" {
			f.Listed = later(cloud.At, balancer.At)
			f.Outdated = f.Listed.Before(s.Changed)
		}
	} else {
		f.Twins = w.twins(s)
	}
	held, emptied := w.emptied(s)
	slid, slipped := w.slipped(s)
	gap, stale := w.gap()
	switch {
	case stale:
		// A held list of Services is no source to disagree with, nor to accuse by: the
		// Service may have another load balancer by now, or none.
		f.Uncertain, f.Why = union(s.Addresses, balancer.Addresses), "the Services could not be read: "+gap.Why
	case found && balancer.Internal:
		// The cloud knows no public address of it: the status is all there is.
		f.declared(s, w)
	case found && cloud.Failure == "":
		f.compare(s, balancer)
	case w.failing() != "" && (found || s.BalancerID != "" || len(s.Hostnames) > 0):
		f.held(s, balancer, w.failing())
	case emptied:
		f.held(s, Balancer{Addresses: held}, suddenlyEmpty)
	case slipped:
		f.held(s, Balancer{Addresses: slid}, slippedOut)
		f.Slipped, f.Missed = true, w.oldestList()
	case len(f.Twins) > 0:
		f.Uncertain, f.Why = s.Addresses, fmt.Sprintf("%d load balancers of the account are called %q", len(f.Twins), s.BalancerName)
	case s.BalancerID != "" && len(w.Clouds) > 0:
		f.Lost, f.Uncertain = w.listedSince(s), s.Addresses
		f.Missed = w.oldestList()
		f.Why = fmt.Sprintf("the cloud has no load balancer %s", s.BalancerID)
		if !f.Lost {
			f.Why = fmt.Sprintf("the cloud's list is older than the load balancer %s", s.BalancerID)
		}
	case s.Disowned:
		f.Uncertain, f.Why = s.Addresses, "the Service "+s.String()+" is disowned, so nobody keeps its status up to date, and no cloud says where its load balancer is"
	default:
		f.declared(s, w)
	}
	if !f.Known && f.Why == "" {
		f.Why = "the load balancer of " + s.String() + " has no address yet"
	}
	// Copies: what was observed is not ours to sort.
	f.Addresses, f.Uncertain = sorted(f.Addresses), sorted(f.Uncertain)
	return f
}

// declared takes the status alone for the truth. A hostname in it that could not
// be resolved leaves the whole unknown.
func (f *Front) declared(s inventory.Service, w *World) {
	all := s.Addresses
	for _, h := range s.Hostnames {
		addrs := w.Published[h]
		if len(addrs) == 0 {
			f.Uncertain = s.Addresses
			f.Why = fmt.Sprintf("the hostname %s of %s could not be resolved", h, s)
			return
		}
		all = union(all, addrs)
		f.Uncertain = union(f.Uncertain, w.Recent[h])
	}
	f.Addresses, f.Uncertain, f.Known = all, without(f.Uncertain, all), len(all) > 0
}

// listedSince tells whether every cloud's list is newer than the Service and than
// the last moment at which its balancer was known. A list from before can lack a
// balancer that was made in the meantime; it proves no loss.
func (w *World) listedSince(s inventory.Service) bool {
	// The Service's own date has whole seconds.
	last := later(s.Created.Add(time.Second), s.Changed)
	for _, seen := range w.History.Of(s.ServiceRef) {
		if seen.Balancer != s.BalancerID && seen.LastSeen.After(last) {
			last = seen.LastSeen
		}
	}
	for _, c := range w.Clouds {
		if c.At.Before(last) {
			return false
		}
	}
	return true
}

// find looks for the Service's balancer: by id, else by the name that the cloud's
// controller gives it; of several of that name it is the one where the status says.
func (w *World) find(s inventory.Service) (Observation, Balancer, bool) {
	for _, c := range w.Clouds {
		for _, b := range c.Balancers {
			if s.BalancerID != "" && b.ID == s.BalancerID {
				return c, b, true
			}
		}
	}
	if s.BalancerID != "" || s.BalancerName == "" {
		return Observation{}, Balancer{}, false
	}
	in, match := w.named(s.BalancerName)
	if len(match) > 1 {
		for i := range match {
			if len(s.Addresses) > 0 && len(without(s.Addresses, match[i].Addresses)) == 0 {
				return in[i], match[i], true
			}
		}
	}
	if len(match) != 1 {
		return Observation{}, Balancer{}, false
	}
	return in[0], match[0], true
}

// named returns the balancers of a name, by id, with their clouds. Two tokens of one
// account list the same balancer twice.
func (w *World) named(name string) (in []Observation, match []Balancer) {
	for _, c := range w.Clouds {
		for _, b := range c.Balancers {
			if b.Name == name && !slices.ContainsFunc(match, func(m Balancer) bool { return m.ID == b.ID }) {
				in, match = append(in, c), append(match, b)
			}
		}
	}
	return in, match
}

// twins are the balancers that a Service without an id may mean, if that is several.
func (w *World) twins(s inventory.Service) []Balancer {
	if s.BalancerID != "" || s.BalancerName == "" {
		return nil
	}
	_, match := w.named(s.BalancerName)
	if len(match) < 2 {
		return nil
	}
	slices.SortStableFunc(match, func(a, b Balancer) int { return cmp.Compare(a.ID, b.ID) })
	return match
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// compare holds the status against the cloud's entry, each family on its own: a
// family that the status leaves out altogether is taken from the cloud.
func (f *Front) compare(s inventory.Service, b Balancer) {
	for _, v4 := range []bool{true, false} {
		declared, running := family(s.Addresses, v4), family(b.Addresses, v4)
		if len(declared) == 0 {
			f.Addresses = append(f.Addresses, running...)
			continue
		}
		for _, a := range union(declared, running) {
			if slices.Contains(declared, a) && slices.Contains(running, a) {
				f.Addresses = append(f.Addresses, a)
			} else {
				f.Uncertain = append(f.Uncertain, a)
			}
		}
	}
	f.Known = len(f.Addresses)+len(f.Uncertain) > 0
}

// held judges with the cloud's last complete list: it counts only where the
// status, which is fresh, says the same.
func (f *Front) held(s inventory.Service, b Balancer, failure string) {
	for _, a := range union(s.Addresses, b.Addresses) {
		if slices.Contains(s.Addresses, a) && slices.Contains(b.Addresses, a) {
			f.Addresses = append(f.Addresses, a)
		} else {
			f.Uncertain = append(f.Uncertain, a)
		}
	}
	f.Known = len(f.Addresses) > 0 && len(f.Uncertain) == 0
	if !f.Known {
		f.Why = "the cloud's load balancers could not be read: " + failure
	}
}

func (w *World) failing() string {
	for _, c := range w.Clouds {
		if c.Failure != "" {
			return c.Failure
		}
	}
	return ""
}

func family(addrs []netip.Addr, v4 bool) []netip.Addr {
	var same []netip.Addr
	for _, a := range addrs {
		if a.Is4() == v4 {
			same = append(same, a)
		}
	}
	return same
}

func union(a, b []netip.Addr) []netip.Addr {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

// without returns the addresses of a that are not in b.
func without(a, b []netip.Addr) []netip.Addr {
	var rest []netip.Addr
	for _, x := range a {
		if !slices.Contains(b, x) {
			rest = append(rest, x)
		}
	}
	return rest
}
