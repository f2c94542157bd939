package main

import (
	"errors"
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// options are the command line of the main job.
type options struct {
	config                          string
	once, checkConfig, syntaxOnly   bool
	version, verbose                bool
	output, failOn                  string
	listen, logLevel, logFormat     string
	shard                           string
	roots, resolvers, caFile, allow string
	dnsPort                         uint
	args                            []string

	set      map[string]bool
	severity finding.Severity
}

const usage = `Usage: driftprobe [flags] [HOST | https://HOST/path …]
       driftprobe demo | lint FILE… | judge FILE | explain [CODE]
       driftprobe completion SHELL | man | healthcheck [URL] | help COMMAND

driftprobe finds out why clients do not reach a hostname: it compares what every
authoritative server publishes with the load balancers that should be in front.

  driftprobe demo                              play the outage, on loopback
  driftprobe --once api.example.com            diagnose a name, no configuration
  driftprobe --once --config driftprobe.yaml   diagnose everything once
  driftprobe --config driftprobe.yaml          watch, serve /metrics, tell Slack
  helm template . | driftprobe lint -          judge manifests, touch no network

Exit code: 0 clean, 1 found something, 2 usage or configuration, 3 unknown.
`

// flags are the flags of the main job, bound to o.
func (o *options) flags() *flag.FlagSet {
	fs := newFlags("driftprobe")
	o.lookFlags(fs)
	o.reportFlags(fs)
	fs.BoolVar(&o.once, "once", false, "look once, print the diagnosis, exit")
	fs.BoolVar(&o.checkConfig, "check-config", false, "check the configuration and exit")
	fs.BoolVar(&o.syntaxOnly, "syntax-only", false, "check it without the files that it names")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	fs.StringVar(&o.shard, "shard", "", "`INDEX/COUNT`: look at this part of the hosts, 0/3 of 3")
	fs.StringVar(&o.listen, "web.listen-address", ":9798", "`ADDRESS`: of metrics and status page")
	fs.StringVar(&o.logLevel, "log.level", "info", "`LEVEL`: debug, info, warn or error")
	fs.StringVar(&o.logFormat, "log.format", "logfmt", "`FORMAT`: logfmt or json")
	return fs
}

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// reportFlags are those that say what is printed, and what the exit code is.
func (o *options) reportFlags(fs *flag.FlagSet) {
	fs.BoolVar(&o.verbose, "v", false, "name every hostname, finding and address")
	fs.StringVar(&o.output, "o", "text", "`FORMAT`: "+formats)
	fs.StringVar(&o.failOn, "fail-on", "warning", "least `SEVERITY` to exit with 1")
}

// lookFlags are those that say where and how to look.
func (o *options) lookFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.config, "config", "", "configuration `FILE` (YAML)")
	fs.StringVar(&o.roots, "dns.root-servers", "", "`IP,…`: other DNS roots")
	fs.UintVar(&o.dnsPort, "dns.port", 53, "`PORT`: where authoritative servers listen")
	fs.StringVar(&o.resolvers, "dns.resolvers", "", "`IP[:PORT],…`: recursive resolvers; none: -")
	fs.StringVar(&o.caFile, "tls.ca-file", "", "PEM `FILE` instead of the system's roots")
	fs.StringVar(&o.allow, "probe.allow-addresses", "", "`CIDR,…`: special addresses to allow")
}

// parse reads the flags of fs, which are bound to o, and returns the other arguments.
func (o *options) parse(fs *flag.FlagSet, args []string) ([]string, error) {
	rest, err := parse(fs, args)
	if err != nil {
		return nil, err
	}
	o.set = map[string]bool{}
	fs.Visit(func(f *flag.Flag) { o.set[f.Name] = true })
	return rest, o.check()
}

func (o *options) check() (err error) {
	if !slices.Contains([]string{"text", "json", "junit", "sarif"}, o.output) {
		return faultf("use -o "+formats, "unknown output format %q", o.output)
	}
	if o.severity, err = finding.ParseSeverity(o.failOn); err != nil || o.severity == finding.Unknown {
		return faultf("use info, warning or critical", "--fail-on: unknown severity %q", o.failOn)
	}
	if o.checkConfig && o.config == "" {
		return faultf("name the file: --config FILE --check-config", "--check-config without --config")
	}
	if o.syntaxOnly && !o.checkConfig {
		return faultf("add --check-config", "--syntax-only belongs to --check-config")
	}
	return nil
}

func (o *options) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, faultf("use debug, info, warn or error", "--log.level: unknown level %q", o.logLevel)
	}
	if o.once && !o.set["log.level"] {
		level = slog.LevelError // the report says what could not be seen
	}
	h := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "logfmt":
		return slog.New(slog.NewTextHandler(w, h)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, h)), nil
	}
	return nil, faultf("use logfmt or json", "--log.format: unknown format %q", o.logFormat)
}

// open is load, and opens the files that the configuration names too: all that is wrong with
// any of them is told at once. It is called again at each reload.
func (o *options) open(p process) (config.Config, []inventory.Target, error) {
	cfg, targets, err := o.load()
	var wrong config.Problems
	if err != nil && !errors.As(err, &wrong) {
		return cfg, nil, err
	}
	if wrong = append(wrong, unusable(p, cfg, wrong)...); len(wrong) > 0 {
		wrong.Sort()
		// What follows from no line of the file is not what to mend first.
		placed := func(p config.Problem) int { return min(p.Line, 1) }
		slices.SortStableFunc(wrong, func(a, b config.Problem) int { return placed(b) - placed(a) })
		return cfg, nil, wrong
	}
	return cfg, targets, nil
}

// canReadAgain refuses a configuration that can be read only once, for a run that reads it at
// each reload.
func (o *options) canReadAgain() error {
	if o.config == "" || o.once || o.checkConfig {
		return nil
	}
	const once = fs.ModeNamedPipe | fs.ModeSocket | fs.ModeCharDevice
	if file, err := os.Stat(o.config); err != nil || file.Mode()&once == 0 {
		return nil // what else is wrong is told by whoever reads it
	}
	return faultf("write it to a file, or add --once", "--config %s: it can be read only once, and a reload reads it again", o.config)
}

// load reads the configuration, lays the flags over it, and joins the targets of both.
func (o *options) load() (config.Config, []inventory.Target, error) {
	cfg := config.Default()
	if o.config != "" {
		var err error
		if cfg, err = config.Load(o.config); err != nil {
			return cfg, nil, err
		}
	}
	if err := o.overlay(&cfg); err != nil {
		return cfg, nil, err
	}
	keptApart(&cfg)
	var targets []inventory.Target
	for _, t := range cfg.Targets {
		targets = append(targets, targetOf(t, "config"))
	}
	for _, arg := range o.args {
		t, err := config.ParseTarget(arg)
		if err != nil {
			return cfg, nil, err
		}
		targets = append(targets, targetOf(t, "command line"))
	}
	return cfg, targets, nil
}

func (o *options) overlay(cfg *config.Config) error {
	if o.set["dns.root-servers"] {
		cfg.DNS.RootServers = nil
		for _, text := range split(o.roots) {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return faultf("write IP addresses with commas between", "--dns.root-servers: %q is no IP address", text)
			}
			cfg.DNS.RootServers = append(cfg.DNS.RootServers, a)
		}
	}
	if o.set["dns.port"] {
		if o.dnsPort == 0 || o.dnsPort > 65535 {
			return faultf("a port is 1 to 65535", "--dns.port: %d is no port", o.dnsPort)
		}
		cfg.DNS.Port = uint16(o.dnsPort)
	}
	if o.set["dns.resolvers"] {
		cfg.DNS.Resolvers = nil
		for _, text := range split(strings.TrimPrefix(o.resolvers, "-")) {
			a, err := netip.ParseAddrPort(text)
			if ip, ipErr := netip.ParseAddr(text); ipErr == nil {
				a, err = netip.AddrPortFrom(ip, 53), nil
			}
			if err != nil {
				return faultf("write IP or IP:PORT, with commas between", "--dns.resolvers: %q is no address", text)
			}
			cfg.DNS.Resolvers = append(cfg.DNS.Resolvers, a)
		}
	}
	if o.set["probe.allow-addresses"] {
		cfg.Probe.AllowAddresses = nil
		for _, text := range split(o.allow) {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return faultf("write ranges such as 10.0.0.0/8, with commas between", "--probe.allow-addresses: %q is no range", text)
			}
			cfg.Probe.AllowAddresses = append(cfg.Probe.AllowAddresses, prefix.Masked())
		}
	}
	if o.set["tls.ca-file"] {
		cfg.TLS.CAFile = o.caFile
		cfg.Given("tls.ca_file", "--tls.ca-file")
	}
	if o.set["shard"] {
		s, err := parseShard(o.shard)
		if err != nil {
			return err
		}
		cfg.Shard = s
	}
	return nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
