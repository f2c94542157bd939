package config

import "time"

// Alerts is who is told, and when.
type Alerts struct {
	ClusterName   string        `yaml:"cluster_name"`   // shown in messages
	ExternalURL   string        `yaml:"external_url"`   // of the status page, for links; empty: none
	StartupNotice bool          `yaml:"startup_notice"` // one line when the watch begins
	Pending       Pending       `yaml:"pending"`        // how long an incident must last before it is told
	ResolveAfter  time.Duration `yaml:"resolve_after"`  // how long it must be well before it is called resolved
	Repeat        time.Duration `yaml:"repeat"`         // 0: never repeated
	MinSeverity   string        `yaml:"min_severity"`   // critical, warning, unknown or info
	// Flaps: what begins for this many times in an hour is told as flapping; 0: never.
	Flaps Count `yaml:"flaps"`
	// Storm is how many messages of one kind one look may lead to; more become one
	// message. 0: no limit.
	Storm        Count        `yaml:"storm"`
	Silences     []Silence    `yaml:"silences"`     // what is not told until a moment
	Slack        Slack        `yaml:"slack"`        // an incoming webhook
	Alertmanager Alertmanager `yaml:"alertmanager"` // told of every incident, again and again
	Webhooks     []Webhook    `yaml:"webhooks"`     // JSON, signed if you like
	Heartbeat    Heartbeat    `yaml:"heartbeat"`    // so that silence is noticed
	// Events: incidents are written as Events of the Service. "auto" and "true" are
	// the same where a cluster is watched; elsewhere "true" is for nothing.
	Events Toggle `yaml:"events"`
}

// Count is a number from 0 to 1000.
type Count int

// secondLook is when the look after a bad one has been judged: one bad look, as when a
// server is just being restarted, alerts nobody. Judgements are up to five seconds apart.
func secondLook(interval, timeout time.Duration) time.Duration {
	return interval + timeout + 5*time.Second
}

// Pending is how long an incident must last before it is told.
type Pending struct {
	Critical time.Duration `yaml:"critical"` // those of severity critical
	Warning  time.Duration `yaml:"warning"`  // all others
}

// Silence is what is not told until a moment. At least one of Hosts, Incident and Code is
// set; an incident must fit all that are.
type Silence struct {
	Hosts    []string `yaml:"hosts"`    // patterns; all hostnames of the incident must fit one
	Incident string   `yaml:"incident"` // an incident's ID
	Code     string   `yaml:"code"`     // a pattern: dns/*
	Until    string   `yaml:"until"`    // RFC 3339
	Comment  string   `yaml:"comment"`  // for who reads the file
	// Parsed is what Until says.
	Parsed time.Time `yaml:"-"`
}

// Routing says which incidents a sink is told of. What is empty asks nothing.
type Routing struct {
	MinSeverity string            // empty: that of all alerts
	Namespaces  []string          // of the Service, or of what declares one of the hosts
	Hosts       []string          // patterns, of which one host must fit one
	Labels      map[string]string // one host must have them all
}

// Slack is an incoming webhook. When Configured, exactly one of the two is set.
type Slack struct {
	Configured     bool              `yaml:"-"`
	WebhookURLFile string            `yaml:"webhook_url_file"` // its content is the URL; this or WebhookURL
	WebhookURL     Secret            `yaml:"webhook_url"`      // better in a file
	MinSeverity    string            `yaml:"min_severity"`
	Namespaces     []string          `yaml:"namespaces"`
	Hosts          []string          `yaml:"hosts"`
	Labels         map[string]string `yaml:"labels"`
}

// Routing says what Slack is told.
func (s Slack) Routing() Routing { return Routing{s.MinSeverity, s.Namespaces, s.Hosts, s.Labels} }

// Alertmanager is reached at URLs, one for each of its instances. Without any there is
// none.
type Alertmanager struct {
	URLs []string `yaml:"urls"` // without the path of the API
	// At most one of the two is set.
	BasicAuth       BasicAuth         `yaml:"basic_auth"`
	BearerTokenFile string            `yaml:"bearer_token_file"` // its content is the token
	MinSeverity     string            `yaml:"min_severity"`
	Namespaces      []string          `yaml:"namespaces"`
	Hosts           []string          `yaml:"hosts"`
	Labels          map[string]string `yaml:"labels"`
}

// Routing says what Alertmanager is told.
func (a Alertmanager) Routing() Routing {
	return Routing{a.MinSeverity, a.Namespaces, a.Hosts, a.Labels}
}

// Webhook is an address that takes messages as JSON. Exactly one of URL and URLFile is
// set.
type Webhook struct {
	Name        string            `yaml:"name"`     // as a DNS label
	URLFile     string            `yaml:"url_file"` // its content is the URL; this or URL
	URL         Secret            `yaml:"url"`      // better in a file
	KeyFile     string            `yaml:"key_file"` // with which messages are signed; empty: they are not
	MinSeverity string            `yaml:"min_severity"`
	Namespaces  []string          `yaml:"namespaces"`
	Hosts       []string          `yaml:"hosts"`
	Labels      map[string]string `yaml:"labels"`
}

// Routing says what the webhook is told.
func (w Webhook) Routing() Routing { return Routing{w.MinSeverity, w.Namespaces, w.Hosts, w.Labels} }

// Heartbeat is asked as long as the watch goes on. Without URLFile there is none.
type Heartbeat struct {
	URLFile string        `yaml:"url_file"` // its content is the URL; empty: no heartbeat
	Every   time.Duration `yaml:"every"`    // between two requests
}
