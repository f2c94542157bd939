package diagnose

import (
	"fmt"
	"net/netip"
	"slices"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// answering says how many of the hosts the expected addresses answer for.
func (v *view) answering(e inventory.Expected, hosts []string) string {
	good, looked := v.answers(e, hosts)
	who := ", "
	if v.bypassed(e) {
		who = ", its ingress controller "
	}
	switch {
	case looked == 0:
		return ""
	case good == len(hosts) && good > 1:
		return fmt.Sprintf("%sanswers correctly for all %d hostnames", who, good) + v.unseenIPv6(e, hosts)
	case good == len(hosts):
		return who + "answers correctly" + v.unseenIPv6(e, hosts)
	case good == 0:
		return who + "does not answer correctly"
	}
	return fmt.Sprintf("%sanswers correctly for %d of %s", who, good, finding.Count(len(hosts), "hostname", "hostnames"))
}

// unseenIPv6 qualifies a praise: a machine without IPv6 has looked at IPv4 alone.
func (v *view) unseenIPv6(e inventory.Expected, hosts []string) string {
	for _, h := range hosts {
		for _, t := range v.of(h).targets {
			if slices.ContainsFunc(t.probes, func(o probe.Observation) bool {
				return o.Fault.Kind == probe.NoRoute && o.Address.Addr().Is6() && e.Has(o.Address.Addr())
			}) {
				return " over IPv4; there is no IPv6 here"
			}
		}
	}
	return ""
}

// answers counts the hosts that were looked at on every expected address, and
// those that have no finding at or above warning there.
func (v *view) answers(e inventory.Expected, hosts []string) (good, looked int) {
	bad := map[string]bool{}
	for _, f := range v.findings {
		there := f.Subject.Address == "" || has(e, f.Subject.Address)
		if fam := f.Code.Family(); there && (fam == "http" || fam == "tls" || fam == "self") && f.Severity >= finding.Unknown {
			bad[f.Subject.Host] = true
		}
	}
	for _, h := range hosts {
		if !v.of(h).probedAt(e) {
			continue
		}
		looked++
		if !bad[h] {
			good++
		}
	}
	return good, looked
}

// probedAt tells whether every target of the host was probed at an expected
// address, so that the absence of a finding means something.
func (h *host) probedAt(e inventory.Expected) bool {
	for _, t := range h.targets {
		probed := false
		for _, o := range t.probes {
			probed = probed || e.Has(o.Address.Addr()) && !blind(o)
		}
		if !probed {
			return false
		}
	}
	return len(h.targets) > 0
}

// MaxProbed bounds the addresses that one target is probed at: what the DNS publishes is
// not ours, and could be thousands.
const MaxProbed = 64

// awaitStrangers marks the strangers' addresses that a probe will look at and has not yet,
// or could not through a fault of ours: after a start the records are known first.
func (h *host) awaitStrangers() {
	room := func(t *target) bool { return len(t.probes) < MaxProbed }
	for _, a := range h.published {
		met := func(t *target) bool {
			return slices.ContainsFunc(t.probes, func(o probe.Observation) bool { return o.Address.Addr() == a && o.Fault.Kind != probe.Self })
		}
		if !h.expected.Known || h.expected.Accepts(a) || !slices.ContainsFunc(h.targets, room) || slices.ContainsFunc(h.targets, met) {
			continue
		}
		if h.strangers == nil {
			h.strangers = map[netip.Addr]dnscheck.Stranger{}
		}
		h.strangers[a] = dnscheck.Stranger{Unseen: true, Text: "not looked at yet", Owner: h.strangers[a].Owner}
	}
}

// blind tells whether the probe says nothing about the target, through a limit or
// fault of ours.
func blind(o probe.Observation) bool {
	switch o.Fault.Kind {
	case probe.Forbidden, probe.Self:
		return true
	case probe.NoRoute:
		return o.Address.Addr().Is6()
	}
	return false
}

// addrOf reads an address out of a subject; a text that holds none (a snapshot from
// elsewhere can say anything) gives the zero Addr, which equals no real one.
func addrOf(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a
}
