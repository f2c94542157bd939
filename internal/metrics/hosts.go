package metrics

import (
	"maps"
	"slices"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// collectHosts shows what is known about the inventory's hosts, and no others.
func (c *Collector) collectHosts(e emitter, s snapshot.Snapshot, v verdicts) {
	dns := make(map[string]dnscheck.Observation, len(s.Observations.DNS))
	for _, o := range s.Observations.DNS {
		dns[o.Host] = o
	}
	probed := lastProbes(s)
	hosts, targets := map[string]string{}, map[place]bool{}
	for _, t := range s.Inventory.Targets {
		hosts[clean(t.Host)] = t.Host
		p := place{clean(t.Host), clean(t.Key)}
		if targets[p] {
			continue
		}
		targets[p] = true
		o, looked := dns[t.Host]
		ok := looked && !o.At.IsZero() && !v.offline && !v.blind[t.Host] && !v.bad[t.Host]
		e.gauge(c.d.targetOK, truth(ok), t.Host, t.Key)
	}
	for _, label := range slices.Sorted(maps.Keys(hosts)) {
		host := hosts[label]
		if o, looked := dns[host]; looked {
			c.collectDNS(e, o, len(v.stale[host]))
		}
		e.timestamp(c.d.observedAt, probed[host], host, "probe")
		e.timestamp(c.d.clearBy, v.clearBy[host], host)
	}
}

// collectDNS shows one host's records. If no server said anything about the name
// there is nothing to show: no addresses would read as none published.
func (c *Collector) collectDNS(e emitter, o dnscheck.Observation, stale int) {
	e.timestamp(c.d.observedAt, o.At, o.Host, "dns")
	speaks, records, ttl := false, false, uint32(0)
	for _, s := range o.Steps {
		for _, a := range s.Answers {
			speaks = speaks || a.Outcome.Speaks()
			if a.Outcome == dnscheck.OK || a.Outcome == dnscheck.Alias {
				records, ttl = true, max(ttl, a.TTL)
			}
		}
	}
	if speaks {
		e.gauge(c.d.published, float64(len(o.Published())), o.Host)
		e.gauge(c.d.stale, float64(stale), o.Host)
	}
	if records {
		e.gauge(c.d.ttl, float64(ttl), o.Host)
	}
}

func lastProbes(s snapshot.Snapshot) map[string]time.Time {
	hosts := make(map[string]string, len(s.Inventory.Targets))
	for _, t := range s.Inventory.Targets {
		hosts[t.Key] = t.Host
	}
	last := map[string]time.Time{}
	for _, o := range s.Observations.Probes {
		if h, ok := hosts[o.Target]; ok && o.Fault.Kind != probe.Self && o.At.After(last[h]) {
			last[h] = o.At
		}
	}
	return last
}

// collectServers shows the authoritative servers by zone.
func (c *Collector) collectServers(e emitter, s snapshot.Snapshot) {
	zones := map[string]map[string]bool{}
	for _, o := range s.Observations.DNS {
		for _, step := range o.Steps {
			zone := clean(step.Zone)
			for _, a := range step.Answers {
				if zones[zone] == nil {
					zones[zone] = map[string]bool{}
				}
				server := clean(a.Server.String())
				zones[zone][server] = zones[zone][server] || a.Outcome.Speaks()
			}
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		for i, server := range slices.Sorted(maps.Keys(zones[zone])) {
			if i < maxServers {
				e.gauge(c.d.serverUp, truth(zones[zone][server]), zone, server)
			}
		}
	}
}
