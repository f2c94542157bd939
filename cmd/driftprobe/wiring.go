package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
	"driftprobe/internal/issuance"
	"driftprobe/internal/kube"
	"driftprobe/internal/monitor"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/lbcheck/digitalocean"
	"driftprobe/probe"
)

// parts are the running pieces that one configuration asks for.
type parts struct {
	options  monitor.Options
	resolver *dnscheck.Resolver
	cluster  *kube.Cluster
	stop     context.CancelFunc
}

// close ends what assemble has started, and waits for it.
func (w *parts) close() {
	w.stop()
	w.resolver.Close()
	if w.cluster != nil {
		w.cluster.Wait()
	}
}

// firstSync is how long the first look waits for the cluster: without it, sources that are
// read on from where they were would take its hosts for new ones.
const firstSync = 5 * time.Second

// sync waits, not for long, until the cluster is known: whoever takes over from one that
// knows it would have forgotten it for a moment.
func (w *parts) sync(ctx context.Context, most time.Duration) {
	if w.cluster == nil {
		return
	}
	wait, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	w.cluster.Sync(wait)
}

// goOn takes over what was seen before.
func (w *parts) goOn(before snapshot.Snapshot) {
	w.options.Previous = before
	w.resolver.Recall(before.History.Records.Servings)
}

// assemble builds everything that the configuration names. All that can be wrong
// with it is an error here, at the start.
func assemble(ctx context.Context, p process, all accounts, cfg config.Config, targets []inventory.Target, log *slog.Logger) (*parts, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &parts{stop: stop}
	roots, err := certPool(cfg.TLS.CAFile)
	var account *digitalocean.Account
	if err == nil {
		account, err = all.open(p, cfg)
	}
	var logs []monitor.CertificateLog
	if err == nil {
		logs, err = certificateLogs(cfg.Certificates.CT, roots)
	}
	if err == nil {
		w.cluster, err = openCluster(p, cfg, log)
	}
	if err != nil {
		stop()
		return nil, err
	}
	if w.cluster != nil {
		w.cluster.Start(ctx)
	}
	w.resolver = dnscheck.New(dnscheck.Settings{
		Roots: withPort(cfg.DNS.RootServers, cfg.DNS.Port), Port: cfg.DNS.Port, Timeout: cfg.DNS.Timeout,
		Resolvers: cfg.DNS.Resolvers, Servers: cfg.DNS.Servers, Rate: int(cfg.DNS.Rate),
	})
	prober := probe.New(probe.Settings{
		Timeout: cfg.Timeout, Roots: roots, Allow: cfg.Probe.AllowAddresses, UserAgent: "driftprobe/" + version,
		FetchIssuers: cfg.TLS.AIA, SkipLists: !cfg.TLS.CRL,
		Lookup: func(ctx context.Context, host string) ([]netip.Addr, bool) {
			seen := w.resolver.Observe(ctx, host)
			return seen.Published(), seen.Told()
		},
	})
	w.options = monitor.Options{
		Interval: cfg.Interval, DNSInterval: cfg.DNS.Interval, Timeout: cfg.Timeout, DNSTimeout: cfg.DNS.Timeout,
		Targets: byKey(targets), Shard: shardOf(cfg), Resolve: w.resolver.Observe, ResolveZone: w.resolver.ObserveZone, Probe: prober.Observe,
		Secrets: secretsOf(cfg.Targets), Log: log, Logs: logs,
		Policy: policyOf(cfg), InCluster: insideCluster(p),
	}
	if w.cluster != nil {
		w.options.Cluster = w.cluster
	}
	if account != nil {
		w.options.Clouds = []func(context.Context, []string) lbcheck.Observation{account.Observe}
		w.options.Hosted = account.ObserveZone
	}
	return w, nil
}

// byKey is the order in which the loop need not make a copy of the targets.
func byKey(targets []inventory.Target) []inventory.Target {
	targets = append(make([]inventory.Target, 0, len(targets)), targets...) // they are large: no room to spare
	slices.SortStableFunc(targets, func(a, b inventory.Target) int { return cmp.Compare(a.Key, b.Key) })
	return targets
}

// policyOf is what the operator accepts.
func policyOf(cfg config.Config) diagnose.Policy {
	return diagnose.Policy{
		MaxTTL: cfg.DNS.MaxTTL, Public: publicRoots(cfg), Allow: cfg.Probe.AllowAddresses, Maintenance: windowsOf(cfg.Maintenance),
		Certificates: issuancePolicy(cfg.Certificates),
	}
}

// issuancePolicy makes token buckets of the limits.
func issuancePolicy(c config.Certificates) issuance.Policy {
	p := issuance.Policy{Authorities: c.Authorities}
	for ca, limit := range c.Limits {
		if p.SameNames == nil {
			p.SameNames = map[string]issuance.Limit{}
		}
		p.SameNames[ca] = issuance.Limit{Tokens: limit.Count, Every: limit.Per / time.Duration(limit.Count)}
	}
	return p
}

// insideCluster tells whether we run in a pod.
func insideCluster(p process) bool { return p.env("KUBERNETES_SERVICE_HOST") != "" }

func certPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := config.ReadFile(file, config.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.ca_file: %s holds no certificate", file)
	}
	return pool, nil
}

// unusable is all that is wrong with the files that the configuration names, and with what
// else can be told without asking anybody, beside the problems that are known: what a section
// lacks whose keys could not be read is not certain.
func unusable(p process, cfg config.Config, known config.Problems) config.Problems {
	all := cfg.Unusable()
	add := func(key string, err error) {
		section := key[:strings.LastIndexByte(key, '.')]
		told := func(p config.Problem) bool { return p.Path == key }
		unread := func(p config.Problem) bool { return within(p.Path, section) || within(section, p.Path) }
		if err != nil && !slices.ContainsFunc(all, told) && !slices.ContainsFunc(known, unread) {
			all = append(all, cfg.At(key, err.Error(), hintOf(err)))
		}
	}
	for i, log := range cfg.Certificates.CT.Logs {
		_, err := openLog(log, nil)
		add(fmt.Sprintf("certificates.ct.logs[%d].public_key_file", i), err)
	}
	_, err := accounts{}.open(p, cfg)
	add("digitalocean.token_file", err)
	_, err = openCluster(p, cfg, slog.New(slog.DiscardHandler))
	add("kubernetes.kubeconfig", err)
	if file := cfg.State.File; file != "" {
		if folder, err := os.Stat(filepath.Dir(file)); err != nil || !folder.IsDir() {
			add("state.file", faultf("make the folder, and let driftprobe write to it", "there is no folder %q", filepath.Dir(file)))
		}
	}
	return all
}

// within tells whether a key is the section or lies in it. All lie in the document, "".
func within(key, section string) bool {
	rest, found := strings.CutPrefix(key, section)
	return found && (rest == "" || section == "" || rest[0] == '.' || rest[0] == '[')
}

// openCluster prepares the watch of the cluster: if the configuration asks for
// it, or if we run inside one.
func openCluster(p process, cfg config.Config, log *slog.Logger) (*kube.Cluster, error) {
	if !watchesCluster(p, cfg) {
		return nil, nil
	}
	return kube.Open(clusterSettings(p, cfg, log))
}

func watchesCluster(p process, cfg config.Config) bool {
	k := cfg.Kubernetes
	return k.Enabled != config.Off && (k.Configured || insideCluster(p))
}

// clusterSettings say where the cluster is.
func clusterSettings(p process, cfg config.Config, log *slog.Logger) kube.Settings {
	k := cfg.Kubernetes
	file := k.Kubeconfig
	if file == "" && !insideCluster(p) {
		if file = p.env("KUBECONFIG"); file == "" {
			file = filepath.Join(p.env("HOME"), ".kube", "config")
		}
	}
	return kube.Settings{Kubeconfig: file, Context: k.Context, Namespaces: k.Namespaces, HTTPSPort: k.HTTPSPort, Shard: shardOf(cfg), Log: log}
}

// splitName splits "namespace/name".
func splitName(text string) (namespace, name string, ok bool) { return strings.Cut(text, "/") }

// publicRoots tells whether names are looked up where everyone does.
func publicRoots(cfg config.Config) bool {
	space := ipspace.New()
	for _, a := range cfg.DNS.RootServers {
		if space.Special(a) != "" {
			return false
		}
	}
	return true
}

func withPort(addrs []netip.Addr, port uint16) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(a, port))
	}
	return all
}
