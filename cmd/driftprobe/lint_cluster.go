package main

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/manifest"
	"driftprobe/internal/monitor"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
)

// againstCluster compares the objects with the Services that run.
func (o lintOptions) againstCluster(ctx context.Context, p process, objects []manifest.Object) ([]finding.Finding, error) {
	cfg, targets, err := o.open(p)
	if err != nil {
		return nil, err
	}
	if cfg.Kubernetes.Enabled == config.Off {
		return nil, faultf("name a kubeconfig: kubernetes.kubeconfig, or KUBECONFIG", "--against cluster: %s turns Kubernetes off", o.config)
	}
	cfg.Kubernetes.Configured = true
	w, err := assemble(ctx, p, accounts{}, cfg, targets, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer w.close()
	wait, cancel := context.WithTimeout(ctx, min(syncFor, 3*cfg.Timeout))
	w.cluster.Sync(wait)
	cancel()
	for _, g := range w.cluster.Inventory().Gaps {
		if g.Covers("services") {
			return []finding.Finding{unread(g)}, nil
		}
	}
	found := beyond(cfg.Kubernetes.Namespaces, objects)
	var looked snapshot.Snapshot
	risk := func(ref inventory.ServiceRef) inventory.Risk {
		if looked.Version == 0 {
			looked, _ = monitor.Once(ctx, w.options, progress(p))
		}
		return riskIn(looked, ref)
	}
	return append(found, lbcheck.JudgeChange(deployedWith(w.cluster.Balanced(), objects), services(objects), risk)...), nil
}

// beyond says of which namespaces among the objects the configuration reads nothing.
func beyond(read []string, objects []manifest.Object) []finding.Finding {
	var unread []string
	for _, o := range objects {
		if len(read) > 0 && o.Namespace != "" && !slices.Contains(read, o.Namespace) {
			unread = append(unread, finding.Printable(o.Namespace, 63))
		}
	}
	if len(unread) == 0 {
		return nil
	}
	slices.Sort(unread)
	text := finding.List(slices.Compact(unread), 3)
	return []finding.Finding{{
		Code: finding.SelfSourceDegraded, Severity: finding.Unknown, Subject: finding.Subject{Source: "kubernetes"},
		Summary:  "the manifests could not be compared with the Services in " + text,
		Expected: "all namespaces of the manifests", Observed: "the configuration reads only " + finding.List(read, 3),
		Hint: "add them to kubernetes.namespaces",
	}}
}

// unread says that nothing could be compared.
func unread(g inventory.Gap) finding.Finding {
	return finding.Finding{
		Code: finding.SelfSourceDegraded, Severity: finding.Unknown, Subject: finding.Subject{Source: g.Source},
		Summary:  "the manifests could not be compared with the cluster: " + g.Why,
		Expected: "a complete list of " + g.What, Observed: g.Why, Hint: g.Hint,
	}
}

// deployedWith are the Services that the objects are to replace: those that they name,
// and those of the same release and namespace, which will be deleted if they are absent.
func deployedWith(live []inventory.Balanced, objects []manifest.Object) []inventory.Balanced {
	together := func(b inventory.Balanced) func(manifest.Object) bool {
		return func(o manifest.Object) bool {
			return o.Namespace == b.Namespace && (o.Kind == "Service" && o.Name == b.Name || b.Release != "" && manifest.Release(o) == b.Release)
		}
	}
	return slices.DeleteFunc(live, func(b inventory.Balanced) bool { return !slices.ContainsFunc(objects, together(b)) })
}

// riskIn is what a look has found to hang on a Service: the names that are published at
// its addresses, also those that no object of the cluster declares.
func riskIn(s snapshot.Snapshot, ref inventory.ServiceRef) inventory.Risk {
	n := slices.IndexFunc(s.Inventory.Services, func(v inventory.Service) bool { return v.ServiceRef == ref })
	if n < 0 {
		return inventory.Risk{}
	}
	service := s.Inventory.Services[n]
	at := slices.Clone(service.Addresses)
	for _, o := range s.Observations.DNS {
		if slices.Contains(service.Hostnames, o.Host) {
			at = append(at, o.Published()...)
		}
	}
	slices.SortFunc(at, netip.Addr.Compare)
	var risk inventory.Risk
	for _, a := range slices.Compact(at) {
		risk.Addresses = append(risk.Addresses, a.String())
	}
	for _, o := range s.Observations.DNS {
		leads := func(a netip.Addr) bool { return slices.Contains(at, a) }
		if slices.ContainsFunc(o.Published(), leads) && !slices.Contains(service.Hostnames, o.Host) {
			risk.Hosts = append(risk.Hosts, o.Host)
			risk.MaxTTL = max(risk.MaxTTL, longestTTL(o))
		}
	}
	slices.Sort(risk.Hosts)
	return risk
}

// longestTTL is that of the records on the way to the addresses, aliases included.
func longestTTL(o dnscheck.Observation) uint32 {
	var ttl uint32
	for _, s := range o.Steps {
		for _, a := range s.Answers {
			if a.Outcome == dnscheck.OK || a.Outcome == dnscheck.Alias {
				ttl = max(ttl, a.TTL)
			}
		}
	}
	return ttl
}
