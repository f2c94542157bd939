package config

import "time"

// Alerts is who is told, and when.
type Alerts struct {
	ClusterName   string        `yaml:"cluster_name"`   // shown in messages
	ExternalURL   string        `yaml:"external_url"`   // of the status page, for links; empty: none
	StartupNotice bool          `yaml:"startup_notice"` // one line when the watch begins
	Pending       Pending       `yaml:"pending"`        // how long an incident must last before it is told
	ResolveAfter  time.Duration `yaml:"resolve_after"`  // how long it must be well before it is called resolved
	Repeat        time.Duration `yaml:"repeat"`         // after how long it is told again while it lasts; 0: never
	MinSeverity   string        `yaml:"min_severity"`   // the least that is told: critical, warning, unknown or info
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
	Events       Events       `yaml:"events"`       // in the cluster, of the Service
	Stdout       Stdout       `yaml:"stdout"`       // a line of JSON for each message
}

// Stdout is the program's own output, for who collects that. The log is on stderr.
type Stdout struct {
	Enabled bool `yaml:"enabled"` // each message is a line: the JSON that a webhook gets
	Routing `yaml:",inline"`
}

// Events of the Service tell of its incidents, where a cluster is watched.
type Events struct {
	Enabled Toggle `yaml:"enabled"` // auto: where a cluster is watched; true is the same; false: never
	Routing `yaml:",inline"`
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
	Critical time.Duration `yaml:"critical"` // those of severity critical; left out: interval, timeout and 5s, so that it was seen twice
	Warning  time.Duration `yaml:"warning"`  // all others
}

// Silence is what is not told until a moment. At least one of Hosts, Incident and Code is
// set; an incident must fit all that are.
type Silence struct {
	Hosts    []string `yaml:"hosts"`    // patterns; all hostnames of the incident must fit one
	Incident string   `yaml:"incident"` // an incident's ID, as the status page and JSON show it
	Code     string   `yaml:"code"`     // of the incident; a pattern such as dns/*
	Until    string   `yaml:"until"`    // a moment (RFC 3339)
	Comment  string   `yaml:"comment"`  // for who reads the file
	// Parsed is what Until says.
	Parsed time.Time `yaml:"-"`
}

// Routing says which incidents a sink is told of. What is empty asks nothing.
type Routing struct {
	MinSeverity string            `yaml:"min_severity"` // empty: that of all alerts
	Namespaces  []string          `yaml:"namespaces"`   // of the Service, or of what declares one of the hosts
	Hosts       []string          `yaml:"hosts"`        // patterns, of which one host must fit one
	Labels      map[string]string `yaml:"labels"`       // one host must have them all
}

// Slack is an incoming webhook. When Configured, exactly one of the two is set.
type Slack struct {
	Configured     bool   `yaml:"-"`
	WebhookURLFile string `yaml:"webhook_url_file"` // its content is the URL; this or WebhookURL
	WebhookURL     Secret `yaml:"webhook_url"`      // better in a file
	Routing        `yaml:",inline"`
}

// Alertmanager is reached at URLs, one for each of its instances. Without any there is
// none.
type Alertmanager struct {
	URLs            []string  `yaml:"urls"`              // without the path of the API
	BasicAuth       BasicAuth `yaml:"basic_auth"`        // user and password; this or BearerTokenFile
	BearerTokenFile string    `yaml:"bearer_token_file"` // its content is the token
	Routing         `yaml:",inline"`
}

// Webhook is an address that takes messages as JSON. Exactly one of URL and URLFile is
// set.
type Webhook struct {
	Name    string `yaml:"name"`     // in metrics and the log: lower-case letters, digits and -
	URLFile string `yaml:"url_file"` // its content is the URL; this or URL
	URL     Secret `yaml:"url"`      // better in a file
	KeyFile string `yaml:"key_file"` // with which messages are signed; empty: they are not
	Routing `yaml:",inline"`
}

// Heartbeat is asked as long as the watch goes on. Without URLFile there is none.
type Heartbeat struct {
	URLFile string        `yaml:"url_file"` // its content is the URL; empty: no heartbeat
	Every   time.Duration `yaml:"every"`    // between two requests
}
