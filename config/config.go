package config

import (
	"net/netip"
	"regexp"
	"time"

	"driftprobe/internal/inventory"
)

// Config is one whole configuration: decoded, defaulted and valid when it
// comes from Parse, Load or Default.
type Config struct {
	Interval     time.Duration `yaml:"interval"`     // between two HTTPS probes of one target; 1s to 24h
	Timeout      time.Duration `yaml:"timeout"`      // for one observation, all of it; at most Interval
	Targets      []Target      `yaml:"targets"`      // what to watch, besides the hosts of the cluster
	DNS          DNS           `yaml:"dns"`          // whom to ask, how often
	TLS          TLS           `yaml:"tls"`          // what certificates are verified against
	Probe        Probe         `yaml:"probe"`        // where probes may go
	Kubernetes   Kubernetes    `yaml:"kubernetes"`   // the cluster whose hosts and Services are read
	DigitalOcean DigitalOcean  `yaml:"digitalocean"` // the cloud that has the load balancers
	Alerts       Alerts        `yaml:"alerts"`       // who is told, and when
	State        State         `yaml:"state"`        // where memory is kept over restarts
	Shard        Shard         `yaml:"shard"`        // which part of the hosts is looked at, of several processes
	Certificates Certificates  `yaml:"certificates"` // authorities, their limits, and the logs of Certificate Transparency
	// Maintenance holds for all hosts, those of the cluster too.
	Maintenance []Window `yaml:"maintenance"`

	// places is where the files are named, by key.
	places map[string]place
}

// Target is one URL to watch and what is expected of it. ParseTarget or Parse
// make it; URL, Scheme, Host, Port and Path always agree.
type Target struct {
	// URL is canonical: https, http, tls or tcp, ASCII host in lower case without a
	// trailing dot, no default port, never an empty path. It is the target's identity.
	URL string `yaml:"url"`
	// Host is the ASCII (IDNA 2008) name, lower case, no trailing dot. It
	// starts with "*." for a wildcard.
	Host string `yaml:"host"`
	// Scheme is "https", "http", "tls" or "tcp".
	Scheme string `yaml:"-"`
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

	Expect    Expect    `yaml:"expect"`    // what it must answer
	Redirects Redirects `yaml:"redirects"` // which are followed
	Method    string    `yaml:"method"`    // of the request; empty: GET
	Body      Secret    `yaml:"body"`      // what is sent with POST, PUT or PATCH
	BodyFile  string    `yaml:"body_file"` // its content is the body; this or Body
	// Headers are sent with the request, by name.
	Headers map[string]Secret `yaml:"headers"`
	// HeaderFiles are files by the name of a header: their content is its value,
	// without the white space around it. No name is also in Headers.
	HeaderFiles       map[string]string `yaml:"header_files"`
	BasicAuth         BasicAuth         `yaml:"basic_auth"`         // user and password; not beside BearerTokenFile
	BearerTokenFile   string            `yaml:"bearer_token_file"`  // its content is a bearer token (RFC 6750)
	ClientCertificate ClientCertificate `yaml:"client_certificate"` // what it is shown where it asks for a certificate
	Maintenance       []Window          `yaml:"maintenance"`        // when nobody is told of its faults
	// Labels say by whom its incidents are to be heard.
	Labels map[string]string `yaml:"labels"`
}

// Key is the canonical URL: two targets are the same when their keys are.
func (t Target) Key() string { return t.URL }

// Wildcard says whether the target stands for every name under a zone.
func (t Target) Wildcard() bool { return len(t.Host) > 1 && t.Host[0] == '*' }

// Secrets says whether anything is sent that not everybody may see.
func (t Target) Secrets() bool {
	return len(t.Headers)+len(t.HeaderFiles) > 0 || t.SendsBody() || t.BasicAuth.Username != "" ||
		t.BearerTokenFile != "" || t.ClientCertificate.CertFile != ""
}

// SendsBody says whether the request has a body.
func (t Target) SendsBody() bool { return !t.Body.IsZero() || t.BodyFile != "" }

// Expect is the response a target should give. An empty field asks nothing.
type Expect struct {
	Status      []StatusRange             `yaml:"status"`      // any of them; without it all below 500 but 421, and 400 with a warning
	BodyRegex   *regexp.Regexp            `yaml:"body_regex"`  // must match somewhere in the first 1 MiB of the body
	Headers     map[string]*regexp.Regexp `yaml:"headers"`     // by header name: each must be there and match
	JSON        map[string]*regexp.Regexp `yaml:"json"`        // by path in the body (docs/probe.md): the value must match
	FinalURL    *regexp.Regexp            `yaml:"final_url"`   // where the redirects end
	Protocol    string                    `yaml:"protocol"`    // "h2" or "http/1.1"
	Within      time.Duration             `yaml:"within"`      // for the whole look, at most `timeout`
	Identity    Identity                  `yaml:"identity"`    // the proof that it is the target
	Unreachable bool                      `yaml:"unreachable"` // nothing may answer
	TLS         []string                  `yaml:"tls"`         // the faults that the certificate is meant to have: codes without "tls/"
}

// Identity is a header or a page, by its path, that only the target itself gives.
type Identity struct {
	Header string         `yaml:"header"` // its name; this or Path
	Path   string         `yaml:"path"`   // of the page, on the same host
	Regex  *regexp.Regexp `yaml:"regex"`  // must match the header or the body of the page
}

// Redirects says which redirects are followed: none, those to the target's own
// host, or those to some further hosts too.
type Redirects struct {
	Follow bool     `yaml:"follow"` // else they are judged and not followed
	Hosts  []string `yaml:"hosts"`  // ASCII, lower case
}

// BasicAuth is a user and a password (RFC 7617); exactly one of the two last is set.
type BasicAuth struct {
	Username     string `yaml:"username"`      // without a colon
	Password     Secret `yaml:"password"`      // better in a file
	PasswordFile string `yaml:"password_file"` // its content is the password
}

// ClientCertificate names PEM files; both are set, or none.
type ClientCertificate struct {
	CertFile string `yaml:"cert_file"` // the chain, PEM
	KeyFile  string `yaml:"key_file"`  // the key, PEM
}

// Window is a time of maintenance: between two moments (RFC 3339), or between two
// times of the day ("22:00") on some days of the week, or on all of them.
type Window struct {
	From     string   `yaml:"from"`     // a moment (RFC 3339), or a time of the day: 22:00
	Until    string   `yaml:"until"`    // the same kind as From; earlier than it: on the next day
	Days     []string `yaml:"days"`     // "mon" to "sun"
	Timezone string   `yaml:"timezone"` // of times of the day, such as Europe/Berlin; empty: UTC
	// Parsed is what the four say.
	Parsed inventory.Window `yaml:"-"`
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
	// Rate is how many questions a second one server is asked at most. Left out it is
	// 400, and no limit at special-purpose addresses, where servers are your own.
	Rate Rate `yaml:"rate"`
}

// Rate is a number of questions a second, at least 1 if it was given.
type Rate int

// TLS is what certificates are verified against.
type TLS struct {
	CAFile string `yaml:"ca_file"` // PEM file, instead of the system's roots; empty: the system's
	// AIA allows to fetch a missing intermediate from where the certificate says that
	// it is published.
	AIA bool `yaml:"aia"`
	CRL bool `yaml:"crl"` // allows to fetch the revocation lists of trusted authorities
}

// Probe limits where probes go.
type Probe struct {
	// AllowAddresses are special-purpose networks that may be connected to.
	AllowAddresses []netip.Prefix `yaml:"allow_addresses"`
	// AllowAnyTarget lets whoever can ask /probe name any host of the public Internet,
	// and not only targets of the configuration.
	AllowAnyTarget bool `yaml:"allow_any_target"`
}

// Certificates is what is known of those who issue certificates, by the organisation
// that they have in the issuer.
type Certificates struct {
	// Authorities are all that may issue for the targets; empty: any.
	Authorities []string `yaml:"authorities"`
	// Limits are those for certificates with exactly the same set of names. That of
	// Let's Encrypt is known.
	Limits map[string]Limit `yaml:"limits"`
	CT     CT               `yaml:"ct"` // nothing is read by default
}

// CT is where Certificate Transparency is read; nothing is by default.
type CT struct {
	CertSpotter CertSpotter `yaml:"certspotter"` // SSLMate's search service for the public logs
	Logs        []CTLog     `yaml:"logs"`        // logs with the Static CT API, read directly
}

// CertSpotter is SSLMate's search service for the public logs.
type CertSpotter struct {
	Configured bool   `yaml:"-"`        // the file has this section, even an empty one
	APIURL     string `yaml:"api_url"`  // empty: the public API
	KeyFile    string `yaml:"key_file"` // empty: asked without a key, which allows less
}

// CTLog is one log with the Static CT API. Both are set.
type CTLog struct {
	URL           string `yaml:"url"`             // the monitoring prefix
	PublicKeyFile string `yaml:"public_key_file"` // PEM; what the log signs is verified with it
}

// Limit is "5 per 168h": as many at once, and evenly in that time one after the other.
type Limit struct {
	Count int
	Per   time.Duration
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
	Configured bool     `yaml:"-"`          // the file has this section, even an empty one
	Enabled    Toggle   `yaml:"enabled"`    // auto: with this section, and in a pod; false: never
	Kubeconfig string   `yaml:"kubeconfig"` // path; empty: the pod's own rights, else KUBECONFIG, else ~/.kube/config
	Context    string   `yaml:"context"`    // of the kubeconfig; empty: its current one
	Namespaces []string `yaml:"namespaces"` // the only ones that are read; empty: all
	HTTPSPort  uint16   `yaml:"https_port"` // where the hosts found in the cluster answer; 1 to 65535
	// Lease is "namespace/name" of the Lease that says which of several processes
	// alerts and writes the state, or empty: this one does. Never set without
	// State.ConfigMap.
	Lease string `yaml:"lease"`
}

// DigitalOcean is how the cloud's API is reached. Without TokenFile the token
// comes from the environment, which is not read here.
type DigitalOcean struct {
	Configured bool   `yaml:"-"`          // the file has this section, even an empty one
	TokenFile  string `yaml:"token_file"` // empty: DIGITALOCEAN_TOKEN in the environment
	APIURL     string `yaml:"api_url"`    // empty: the public API
}

// State is where memory is kept over restarts: in a file, in a ConfigMap
// ("namespace/name"), or nowhere if both are empty.
type State struct {
	File      string `yaml:"file"`      // it is made if it is not there; its folder must be writable
	ConfigMap string `yaml:"configmap"` // "namespace/name"; it is made if it is not there
}

// Shard is the part of all hosts that this process looks at, where several share them.
type Shard struct {
	Index Count `yaml:"index"` // of this process, from 0; better by --shard INDEX/COUNT, so that all can have one file
	Count Count `yaml:"count"` // of the processes that share the hosts, 1 to 64
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
		TLS:        TLS{CRL: true},
		Shard:      Shard{Count: 1},
		Kubernetes: Kubernetes{Enabled: Auto, HTTPSPort: 443},
		Alerts: Alerts{
			Pending:      Pending{Critical: secondLook(30*time.Second, 10*time.Second), Warning: 5 * time.Minute},
			ResolveAfter: time.Minute,
			Repeat:       4 * time.Hour,
			MinSeverity:  "warning",
			Flaps:        3,
			Storm:        20,
			Events:       Events{Enabled: Auto},
			Heartbeat:    Heartbeat{Every: time.Minute},
		},
	}
}
