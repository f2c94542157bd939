package diagnose

import (
	"cmp"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// host is all that is known about one hostname. Nothing in it changes once the view
// is made.
type host struct {
	name    string
	targets []*target
	// expected is what the name should publish: what its targets expect together.
	expected *inventory.Expected
	// front names what should be in front of it: its Service, or its set of pinned
	// addresses; else the host stands for itself.
	front string
	// dns is the newest look at its records, an empty one unless looked, and seen and
	// denied are its history.
	dns    *dnscheck.Observation
	looked bool
	seen   []dnscheck.Sighting
	denied []dnscheck.Denial
	// published are the addresses that its clients can be given.
	published []netip.Addr
	// strangers is what probes met at published addresses that are not expected.
	strangers map[netip.Addr]dnscheck.Stranger
}

// target is one URL of a host: what is expected of it, and what probes of it met.
type target struct {
	*inventory.Target
	expected inventory.Expected
	probes   []probe.Observation
}

// gather makes the hosts of the inventory, in order, each with what was seen of it.
func (v *view) gather() {
	targets := make([]target, len(v.snap.Inventory.Targets))
	inOrder := make([]*target, len(targets))
	byKey := make(map[string]*target, len(targets))
	for i := range targets {
		t := &targets[i]
		t.Target = &v.snap.Inventory.Targets[i]
		inOrder[i], byKey[t.Key] = t, t
	}
	slices.SortStableFunc(inOrder, func(a, b *target) int { return cmp.Compare(a.Host, b.Host) })
	all := make([]host, 0, len(targets)) // never more, so that their addresses stay
	nothing := &dnscheck.Observation{}   // of a host that was not looked at
	v.hosts = make([]*host, 0, len(targets))
	for len(inOrder) > 0 {
		n := 1
		for n < len(inOrder) && inOrder[n].Host == inOrder[0].Host {
			n++
		}
		all = append(all, host{name: inOrder[0].Host, targets: inOrder[:n:n], dns: nothing})
		h := &all[len(all)-1]
		v.byName[h.name], v.hosts = h, append(v.hosts, h)
		inOrder = inOrder[n:]
	}
	for i := range v.snap.Observations.DNS {
		o := &v.snap.Observations.DNS[i]
		if h := v.byName[o.Host]; h != nil {
			h.dns, h.looked = o, true
		}
	}
	for name, seen := range v.snap.History.Records.ByHost() {
		if h := v.byName[name]; h != nil {
			h.seen = seen
		}
	}
	probes := v.snap.Observations.Probes
	for len(probes) > 0 {
		n := 1
		for n < len(probes) && probes[n].Target == probes[0].Target {
			n++
		}
		if t := byKey[probes[0].Target]; t != nil {
			// Of a target that stands in several places the whole is copied together.
			if t.probes == nil {
				t.probes = probes[:n:n]
			} else {
				t.probes = append(t.probes, probes[:n]...)
			}
		}
		probes = probes[n:]
	}
}

// expect says what each target of a host should meet, and the host publish.
func (v *view) expect(h *host) {
	for _, t := range h.targets {
		t.expected = lbcheck.Expect(&v.world, v.fronts, t.Target)
	}
	h.agree()
	h.front = h.expected.Fronts()
	if h.front == "" {
		h.front = cmp.Or(strings.Join(texts(h.expected.Addresses), ","), h.name)
	}
}

// recall finds what is remembered of a host, and what follows from it for the newest
// looks.
func (v *view) recall(h *host) {
	h.denied = v.snap.History.Records.DeniedOf(h.name)
	h.published = dnscheck.Published(*h.dns, h.seen)
	for _, t := range h.targets {
		// What was looked at as the target's own may be a stranger's by now.
		turned := func(o probe.Observation) bool {
			return !o.Stranger && t.expected.Known && !t.expected.Accepts(o.Address.Addr())
		}
		if slices.ContainsFunc(t.probes, turned) {
			t.probes = slices.Clone(t.probes) // the Snapshot is not ours to change
			for i, o := range t.probes {
				t.probes[i].Stranger = o.Stranger || turned(o)
			}
		}
	}
	h.strangers = v.strangers(h)
	h.awaitStrangers()
}

// of is what is known about a name: little, if no target has it.
func (v *view) of(name string) *host {
	if h := v.byName[name]; h != nil {
		return h
	}
	return &host{name: name, front: name, expected: &inventory.Expected{}, dns: &dnscheck.Observation{}}
}

// eachHost does the same for every host, on all cores: what is done for one concerns
// no other.
func (v *view) eachHost(do func(i int, h *host)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(v.hosts)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(v.hosts); i = int(next.Add(1)) - 1 {
				do(i, v.hosts[i])
			}
		})
	}
	all.Wait()
}

// names are the hosts' names, in their order.
func names(hosts []*host) []string {
	all := make([]string, 0, len(hosts))
	for _, h := range hosts {
		all = append(all, h.name)
	}
	return all
}
