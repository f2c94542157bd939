package diagnose

import (
	"fmt"
	"net/netip"
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// bypassed tells whether the probes of the expected addresses went past the load
// balancer, straight to the pods.
func (v *view) bypassed(e inventory.Expected) bool {
	return slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return v.past[a] != probe.Bypass{} })
}

// judgeBypassed says of each Service once what the probes of its addresses really
// tested.
func (v *view) judgeBypassed() []finding.Finding {
	at := map[probe.Bypass][]string{}
	for a, b := range v.past {
		at[b] = append(at[b], a.String())
	}
	var fs []finding.Finding
	for b, addresses := range at {
		slices.Sort(addresses)
		f := finding.Finding{
			Code: finding.SelfBypassed, Severity: finding.Info,
			Subject:  finding.Subject{Namespace: b.Service.Namespace, Name: b.Service.Name},
			Summary:  fmt.Sprintf("this probe tests the ingress controller behind %s, and not its load balancer: from inside the cluster %s leads straight to the pods", b.Service, finding.List(addresses, 4)),
			Expected: "a probe that crosses the load balancer",
			Observed: "traffic to an address in Service.status does not leave the cluster",
			Hint:     "look from outside too: driftprobe --once on another machine",
			SeenAt:   addresses,
		}
		if b.ProxyProtocol {
			f.Summary += ", to whom it speaks PROXY protocol as the load balancer does"
		}
		fs = append(fs, f)
	}
	// Looks of different moments can tell two things of one Service: the first stays, and
	// that must not depend on a map.
	finding.Sort(fs)
	return fs
}

// bypassKey groups what cannot be seen from inside by what is in front; that a Service
// is bypassed at all stands alone.
func bypassKey(v *view, f finding.Finding) string {
	if f.Subject.Host == "" {
		return "service " + refOf(f).String()
	}
	return v.of(f.Subject.Host).front
}

func bypassCause(_ *view, fs []finding.Finding, hosts []string) string {
	if len(fs) == 1 {
		return fs[0].Summary
	}
	return fmt.Sprintf("what clients of %d names get cannot be seen from inside the cluster", len(hosts))
}

// witnesses are the addresses at which probes that crossed the load balancer were
// served, and those at which they met nobody.
func witnesses(os []probe.Observation) (alive, dead []netip.Addr) {
	add := func(all []netip.Addr, a netip.Addr) []netip.Addr {
		if last := len(all) - 1; last >= 0 && all[last] == a {
			return all // many names stand at one address
		}
		return append(all, a)
	}
	for i := range os {
		o := &os[i]
		if o.Stranger || o.Bypass != nil {
			continue
		}
		switch a := o.Address.Addr(); {
		case o.Answers(o.At):
			alive = add(alive, a)
		case o.Reached == probe.PhaseNone && (o.Fault.Kind == probe.Refused || o.Fault.Kind == probe.Timeout):
			dead = add(dead, a)
		}
	}
	return distinctAddrs(alive), distinctAddrs(dead)
}

func distinctAddrs(all []netip.Addr) []netip.Addr {
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
