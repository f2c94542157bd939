package config

import (
	"net/netip"
	"regexp"
	"time"
)

// Config is one whole configuration: decoded, defaulted and valid when it
// comes from Parse, Load or Default.
type Config struct {
	Interval     time.Duration `yaml:"interval"` // between two HTTPS probes of one target; 1s to 24h
	Timeout      time.Duration `yaml:"timeout"`  // for one observation, all of it; at most Interval
	Targets      []Target      `yaml:"targets"`
	DNS          DNS           `yaml:"dns"`
	TLS          TLS           `yaml:"tls"`
	Probe        Probe         `yaml:"probe"`
	Kubernetes   Kubernetes    `yaml:"kubernetes"`
	DigitalOcean DigitalOcean  `yaml:"digitalocean"`
	Alerts       Alerts        `yaml:"alerts"`
	State        State         `yaml:"state"`
}

// Target is one URL to watch and what is expected of it. ParseTarget or Parse
// make it; URL, Host, Port and Path always agree.
type Target struct {
	// URL is canonical: https, ASCII host in lower case without a trailing
	// dot, no default port, never an empty path. It is the target's identity.
	URL string `yaml:"url"`
	// Host is the ASCII (IDNA 2008) name, lower case, no trailing dot. It
	// starts with "*." for a wildcard.
	Host string `yaml:"host"`
	// Port is 1 to 65535.
	Port uint16 `yaml:"-"`
	// Path is what a request line carries: path and query, never empty.
	Path string `yaml:"-"`

	// Service is "namespace/name" of the Service whose load balancer must be
	// in front, or empty. Never set together with Addresses.
	Service string `yaml:"service"`
	// Addresses are pinned: exactly these must be published.
	Addresses []netip.Addr `yaml:"addresses"`
	// Allow lists networks that may be published beside or instead of the
	// expected addresses (a CDN in front).
	Allow []netip.Prefix `yaml:"allow"`

	Expect Expect `yaml:"expect"`
	// Headers and HeaderFiles are keyed by canonical header name; no name is
	// in both. A file's content is the value, see ReadSecretFile.
	Headers     map[string]Secret `yaml:"headers"`
	HeaderFiles map[string]string `yaml:"header_files"`
}

// Key is the canonical URL: two targets are the same when their keys are.
func (t Target) Key() string { return t.URL }

// Wildcard says whether the target stands for every name under a zone.
func (t Target) Wildcard() bool { return len(t.Host) > 1 && t.Host[0] == '*' }

// Expect is the response a target should give. An empty field asks nothing.
type Expect struct {
	Status    []StatusRange             `yaml:"status"`
	BodyRegex *regexp.Regexp            `yaml:"body_regex"`
	Headers   map[string]*regexp.Regexp `yaml:"headers"` // by canonical header name
}

// DNS is how names are resolved and judged.
type DNS struct {
	Interval time.Duration `yaml:"interval"` // between two resolutions of one name
	Timeout  time.Duration `yaml:"timeout"`  // for one resolution, all of it; at most Interval
	MaxTTL   time.Duration `yaml:"max_ttl"`  // longest TTL tolerated on the way to a load balancer
	// RootServers replace the public roots; empty means the built-in ones.
	RootServers []netip.Addr `yaml:"root_servers"`
	// Port is where authoritative servers listen: 53 outside of tests.
	Port uint16 `yaml:"port"`
	// Resolvers are asked for what users see; empty means that none is. An
	// entry without a port gets 53.
	Resolvers []netip.AddrPort `yaml:"resolvers"`
	// Servers are asked about a zone (key: ASCII, lower case, no trailing dot)
	// instead of following its delegation. An entry without a port gets Port.
	Servers map[string][]netip.AddrPort `yaml:"servers"`
	// Rate is how many questions a second one server is asked at most; 0, as if left
	// out, is the built-in limit.
	Rate Rate `yaml:"rate"`
}

// Rate is a number of questions a second, at least 1 if it was given.
type Rate int

// TLS is what certificates are verified against.
type TLS struct {
	CAFile string `yaml:"ca_file"` // PEM file, instead of the system's roots; empty: the system's
}

// Probe limits where probes go.
type Probe struct {
	// AllowAddresses are special-purpose networks that may be connected to.
	AllowAddresses []netip.Prefix `yaml:"allow_addresses"`
}

// Toggle is a switch with a third position.
type Toggle string

// The positions of a Toggle. Auto leaves the choice to what is found at run
// time.
const (
	Auto Toggle = "auto"
	On   Toggle = "true"
	Off  Toggle = "false"
)

// Kubernetes is where the cluster is.
type Kubernetes struct {
	Configured bool     `yaml:"-"` // the file has this section, even an empty one
	Enabled    Toggle   `yaml:"enabled"`
	Kubeconfig string   `yaml:"kubeconfig"` // path; empty: the usual places
	Context    string   `yaml:"context"`    // empty: the kubeconfig's current one
	Namespaces []string `yaml:"namespaces"` // empty: all
	HTTPSPort  uint16   `yaml:"https_port"` // where the hosts found in the cluster answer; 1 to 65535
}

// DigitalOcean is how the cloud's API is reached. Without TokenFile the token
// comes from the environment, which is not read here.
type DigitalOcean struct {
	Configured bool   `yaml:"-"` // the file has this section, even an empty one
	TokenFile  string `yaml:"token_file"`
	APIURL     string `yaml:"api_url"` // empty: the public API
}

// Alerts is who is told, and when.
type Alerts struct {
	ClusterName  string        `yaml:"cluster_name"` // shown in messages
	Pending      Pending       `yaml:"pending"`
	ResolveAfter time.Duration `yaml:"resolve_after"` // how long it must be well before it is called resolved
	Repeat       time.Duration `yaml:"repeat"`        // 0: never repeated
	MinSeverity  string        `yaml:"min_severity"`  // critical, warning, unknown or info
	Slack        Slack         `yaml:"slack"`
}

// Pending is how long an incident must last before it is told.
type Pending struct {
	Critical time.Duration `yaml:"critical"`
	Warning  time.Duration `yaml:"warning"`
}

// Slack is an incoming webhook. When Configured, exactly one of the two is set.
type Slack struct {
	Configured     bool   `yaml:"-"`
	WebhookURLFile string `yaml:"webhook_url_file"`
	WebhookURL     Secret `yaml:"webhook_url"`
}

// State is where memory is kept over restarts; an empty File means nowhere.
type State struct {
	File string `yaml:"file"`
}

// Default is the configuration of an empty file. Each call returns a value of
// its own.
func Default() Config {
	resolver := func(a, b, c, d byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{a, b, c, d}), 53)
	}
	return Config{
		Interval: 30 * time.Second,
		Timeout:  10 * time.Second,
		DNS: DNS{
			Interval:  time.Minute,
			Timeout:   5 * time.Second,
			MaxTTL:    5 * time.Minute,
			Port:      53,
			Resolvers: []netip.AddrPort{resolver(1, 1, 1, 1), resolver(8, 8, 8, 8), resolver(9, 9, 9, 9)},
		},
		Kubernetes: Kubernetes{Enabled: Auto, HTTPSPort: 443},
		Alerts: Alerts{
			Pending:      Pending{Critical: 30 * time.Second, Warning: 5 * time.Minute},
			ResolveAfter: time.Minute,
			Repeat:       4 * time.Hour,
			MinSeverity:  "warning",
		},
	}
}
