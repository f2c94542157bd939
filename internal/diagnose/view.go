package diagnose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
	"driftprobe/internal/issuance"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// view is one snapshot, indexed for judging, and the findings made of it.
type view struct {
	policy Policy
	// dnsPolicy is made once: it is asked for each address of each host.
	dnsPolicy dnscheck.Policy
	now       time.Time
	snap      snapshot.Snapshot
	world     lbcheck.World
	fronts    map[inventory.ServiceRef]lbcheck.Front
	// hosts are sorted by name, by which byName finds one.
	hosts  []*host
	byName map[string]*host
	// wildcards are the records that serve hosts which should have different addresses.
	wildcards map[wildcard]bool
	// sound are the zones that pass validation, once asked for; see validates.
	sound map[string]bool
	// lossy are the zones to which packets get lost.
	lossy map[string]dnscheck.Loss
	// past are the addresses at which probes went past the load balancer, and how.
	past map[netip.Addr]probe.Bypass
	// orphans are the cloud's balancers that no Service of this cluster owns, by id.
	orphans map[string]bool

	findings []finding.Finding
	claimed  map[finding.ID]bool
}

// rotation is how long an address of a balancer that is known by hostname stays
// acceptable after the hostname gave it last: such balancers take turns with their
// addresses.
const rotation = time.Hour

func world(s snapshot.Snapshot) lbcheck.World {
	w := lbcheck.World{
		Inventory: s.Inventory, Clouds: s.Observations.Clouds, History: s.History.Addresses,
		Published: map[string][]netip.Addr{}, Recent: map[string][]netip.Addr{},
	}
	w.Alive, w.Dead = witnesses(s.Observations.Probes)
	wanted := map[string]bool{}
	for _, svc := range s.Inventory.Services {
		for _, h := range svc.Hostnames {
			wanted[h] = true
		}
	}
	for i := range s.Inventory.Targets {
		declarations := s.Inventory.Targets[i].Declarations
		for k := range declarations {
			for _, h := range declarations[k].RecordHostnames {
				wanted[h] = true
			}
		}
	}
	for i := range s.Observations.DNS {
		if o := &s.Observations.DNS[i]; wanted[o.Host] {
			w.Published[o.Host] = o.Published()
		}
	}
	for h := range wanted {
		for _, seen := range s.History.Records.Of(h) {
			if s.At.Sub(seen.LastSeen) < rotation {
				w.Recent[h] = append(w.Recent[h], seen.Address)
			}
		}
	}
	return w.Indexed()
}

// index is a view of which the hosts are known, and what was seen of each.
func index(p Policy, now time.Time, s snapshot.Snapshot) *view {
	v := &view{
		policy: p, dnsPolicy: dnsPolicy(p), now: now, snap: s, world: world(s),
		byName:  make(map[string]*host, len(s.Inventory.Targets)),
		past:    map[netip.Addr]probe.Bypass{},
		orphans: map[string]bool{},
		claimed: map[finding.ID]bool{},
	}
	v.fronts = lbcheck.Join(v.world)
	v.gather()
	return v
}

// newView prepares all that judging reads.
func newView(p Policy, now time.Time, s snapshot.Snapshot) *view {
	v := index(p, now, s)
	v.eachHost(func(_ int, h *host) {
		v.expect(h)
		v.recall(h)
	})
	for _, h := range v.hosts {
		for _, t := range h.targets {
			for i := range t.probes {
				if o := &t.probes[i]; o.Bypass != nil && !o.Stranger {
					v.past[o.Address.Addr()] = *o.Bypass
				}
			}
		}
	}
	return v
}

// judge calls every judge. Findings that several hosts repeat (a name server, a
// resolver) are kept once, in their worst form.
func (v *view) judge() {
	v.wildcards = v.split()
	v.lossy = dnscheck.Lossy(v.snap.Observations.DNS...)
	all := v.judgeSelf()
	if len(all) == 0 {
		// Of findings that are alike the first stays, and a zone's says more.
		all = v.judgeZones()
		all = append(all, v.judgeHosts()...)
	}
	// In the order of the hosts: what a judge says must not depend on a map.
	expected := make([]*inventory.Expected, 0, len(v.snap.Inventory.Targets))
	for _, h := range v.hosts {
		for _, t := range h.targets {
			expected = append(expected, &t.expected)
		}
	}
	all = append(all, v.judgeBypassed()...)
	all = append(all, v.followed(lbcheck.Judge(v.policy.LB, v.now, v.world, v.fronts, expected))...)
	for _, f := range all {
		if f.Code == finding.LBOrphan {
			v.orphans[f.Subject.Name] = true
		}
	}
	all = append(all, v.undecided(all)...)
	all = append(all, issuance.Judge(v.policy.Certificates, v.now, v.snap.History.Certificates)...)
	all = append(all, issuance.Storage(v.snap.Inventory.Workloads)...)
	all = append(all, issuance.Refused(v.now, v.snap.Inventory.Refused)...)
	all = append(all, issuance.JudgeLogs(v.now, v.snap.Observations.Logs)...)
	worst := make(map[finding.ID]int, len(all))
	for _, f := range all {
		i, seen := worst[f.ID()]
		switch {
		case !seen:
			worst[f.ID()] = len(v.findings)
			v.findings = append(v.findings, f)
		default:
			by := slices.Concat(v.findings[i].Targets, f.Targets)
			slices.Sort(by)
			by = slices.Compact(by)
			if f.Severity > v.findings[i].Severity {
				v.findings[i] = f
			}
			v.findings[i].Targets = by
		}
	}
	finding.Sort(v.findings)
}

// judgeHosts judges every host; the findings are in the order of the hosts.
func (v *view) judgeHosts() []finding.Finding {
	found := make([][]finding.Finding, len(v.hosts))
	v.eachHost(func(i int, h *host) { found[i] = v.judgeHost(h) })
	return slices.Concat(found...)
}

func (v *view) judgeHost(h *host) []finding.Finding {
	var fs []finding.Finding
	if h.looked {
		c := dnscheck.Case{
			Expected: *h.expected, Observed: *h.dns, Seen: h.seen, Denied: h.denied,
			Strangers: h.strangers, Lossy: v.lossy, Publisher: h.publisher(), Published: h.published,
		}
		fs = v.abroad(v.withinReach(h, v.judgeRecords(&c)))
	} else {
		fs = append(fs, unlooked(h.name))
	}
	for _, t := range h.targets {
		fs = append(fs, notYetServed(h.published, probe.Judge(v.policy.Probe, v.now, *t.Target, t.expected, t.probes))...)
		// A target that nothing is said of must have been seen to answer.
		right := func(o probe.Observation) bool { return probe.Meant(t.Expect, o) }
		silent := finding.Worst(fs) < finding.Unknown && !v.served(t) && !slices.ContainsFunc(t.probes, right)
		if len(h.published) > 0 && (silent || !slices.ContainsFunc(t.probes, sees)) {
			fs = append(fs, unseen(t))
		}
		if !t.expected.Known && t.Origin != "config" && t.Origin != "command line" && t.expected.Service == (inventory.ServiceRef{}) {
			fs = append(fs, unmapped(t))
		}
	}
	fs = append(fs, lbcheck.JudgeDoubt(&v.world, v.fronts, h.name, h.expected, h.published)...)
	return append(fs, v.unproven(h, fs)...)
}

// notYetServed lowers what is found at addresses that authority does not publish:
// no client is sent there before the records are corrected.
func notYetServed(published []netip.Addr, fs []finding.Finding) []finding.Finding {
	if len(published) == 0 {
		return fs
	}
	for i, f := range fs {
		if f.Severity == finding.Critical && !slices.ContainsFunc(published, func(a netip.Addr) bool { return isOf(f.Subject.Address, a) }) {
			fs[i].Severity = finding.Warning
		}
	}
	return fs
}

// isOf tells whether the address of a finding's subject, which holds the port
// where it is not 443, is this one.
func isOf(subject string, a netip.Addr) bool {
	text := a.String()
	return subject == text || strings.HasPrefix(subject, text+":") && a.Is4() || strings.HasPrefix(subject, "["+text+"]")
}

func dnsPolicy(policy Policy) dnscheck.Policy {
	p := dnscheck.Policy{MaxTTL: policy.MaxTTL}
	if !policy.Public {
		return p
	}
	space := ipspace.New()
	p.Special = func(a netip.Addr) string {
		for _, allowed := range policy.Allow {
			if allowed.Contains(a) {
				return ""
			}
		}
		return space.Special(a)
	}
	return p
}

// sees tells whether a probe says something about its target.
func sees(o probe.Observation) bool { return !o.Stranger && !blind(o) }

// unlooked says that nobody has asked for a host's records.
func unlooked(host string) finding.Finding {
	return finding.Finding{
		Code: finding.SelfNotObserved, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: host},
		Summary:  "the records of " + host + " have not been looked at",
		Expected: "a look at its authoritative servers",
		Observed: "none yet",
		Hint:     "wait for the first look; if it does not come, read this probe's log",
	}
}

// well tells whether a probe went through at an address that is not a stranger's.
func (v *view) well(o *probe.Observation) bool { return !o.Stranger && o.Answers(v.now) }

// unseen says that no address of a target could be probed, and why.
func unseen(t *target) finding.Finding {
	f := finding.Finding{
		Code: finding.SelfNotObserved, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: t.Host},
		Summary:  t.Host + " could not be probed at any address of its own",
		Expected: "a probe of at least one address",
		Observed: "no address of it is known",
		Hint:     "look from a machine that reaches it",
	}
	for _, o := range t.probes {
		switch {
		case o.Stranger:
			f.Observed = "only strangers' addresses are published, and none of its own is known"
		case o.Fault.Kind == probe.Forbidden:
			f.Observed = o.Address.Addr().String() + " is special-purpose and was not connected to"
			f.Hint = "if this is meant, allow the address (probe.allow_addresses) or pin it (targets[].addresses)"
		default:
			f.Observed = o.Address.Addr().String() + ": " + o.Fault.Text
		}
		f.SeenAt = append(f.SeenAt, o.Address.Addr().String())
	}
	slices.Sort(f.SeenAt)
	return f
}

func unmapped(t *target) finding.Finding {
	return finding.Finding{
		Code: finding.SelfTargetUnmapped, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: t.Host},
		Summary:  "no load balancer is known for " + t.Host + ", so nobody can say which addresses are right",
		Expected: "a Service of type LoadBalancer in front of " + t.Origin,
		Observed: t.expected.Why,
		Hint:     "name it in the configuration: targets[].service or targets[].addresses",
	}
}

// strangers says what the probe met at the published addresses that are not
// expected for the host.
func (v *view) strangers(h *host) map[netip.Addr]dnscheck.Stranger {
	var met map[netip.Addr]dnscheck.Stranger
	for _, t := range h.targets {
		for _, o := range t.probes {
			if !o.Stranger {
				continue
			}
			if met == nil {
				met = map[netip.Addr]dnscheck.Stranger{}
			}
			s := dnscheck.Stranger{Text: o.Fault.Text, Owner: v.owner(o.Address.Addr())}
			switch {
			case o.Answers(v.now):
				s.Valid, s.Text = true, "a valid certificate for the name still answers"
			case o.TLS != nil:
				s.Text = "a certificate that clients refuse for this name"
			case s.Text == "":
				s.Text = "no TLS"
			}
			// Of several targets the one that fails counts: its clients fail.
			if old, twice := met[o.Address.Addr()]; !twice || old.Valid && !s.Valid || old.Valid == s.Valid && s.Text < old.Text {
				met[o.Address.Addr()] = s
			}
		}
	}
	return met
}

// owner names the load balancer that has the address: of the account, or of a
// Service, which can be newer than the account's list.
func (v *view) owner(a netip.Addr) string {
	for _, c := range v.snap.Observations.Clouds {
		for _, b := range c.Balancers {
			if slices.Contains(b.Addresses, a) {
				text := fmt.Sprintf("the load balancer %q of this account", cmp.Or(b.Name, b.ID))
				if v.orphans[b.ID] {
					text += ", which is tagged for this cluster and which no Service owns"
				}
				return text
			}
		}
	}
	for _, s := range v.snap.Inventory.Services {
		if slices.Contains(s.Addresses, a) && !v.fronts[s.ServiceRef].Lost {
			return "the load balancer of the Service " + s.String()
		}
	}
	return ""
}

// accounted tells whether every load balancer of the account is known at the
// moment, so that "owned by none" may be said.
func (v *view) accounted() bool {
	for _, c := range v.snap.Observations.Clouds {
		if c.Failure != "" || c.At.IsZero() {
			return false
		}
	}
	return len(v.snap.Observations.Clouds) > 0
}
