// Package probe goes to one address of a target as a client would, records what
// happened on the way (TCP, TLS, HTTP), and judges reachability, response and
// certificate.
//
// Observe returns an Observation, whatever the target does; Judge is pure. An
// address that is not expected is a stranger: it gets a TCP connection and a TLS
// handshake, and never the target's path, headers or body.
package probe

import (
	"net/http"
	"net/netip"
	"time"

	"driftprobe/internal/inventory"
)

// Request says where to go and what to present there.
type Request struct {
	Target  inventory.Target
	Address netip.AddrPort
	// Stranger limits the probe to TCP and TLS: the address is not known to belong
	// to the target.
	Stranger bool
	// Pinned means that the configuration names this very address, so that it is
	// allowed even if it is special-purpose.
	Pinned bool
	// Bypass tells that the probe does not cross the load balancer; nil if it does.
	Bypass *Bypass
	// Headers are sent with the request, never to a stranger. They are secret.
	Headers http.Header
}

// Observation is what happened at one address.
type Observation struct {
	// Target is the target's key, Host the name presented as SNI and Host.
	Target   string         `json:"target"`
	Host     string         `json:"host"`
	Address  netip.AddrPort `json:"address"`
	Stranger bool           `json:"stranger,omitempty"`
	// TLSOnly: the target need not speak HTTP, and was not asked.
	TLSOnly bool `json:"tls_only,omitempty"`
	// Bypass tells that the probe went past the load balancer, straight to what is
	// behind it; nil if it went as a client does.
	Bypass *Bypass   `json:"bypass,omitempty"`
	At     time.Time `json:"at"`
	// Reached is the last phase that succeeded.
	Reached Phase `json:"reached"`
	// Fault says what ended the probe early; the zero value if all of it went
	// through.
	Fault Fault    `json:"fault,omitzero"`
	TLS   *TLS     `json:"tls,omitempty"`
	HTTP  *HTTP    `json:"http,omitempty"`
	Took  Duration `json:"took"`
}

// Bypass is how a probe differs from a client: from inside the cluster it goes past the
// load balancer, straight to the pods of the Service.
type Bypass struct {
	Service inventory.ServiceRef `json:"service"`
	// ProxyProtocol: the load balancer speaks PROXY protocol to the pods, so the probe
	// did too.
	ProxyProtocol bool `json:"proxy_protocol,omitempty"`
	// TerminatesTLS: clients see the certificate of the load balancer and not that of
	// the pods.
	TerminatesTLS bool `json:"terminates_tls,omitempty"`
}

// Phase is a stage of the probe.
type Phase string

// The phases, in order.
const (
	PhaseNone    Phase = ""
	PhaseConnect Phase = "connect"
	PhaseTLS     Phase = "tls"
	PhaseHTTP    Phase = "http"
)

// Fault is what ended a probe.
type Fault struct {
	// Phase is the one that failed.
	Phase Phase `json:"phase,omitempty"`
	Kind  Kind  `json:"kind,omitempty"`
	// Text is one sentence for a person, without addresses or secrets.
	Text string `json:"text,omitempty"`
}

// Kind classes a fault.
type Kind string

// The kinds.
const (
	Timeout Kind = "timeout"
	Refused Kind = "refused"
	Reset   Kind = "reset"
	// NoRoute: the network or the host cannot be reached from here.
	NoRoute Kind = "no-route"
	// Closed: the peer hung up without an answer.
	Closed Kind = "closed"
	// Alert: the peer ended the handshake with a TLS alert.
	Alert Kind = "tls-alert"
	// NotTLS: the peer does not speak TLS on this port.
	NotTLS Kind = "not-tls"
	// Malformed: the reply breaks the protocol or a limit.
	Malformed Kind = "malformed"
	// Forbidden: the address is special-purpose and not allowed; not connected.
	Forbidden Kind = "forbidden"
	// Self: our own failure (no sockets, cancelled); says nothing of the target.
	Self Kind = "self"
)

// Duration holds the time of each phase.
type Duration struct {
	Connect   time.Duration `json:"connect_ns,omitempty"`
	TLS       time.Duration `json:"tls_ns,omitempty"`
	FirstByte time.Duration `json:"first_byte_ns,omitempty"`
	Transfer  time.Duration `json:"transfer_ns,omitempty"`
}

// TLS is what the handshake showed, also when the certificate does not verify.
type TLS struct {
	Version uint16 `json:"version"`
	ALPN    string `json:"alpn,omitempty"`
	// Chain are the certificates as presented, leaf first, at most MaxChain.
	Chain []Certificate `json:"chain"`
	Trust Trust         `json:"trust"`
}

// MaxChain bounds the certificates that are recorded.
const MaxChain = 10

// Certificate holds the facts of one certificate. Text is as the peer sent it:
// hostile until escaped by an outlet; each string is cut at 256 bytes, Names at
// 100 entries.
type Certificate struct {
	SubjectCN string   `json:"subject_cn,omitempty"`
	IssuerCN  string   `json:"issuer_cn,omitempty"`
	IssuerO   string   `json:"issuer_o,omitempty"`
	Names     []string `json:"names,omitempty"`
	Serial    string   `json:"serial"`
	// SHA256 is the fingerprint in lower-case hex.
	SHA256     string    `json:"sha256"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	SelfSigned bool      `json:"self_signed,omitempty"`
}

// Trust is the result of verifying by hand, time and name set aside: dates and
// names are judged on their own, so that each cause is named.
type Trust struct {
	// Trusted: a path leads to a trusted root at some moment.
	Trusted bool `json:"trusted"`
	// Why says why no path does, as a sentence.
	Why string `json:"why,omitempty"`
	// NotBefore and NotAfter bound the validity of the best path, i.e. the latest
	// start and earliest end on it; of the leaf alone if there is no path.
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Ends is the subject of the certificate that ends first on that path.
	Ends string `json:"ends,omitempty"`
	// NameMatches: the leaf is valid for the host.
	NameMatches bool `json:"name_matches"`
}

// Valid tells whether a client that comes at the moment accepts the
// certificate.
func (t TLS) Valid(now time.Time) bool {
	return t.Trust.Trusted && t.Trust.NameMatches && !now.Before(t.Trust.NotBefore) && now.Before(t.Trust.NotAfter)
}

// HTTP is what came back to the request.
type HTTP struct {
	Status int `json:"status"`
	// Location and Server are the response's headers of that name, cut at 256
	// bytes.
	Location string `json:"location,omitempty"`
	Server   string `json:"server,omitempty"`
	// BodyBytes is the number of body bytes read, at most the limit.
	BodyBytes int64 `json:"body_bytes"`
	// BodyMatched tells whether Expect.BodyRegex was found; nil if not asked.
	BodyMatched *bool `json:"body_matched,omitempty"`
	// HeadersMissing are the expected headers that are absent or do not match.
	HeadersMissing []string `json:"headers_missing,omitempty"`
}
