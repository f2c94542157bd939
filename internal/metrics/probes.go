package metrics

import (
	"crypto/tls"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// collectProbes shows each address of each target of the inventory.
func (c *Collector) collectProbes(e emitter, s snapshot.Snapshot, v verdicts) {
	targets := make(map[string]inventory.Target, len(s.Inventory.Targets))
	for _, t := range s.Inventory.Targets {
		targets[t.Key] = t
	}
	seen, count := map[place]bool{}, map[string]int{}
	for _, o := range s.Observations.Probes {
		t, wanted := targets[o.Target]
		p := place{clean(o.Target), o.Address.Addr().String()}
		// A look that failed through a fault of ours says nothing of the target.
		if !wanted || seen[p] || count[p.host] >= maxAddresses || o.Fault.Kind == probe.Self {
			continue
		}
		seen[p] = true
		count[p.host]++
		c.collectProbe(e, o, t, v)
	}
}

func (c *Collector) collectProbe(e emitter, o probe.Observation, t inventory.Target, v verdicts) {
	address := o.Address.Addr().String()
	e.gauge(c.d.success, truth(v.right(o, t)), o.Target, address)
	e.gauge(c.d.duration, o.Took.Total().Seconds(), o.Target, address)
	protocol := 6.0
	if o.Address.Addr().Unmap().Is4() {
		protocol = 4
	}
	e.gauge(c.d.protocol, protocol, o.Target, address)

	phase := func(name string, d time.Duration) { e.gauge(c.d.phase, d.Seconds(), o.Target, address, name) }
	phase("connect", o.Took.Connect)
	if o.Scheme == "" {
		phase("tls", o.Took.TLS)
	}
	// A stranger is not sent a request, nor is who need not speak HTTP: they have no
	// response to be missing.
	if !o.Stranger && !o.TLSOnly && o.Scheme != inventory.SchemeTCP {
		phase("processing", o.Took.FirstByte)
		phase("transfer", o.Took.Transfer)
		status := 0
		if o.HTTP != nil {
			status = o.HTTP.Status
		}
		e.gauge(c.d.status, float64(status), o.Target, address)
	}
	if o.TLS != nil {
		e.gauge(c.d.tlsVersion, 1, o.Target, address, tls.VersionName(o.TLS.Version))
		e.timestamp(c.d.certificate, expiry(*o.TLS), o.Target, address)
	}
}

// expiry is when the first client that verifies will refuse the certificates.
func expiry(t probe.TLS) time.Time {
	if t.Trust.NotAfter.IsZero() && len(t.Chain) > 0 {
		return t.Chain[0].NotAfter
	}
	return t.Trust.NotAfter
}
