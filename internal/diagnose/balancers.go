package diagnose

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// balancersGone makes one incident for each load balancer that is gone, with all
// that fails behind it.
func (v *view) balancersGone() []finding.Incident {
	var all []finding.Incident
	for _, f := range v.unclaimed(is(finding.LBMissing, finding.LBPending)) {
		ref := refOf(f)
		hosts := v.behind(ref)
		failing := v.unclaimed(func(g finding.Finding) bool {
			return among(hosts, g) && is(finding.HTTPUnreachable, finding.TLSHandshake)(g)
		})
		if f.Code == finding.LBPending && len(failing) == 0 {
			continue // nobody is hurt: a Service that waits for its first address
		}
		effects := v.claim(slices.Concat([]finding.Finding{f}, failing, v.unclaimed(func(g finding.Finding) bool {
			return among(hosts, g) && g.Code == finding.DNSTTLExposure
		})))
		finding.Sort(effects)
		in := finding.Incident{
			ID: "balancer-gone:" + ref.String(), Code: f.Code, Severity: finding.Worst(effects), State: finding.Firing,
			Subject: f.Subject, Cause: f.Summary, Hosts: hosts, Effects: effects,
			Evidence: []finding.Note{
				{Label: ref.String(), Text: f.Observed},
				{Label: "so", Text: v.atRisk(ref, hosts)},
			},
			Fix: []finding.Step{{Text: f.Hint}},
		}
		if f.Severity < finding.Critical && len(failing) == 0 {
			in.Evidence[1].Text = "nothing behind it is seen to fail."
		}
		if f.Code == finding.LBPending {
			in.Evidence[0].Text = v.waiting(ref, f)
			in.Fix = append(in.Fix, finding.Step{Text: "as soon as it has an address, point the records at it"})
		}
		if published := v.publishedFor(hosts); published != "" {
			in.Evidence = slices.Insert(in.Evidence, 1, finding.Note{Label: "published", Text: published})
		}
		all = append(all, in)
	}
	return all
}

// waiting says since when a Service has no address, and which one it had.
func (v *view) waiting(ref inventory.ServiceRef, f finding.Finding) string {
	text := "address: " + f.Observed
	if seen := v.snap.History.Addresses.Of(ref); len(seen) > 0 {
		text += fmt.Sprintf("; the last one was %s, seen until %s", seen[0].Address, finding.Clock(seen[0].LastSeen, v.now))
	}
	return text
}

// atRisk says whom a lost load balancer hits, and for how long after the repair: not those
// that another one fronts too, and that are published at that one alone.
func (v *view) atRisk(ref inventory.ServiceRef, hosts []string) string {
	if len(hosts) == 0 {
		return "no hostname that is watched stands behind it."
	}
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(name string) bool {
		h := v.of(name)
		hit := func(a netip.Addr) bool { return !h.expected.Has(a) || v.isAt(ref, a.String()) }
		return len(h.published) > 0 && !slices.ContainsFunc(h.published, hit)
	})
	if len(hosts) == 0 {
		return "what stands behind it stands behind another load balancer too, and is published there alone."
	}
	byTTL := map[uint32][]string{}
	for _, h := range hosts {
		ttl := longestTTL(v.of(h).dns)
		byTTL[ttl] = append(byTTL[ttl], h)
	}
	ttls := slices.Sorted(maps.Keys(byTTL))
	slices.Reverse(ttls)
	text := fmt.Sprintf("%s behind it %s now or as soon as the address is released",
		finding.Count(len(hosts), "hostname", "hostnames"), plural(len(hosts), "fails", "fail"))
	if ttls[0] > 0 {
		text += fmt.Sprintf("; caches keep the old address for up to %d s after the records are corrected", ttls[0])
	}
	if len(ttls) > 1 {
		var parts []string
		for _, ttl := range ttls {
			parts = append(parts, fmt.Sprintf("TTL %d: %s", ttl, finding.List(byTTL[ttl], 3)))
		}
		text += " (" + finding.List(parts, 4) + ")"
	}
	return text + "."
}

func (v *view) publishedFor(hosts []string) string {
	var words []string
	for _, h := range hosts {
		words = append(words, texts(v.of(h).published)...)
	}
	slices.Sort(words)
	return finding.List(slices.Compact(words), 4)
}

// addressesDead makes one incident for each address at which several targets, or
// the only one, cannot be reached.
func (v *view) addressesDead() []finding.Incident {
	var all []finding.Incident
	dead := v.unclaimed(is(finding.HTTPUnreachable))
	for _, fs := range groupBy(dead, func(f finding.Finding) string { return f.Subject.Address }) {
		v.claim(fs)
		hosts := v.hostsOf(fs)
		e := *v.of(hosts[0]).expected
		addr := fs[0].Subject.Address
		in := finding.Incident{
			ID: "address-dead:" + addr, Code: finding.HTTPUnreachable, Severity: finding.Worst(fs), State: finding.Firing,
			Subject: finding.Subject{Address: addr, Namespace: e.Service.Namespace, Name: e.Service.Name},
			Cause:   "nothing answers at " + addr,
			Hosts:   hosts, Effects: fs,
			Evidence: []finding.Note{{Label: addr, Text: strings.Join(distinct(fs, observedOf), "; ")}},
			Fix:      hints(fs),
		}
		if name := e.Service.String(); name != "" && has(e, addr) {
			in.Cause = "the load balancer of " + name + " does not answer at " + addr
			if slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return isOf(addr, a) && v.past[a] != probe.Bypass{} }) {
				in.Cause = "the ingress controller behind " + name + " does not answer; this probe went to it past the load balancer, at " + addr
			}
		}
		in.Evidence = append(in.Evidence, finding.Note{Label: "so", Text: v.deadElsewhere(hosts, addr)})
		if !e.Known && len(e.Uncertain) > 0 && !slices.ContainsFunc(e.Uncertain, func(a netip.Addr) bool { return isOf(addr, a) }) {
			perhaps := finding.List(texts(e.Uncertain), 4)
			in.Evidence = append(in.Evidence, finding.Note{Label: "perhaps", Text: fmt.Sprintf(
				"the record is stale: the Service %s names %s. That could not be confirmed: %s", e.Service, perhaps, e.Why)})
			in.Fix = append([]finding.Step{{Text: fmt.Sprintf("see whether the load balancer is at %s now; if so, set the records to it", perhaps)}}, in.Fix...)
		}
		all = append(all, in)
	}
	return all
}

// has tells whether the address of a finding's subject is the load balancer's own.
func has(e inventory.Expected, address string) bool {
	return slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return isOf(address, a) })
}

// deadElsewhere says how the hosts fare at their other addresses.
func (v *view) deadElsewhere(hosts []string, addr string) string {
	good, looked := map[string]bool{}, map[string]bool{}
	published := false
	for _, name := range hosts {
		h := v.of(name)
		for _, a := range h.published {
			published = published || isOf(addr, a)
		}
		for _, t := range h.targets {
			for _, o := range t.probes {
				if other := o.Address.Addr().String(); !isAt(o, addr) && !o.Stranger {
					looked[other] = true
					if o.Answers(v.now) {
						good[other] = true
					}
				}
			}
		}
	}
	switch {
	case !published:
		return "no name publishes this address yet; make it answer before the records point at it."
	case len(good) > 0:
		return fmt.Sprintf("clients that are given %s fail; %s still answers.", addr, finding.List(keys(good), 4))
	case len(looked) > 0:
		return "no other address of these names answers either."
	}
	return "it is the only address that clients are given."
}

// isAt tells whether the probe went to the address of a finding's subject, which
// holds the port where it is not 443.
func isAt(o probe.Observation, address string) bool {
	return address == o.Address.Addr().String() || address == o.Address.String()
}

func observedOf(f finding.Finding) string { return f.Observed }

// hints turns the findings' hints into steps: those of five findings that differ.
func hints(fs []finding.Finding) []finding.Step {
	var steps []finding.Step
	todo := distinct(fs, func(f finding.Finding) string { return f.Hint })
	for _, h := range todo[:min(len(todo), 5)] {
		for _, text := range (finding.Finding{Hint: h}).Hints() {
			steps = append(steps, finding.Step{Text: text})
		}
	}
	return steps
}
