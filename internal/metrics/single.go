package metrics

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"driftprobe/finding"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// Visit is one target that was looked at because somebody asked.
type Visit struct {
	Snapshot snapshot.Snapshot
	Report   finding.Report
	// Lookup is the time that the DNS took, Took that of the whole.
	Lookup, Took time.Duration
}

// Single shows a Visit in the shape of the Prometheus blackbox exporter: the target
// is a label that the scraper sets, so no series has one. A target can have many
// addresses: what is told of one is told of the worst.
func Single(v Visit) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(visitCollector{v})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

type visitCollector struct{ visit Visit }

// Describe is part of prometheus.Collector: without descriptions the metrics are
// those that Collect gives.
func (visitCollector) Describe(chan<- *prometheus.Desc) {}

// Collect is part of prometheus.Collector.
func (c visitCollector) Collect(out chan<- prometheus.Metric) {
	v := c.visit
	g := func(name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, clean(labels[i+1]))
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	own, good := v.own()
	g("probe_success", "1 if clients of the target are served: it was seen, and no finding about it is critical.", truth(v.well(good)))
	g("probe_duration_seconds", "How long the probe took, with the look-up.", v.Took.Seconds())
	g("probe_dns_lookup_time_seconds", "How long the look at the authoritative servers took.", v.Lookup.Seconds())
	g("probe_addresses", "Addresses of the target that were gone to.", float64(len(own)))
	g("probe_addresses_failed", "Addresses of them that do not answer as they should.", float64(len(own)-good))
	for _, s := range []finding.Severity{finding.Info, finding.Unknown, finding.Warning, finding.Critical} {
		n := 0
		for _, f := range v.Report.Findings {
			n += int(truth(f.Severity == s))
		}
		g("probe_findings", "Findings about the target, by severity.", float64(n), "severity", s.String())
	}
	if len(own) == 0 {
		return
	}
	v.collectAddress(own[0], g)
}

// collectAddress shows one observation.
func (v Visit) collectAddress(o probe.Observation, g func(string, string, float64, ...string)) {
	protocol := 6.0
	if o.Address.Addr().Unmap().Is4() {
		protocol = 4
	}
	g("probe_ip_protocol", "4 or 6.", protocol)
	const phases = "Duration of the probe by phase (resolve, connect, tls, processing, transfer)."
	for _, p := range []struct {
		name string
		took time.Duration
	}{
		{"resolve", v.Lookup + o.Took.Resolve}, {"connect", o.Took.Connect}, {"tls", o.Took.TLS}, {"processing", o.Took.FirstByte},
		{"transfer", o.Took.Transfer + o.Took.Redirects - o.Took.Resolve},
	} {
		g("probe_http_duration_seconds", phases, p.took.Seconds(), "phase", p.name)
	}
	status, version, redirects, length := 0, 0.0, 0, int64(0)
	if h := o.HTTP; h != nil {
		status, redirects, length = h.Status, len(h.Hops), h.BodyBytes
		version, _ = strconv.ParseFloat(h.Protocol[min(len(h.Protocol), len("HTTP/")):], 64) // 0 if it is none
		if h.BodyMatched != nil {
			g("probe_failed_due_to_regex", "1 if the body has no match.", truth(!*h.BodyMatched))
		}
	}
	g("probe_http_status_code", "Status code of the response; 0 if there was none.", float64(status))
	g("probe_http_version", "Version of HTTP in the response; 0 if there was none.", version)
	g("probe_http_redirects", "Redirects that were followed.", float64(redirects))
	g("probe_http_uncompressed_body_length", "Length of the body that was read, in bytes.", float64(length))
	g("probe_http_ssl", "1 if the response came over TLS.", truth(o.TLS != nil))
	if o.TLS != nil {
		g("probe_ssl_earliest_cert_expiry", "Earliest end (Unix time) on the certificate path that verifies; of the server's own certificate if none does.", float64(expiry(*o.TLS).Unix()))
		g("probe_tls_version_info", "Always 1; the label says which version of TLS was used.", 1, "version", tls.VersionName(o.TLS.Version))
	}
}

// own are the observations of the target's own addresses, the worst first, and how
// many of them are as they should be.
func (v Visit) own() (own []probe.Observation, good int) {
	bad := newVerdicts(v.Report)
	var right []probe.Observation
	for _, o := range v.Snapshot.Observations.Probes {
		switch {
		case o.Stranger:
		case bad.fails(o, v.Snapshot):
			own = append(own, o)
		default:
			right = append(right, o)
		}
	}
	for i, o := range right { // the slowest of the good before the others
		if o.Took.Total() > right[0].Took.Total() {
			right[0], right[i] = o, right[0]
		}
	}
	return append(own, right...), len(right)
}

// well: a target that nobody has seen is not.
func (v Visit) well(good int) bool {
	return good > 0 && finding.Worst(v.Report.Findings) < finding.Critical && len(newVerdicts(v.Report).blind) == 0
}
