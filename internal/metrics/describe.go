package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// descriptions are the metrics' names, help texts and labels.
type descriptions struct {
	build, reportAt, reloadOK, reloadAt, looks, panics, overdue, judgements, lag *prometheus.Desc

	sent, queued, dead, sentAt, leader, shards *prometheus.Desc

	findings, incidents, hit, targetOK, clearBy *prometheus.Desc

	published, stale, ttl, observedAt, serverUp *prometheus.Desc

	balancer, endpoints, orders *prometheus.Desc

	success, duration, status, phase, certificate, protocol, tlsVersion *prometheus.Desc
}

func describe() descriptions {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return descriptions{
		build:      d("driftprobe_build_info", "Always 1; the labels say what is running.", "version", "commit", "goversion"),
		reportAt:   d("driftprobe_last_report_timestamp_seconds", "When the last report was made."),
		reloadOK:   d("driftprobe_config_last_reload_successful", "Whether the newest configuration was accepted."),
		reloadAt:   d("driftprobe_config_last_reload_success_timestamp_seconds", "When a configuration was last accepted."),
		looks:      d("driftprobe_looks_total", "Looks that came back, by kind (dns, zone, probe, cloud).", "kind"),
		panics:     d("driftprobe_look_panics_total", "Looks that ended in a panic, through a bug of ours."),
		overdue:    d("driftprobe_looks_overdue_total", "Looks that did not come back within twice their time."),
		judgements: d("driftprobe_judgements_total", "Reports made."),
		lag:        d("driftprobe_look_lag_seconds", "How long the look that waits longest is over its time."),

		sent:   d("driftprobe_notifications_total", "Attempts to deliver a notification, by sink and result (sent, failed).", "sink", "result"),
		queued: d("driftprobe_notifications_queued", "Notifications that the sink has not taken yet.", "sink"),
		dead:   d("driftprobe_notification_sink_dead", "1 if the sink says that its address will not work until somebody mends it.", "sink"),
		sentAt: d("driftprobe_notification_last_sent_timestamp_seconds", "When the sink last took a notification.", "sink"),
		leader: d("driftprobe_leader", "1 if this process is the one that alerts and writes the state; always so without kubernetes.lease.", "shard"),
		shards: d("driftprobe_shards", "Among how many processes the hosts are divided; the label says which of them this is. 1 without shards.", "shard"),

		findings:  d("driftprobe_findings", "Findings in the last report, by code and severity.", "code", "severity"),
		incidents: d("driftprobe_incidents", "Incidents (root causes) in the last report, by code, severity and state.", "code", "severity", "state"),
		hit:       d("driftprobe_incident_hosts", fmt.Sprintf("Hostnames that the incident hits; 0 if it is about none. Of the %d worst incidents. The same incident of several processes has the same name.", maxIncidents), "incident", "code", "severity", "state", "shard"),
		targetOK:  d("driftprobe_target_ok", "1 if the target's host was observed and no finding of at least a warning is about it.", "host", "target"),
		clearBy:   d("driftprobe_clear_by_timestamp_seconds", "When the last client of the host has recovered: for a live fault, if it is fixed now.", "host"),

		published:  d("driftprobe_published_addresses", "Addresses that the host's authoritative servers publish.", "host"),
		stale:      d("driftprobe_stale_addresses", "Published addresses that belong to no load balancer of the host.", "host"),
		ttl:        d("driftprobe_record_ttl_seconds", "Largest TTL on the way to the host's addresses.", "host"),
		observedAt: d("driftprobe_last_observation_timestamp_seconds", "When the host was last looked at, by kind (dns, probe).", "host", "kind"),
		serverUp:   d("driftprobe_nameserver_up", "1 if the server of the zone gave a usable answer to any of the last questions.", "zone", "server"),

		balancer:  d("driftprobe_service_address_info", "Always 1; the address is one that the Service's status names.", "service", "address"),
		endpoints: d("driftprobe_service_endpoints_ready", "Backends of the Service that get traffic.", "service"),
		orders:    d("driftprobe_certificate_orders_left", "Certificates with exactly these names that Let's Encrypt issues at once, at most: those that nobody saw are not counted.", "certificate"),

		success:     d("probe_success", "1 if the address answers as it should: no finding of at least a warning is about it.", "target", "address"),
		duration:    d("probe_duration_seconds", "How long the probe of the address took.", "target", "address"),
		status:      d("probe_http_status_code", "Status code of the response; 0 if there was none.", "target", "address"),
		phase:       d("probe_http_duration_seconds", "Duration of the probe by phase (connect, tls, processing, transfer).", "target", "address", "phase"),
		certificate: d("probe_ssl_earliest_cert_expiry", "Earliest end (Unix time) on the certificate path that verifies; of the server's own certificate if none does.", "target", "address"),
		protocol:    d("probe_ip_protocol", "4 or 6.", "target", "address"),
		tlsVersion:  d("probe_tls_version_info", "Always 1; the label says which version of TLS was used.", "target", "address", "version"),
	}
}

func (d descriptions) all() []*prometheus.Desc {
	return []*prometheus.Desc{
		d.build, d.reportAt, d.reloadOK, d.reloadAt, d.looks, d.panics, d.overdue, d.judgements, d.lag,
		d.sent, d.queued, d.dead, d.sentAt, d.leader, d.shards,
		d.findings, d.incidents, d.hit, d.targetOK, d.clearBy,
		d.published, d.stale, d.ttl, d.observedAt, d.serverUp,
		d.balancer, d.endpoints, d.orders,
		d.success, d.duration, d.status, d.phase, d.certificate, d.protocol, d.tlsVersion,
	}
}
