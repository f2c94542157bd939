package main

import (
	"context"
	"crypto/x509"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
	"driftprobe/internal/kube"
	"driftprobe/internal/monitor"
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

// assemble builds everything that the configuration names. All that can be wrong
// with it is an error here, at the start.
func assemble(ctx context.Context, p process, cfg config.Config, targets []inventory.Target, log *slog.Logger) (*parts, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &parts{stop: stop}
	roots, err := certPool(cfg.TLS.CAFile)
	if err == nil {
		err = readable(cfg)
	}
	var account *digitalocean.Account
	if err == nil {
		account, err = accountOf(p, cfg)
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
	})
	w.options = monitor.Options{
		Interval: cfg.Interval, DNSInterval: cfg.DNS.Interval, Timeout: cfg.Timeout, DNSTimeout: cfg.DNS.Timeout,
		Targets: targets, Resolve: w.resolver.Observe, ResolveZone: w.resolver.ObserveZone, Probe: prober.Observe,
		Headers: headersOf(cfg.Targets, log), Log: log,
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

// policyOf is what the operator accepts.
func policyOf(cfg config.Config) diagnose.Policy {
	return diagnose.Policy{MaxTTL: cfg.DNS.MaxTTL, Public: publicRoots(cfg), Allow: cfg.Probe.AllowAddresses}
}

// insideCluster tells whether we run in a pod.
func insideCluster(p process) bool { return p.env("KUBERNETES_SERVICE_HOST") != "" }

func certPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, faultf("check the path of tls.ca_file", "tls.ca_file: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, faultf("it must hold certificates in PEM form (-----BEGIN CERTIFICATE-----)", "tls.ca_file: %s holds no certificate", file)
	}
	return pool, nil
}

// readable reads every secret once, so that a wrong path is told now and not at
// the first use.
func readable(cfg config.Config) error {
	for _, t := range cfg.Targets {
		for _, name := range slices.Sorted(maps.Keys(t.HeaderFiles)) {
			if _, err := config.ReadSecretFile(t.HeaderFiles[name], "targets["+t.URL+"].header_files."+name); err != nil {
				return err
			}
		}
	}
	if f := cfg.Alerts.Slack.WebhookURLFile; f != "" {
		if _, err := config.ReadSecretFile(f, "alerts.slack.webhook_url_file"); err != nil {
			return err
		}
	}
	return nil
}

// accountOf makes the cloud account: named by the configuration, or by a token in the
// environment; nil if there is none.
func accountOf(p process, cfg config.Config) (*digitalocean.Account, error) {
	token := func() (string, error) { return p.env("DIGITALOCEAN_TOKEN"), nil }
	if file := cfg.DigitalOcean.TokenFile; file != "" {
		token = func() (string, error) {
			s, err := config.ReadSecretFile(file, "digitalocean.token_file")
			return s.Reveal(), err
		}
	} else if !cfg.DigitalOcean.Configured && p.env("DIGITALOCEAN_TOKEN") == "" {
		return nil, nil
	}
	text, err := token()
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, faultf("set digitalocean.token_file, or DIGITALOCEAN_TOKEN in the environment", "digitalocean: there is no token")
	}
	return digitalocean.New(digitalocean.Settings{Token: token, APIURL: cfg.DigitalOcean.APIURL, Timeout: cfg.Timeout})
}

// openCluster prepares the watch of the cluster: if the configuration asks for
// it, or if we run inside one.
func openCluster(p process, cfg config.Config, log *slog.Logger) (*kube.Cluster, error) {
	k := cfg.Kubernetes
	inside := insideCluster(p)
	if k.Enabled == config.Off || !k.Configured && !inside {
		return nil, nil
	}
	file := k.Kubeconfig
	if file == "" && !inside {
		if file = p.env("KUBECONFIG"); file == "" {
			file = filepath.Join(p.env("HOME"), ".kube", "config")
		}
	}
	return kube.Open(kube.Settings{Kubeconfig: file, Context: k.Context, Namespaces: k.Namespaces, HTTPSPort: k.HTTPSPort, Log: log})
}

// headersOf reads a target's secret headers anew for each probe, so that a
// rotated file is used without a restart.
func headersOf(targets []config.Target, log *slog.Logger) func(string) http.Header {
	byKey := map[string]config.Target{}
	for _, t := range targets {
		if len(t.Headers)+len(t.HeaderFiles) > 0 {
			byKey[t.Key()] = t
		}
	}
	return func(key string) http.Header {
		t, ok := byKey[key]
		if !ok {
			return nil
		}
		h := http.Header{}
		for name, value := range t.Headers {
			h.Set(name, value.Reveal())
		}
		for name, file := range t.HeaderFiles {
			value, err := config.ReadSecretFile(file, "header_files."+name)
			if err != nil {
				log.Warn("header left out", "target", key, "header", name, "err", err)
				continue
			}
			h.Set(name, value.Reveal())
		}
		return h
	}
}

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

// targetOf drops what is secret: the inventory stands in every snapshot.
func targetOf(t config.Target, origin string) inventory.Target {
	out := inventory.Target{
		Key: t.Key(), Host: t.Host, Port: t.Port, Path: t.Path, Origin: origin,
		Addresses: t.Addresses, Allow: t.Allow,
	}
	if ns, name, ok := strings.Cut(t.Service, "/"); ok {
		out.Service = inventory.ServiceRef{Namespace: ns, Name: name}
	}
	for _, r := range t.Expect.Status {
		out.Expect.Status = append(out.Expect.Status, inventory.StatusRange{From: r.First, To: r.Last})
	}
	if t.Expect.BodyRegex != nil {
		out.Expect.BodyRegex = t.Expect.BodyRegex.String()
	}
	for name, re := range t.Expect.Headers {
		if out.Expect.Headers == nil {
			out.Expect.Headers = map[string]string{}
		}
		out.Expect.Headers[name] = re.String()
	}
	return out
}
