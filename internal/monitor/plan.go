package monitor

import (
	"cmp"
	"net/netip"
	"slices"

	"driftprobe/dnscheck"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// maxAddresses bounds the addresses that are probed for one target.
const maxAddresses = diagnose.MaxProbed

// probeKey identifies a probe: one address of one target.
type probeKey struct {
	target  string
	address netip.AddrPort
}

func (k probeKey) compare(l probeKey) int {
	return cmp.Or(cmp.Compare(k.target, l.target), k.address.Compare(l.address))
}

// step is one probe of a plan. It is kept for each address, and so it is small.
type step struct {
	// target lies in the inventory.
	target  *inventory.Target
	address netip.AddrPort
	// stranger, pinned and bypass are those of the request.
	stranger, pinned bool
	bypass           *probe.Bypass
	// trusted: the address is the load balancer's for certain, and not by the word of
	// whoever can write an object, so that the target's secret headers may be sent
	// there.
	trusted bool
}

func (s step) key() probeKey { return probeKey{s.target.Key, s.address} }

// request is without what is secret.
func (s step) request() probe.Request {
	return probe.Request{Target: *s.target, Address: s.address, Stranger: s.stranger, Pinned: s.pinned, Bypass: s.bypass}
}

// plan says which addresses to probe for the targets, and how. The order is that
// of the targets, then of the addresses.
//
//   - an expected address gets the whole probe, with the target's headers;
//   - one that is expected by one of two sources, or allowed, gets it without;
//   - one that is published and not accepted is a stranger; but if nobody can say
//     what is right, it is all that clients have, and gets the probe without headers.
//
// If there are more than maxAddresses, those stay that were named first in this
// list, and among equals the lower ones.
func plan(targets []inventory.Target, expected map[string]inventory.Expected, dns map[string]dnscheck.Observation, seen dnscheck.History) []step {
	chosen := make([][]netip.Addr, len(targets))
	total := 0
	for i, t := range targets {
		chosen[i] = addresses(expected[t.Key], dnscheck.Published(dns[t.Host], seen.Of(t.Host)))
		total += len(chosen[i])
	}
	steps := make([]step, 0, total) // they are kept
	for i := range targets {
		e := expected[targets[i].Key]
		for _, a := range chosen[i] {
			steps = append(steps, stepTo(&targets[i], e, a))
		}
	}
	return steps
}

// addresses are those to probe for one target, in order.
func addresses(e inventory.Expected, published []netip.Addr) []netip.Addr {
	var accepted, strangers, chosen []netip.Addr
	for _, a := range published {
		if e.Known && !e.Accepts(a) {
			strangers = append(strangers, a)
		} else {
			accepted = append(accepted, a)
		}
	}
	for _, group := range [][]netip.Addr{e.Addresses, e.Uncertain, accepted, strangers} {
		for _, a := range slices.SortedFunc(slices.Values(group), netip.Addr.Compare) {
			if len(chosen) < maxAddresses && a.IsValid() && !slices.Contains(chosen, a) {
				chosen = append(chosen, a)
			}
		}
	}
	slices.SortFunc(chosen, netip.Addr.Compare)
	return chosen
}

func stepTo(t *inventory.Target, e inventory.Expected, a netip.Addr) step {
	return step{
		target:   t,
		address:  netip.AddrPortFrom(a, t.Port),
		stranger: e.Known && !e.Accepts(a),
		pinned:   slices.Contains(t.Addresses, a),
		trusted:  e.Has(a) && !slices.Contains(e.Told, a),
	}
}
