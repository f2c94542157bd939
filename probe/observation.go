// Package probe goes to one address of a target as a client would, records what
// happened on the way (TCP, TLS, HTTP), and judges reachability, response and
// certificate.
//
// Observe returns an Observation, whatever the target does; Judge is pure. An
// address that is not expected is a stranger: it gets a TCP connection and a TLS
// handshake, and never the target's path, headers or body.
package probe

import (
	"crypto/tls"
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
	// Headers and Body are sent with the request, Certificate is presented if the
	// server asks for one; never to a stranger. They are secret.
	Headers     http.Header
	Body        []byte
	Certificate *tls.Certificate
}

// Observation is what happened at one address.
type Observation struct {
	// Target is the target's key, Host the name presented as SNI and Host.
	Target   string         `json:"target"`
	Host     string         `json:"host"`
	Address  netip.AddrPort `json:"address"`
	Stranger bool           `json:"stranger,omitempty"`
	// Scheme is the target's: "http" or "tcp"; empty means https.
	Scheme string `json:"scheme,omitempty"`
	// TLSOnly: the target need not speak HTTP, or what it would be asked is secret and
	// this address is not certain to be its own. It was not asked.
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
	// Identity tells whether the peer proved to be the target (Expect.Identity); nil if
	// it was not asked to, or has not said. Without the page that proves it nothing else is
	// sent to it; a header comes with the response, of redirects with any that the address
	// gave on the way.
	Identity *bool `json:"identity,omitempty"`
	// Unproven: it answered the question for its proof with what whoever stands in front
	// says as well (an error of the server, 400, 408, 421, 429, plain http redirected to
	// https): HTTP is that response, and nobody knows who gave it.
	Unproven bool `json:"unproven,omitempty"`
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
	// OldProtocol: the peer speaks no TLS version from 1.0 to 1.3.
	OldProtocol Kind = "old-protocol"
	// NoCertificate: the peer wants a client certificate, and we have none that it
	// accepts.
	NoCertificate Kind = "no-client-certificate"
	// NotIntroduced: the peer speaks TLS only after a PROXY protocol header.
	NotIntroduced Kind = "proxy-protocol"
	// LongHello: the peer speaks TLS only with who sends a short ClientHello.
	LongHello Kind = "long-hello"
	// NotTLS: the peer does not speak TLS on this port.
	NotTLS Kind = "not-tls"
	// NotHTTP2: the peer wants HTTP/1.1 for this (HTTP_1_1_REQUIRED, RFC 9113 section 7).
	NotHTTP2 Kind = "not-http2"
	// Limited: the peer limits how much it is asked (ENHANCE_YOUR_CALM, same place).
	Limited Kind = "limited"
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
	// Redirects is the time of all that was visited after the first response. Resolve is
	// what it took of that to find the addresses of other hosts; where the target itself is
	// was found before.
	Redirects time.Duration `json:"redirects_ns,omitempty"`
	Resolve   time.Duration `json:"resolve_ns,omitempty"`
}

// Total is the time of all phases.
func (d Duration) Total() time.Duration {
	return d.Connect + d.TLS + d.FirstByte + d.Transfer + d.Redirects
}

// TLS is what the handshake showed, also when the certificate does not verify, and
// when the handshake failed after the certificate had come.
//
// Chain and Trust.Path are shared between observations of one chain: read only.
type TLS struct {
	Version uint16 `json:"version"`
	ALPN    string `json:"alpn,omitempty"`
	// ClientCertificate: the server asked for a client certificate, which it may
	// do without (RFC 8446 section 4.3.2). ClientCertificateSent: it was sent one.
	ClientCertificate     bool `json:"client_certificate,omitempty"`
	ClientCertificateSent bool `json:"client_certificate_sent,omitempty"`
	// Chain are the certificates as presented, leaf first, at most MaxChain: of more, those
	// that can be on its path before others.
	Chain []Certificate `json:"chain"`
	Trust Trust         `json:"trust"`
	// Staple is the OCSP response sent with the certificate (RFC 6066 section 8), nil
	// if there was none or no issuer to check it with. List is what the authority's
	// revocation list (RFC 5280 section 5) says, nil if it is not known.
	Staple *Statement `json:"staple,omitempty"`
	List   *Statement `json:"list,omitempty"`
}

// MaxChain bounds the certificates that are recorded.
const MaxChain = 10

// Certificate holds the facts of one certificate. Text is as the peer sent it:
// hostile until escaped by an outlet; each string is cut at 256 bytes, Names at
// 100 entries, and only a leaf has any.
type Certificate struct {
	SubjectCN string   `json:"subject_cn,omitempty"`
	IssuerCN  string   `json:"issuer_cn,omitempty"`
	IssuerO   string   `json:"issuer_o,omitempty"`
	Names     []string `json:"names,omitempty"`
	Serial    string   `json:"serial"`
	// SHA256 is the fingerprint in lower-case hex.
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Logged is when the first log of Certificate Transparency had it: the moment of
	// issuance. Zero if it carries no log's signature.
	Logged     time.Time `json:"logged,omitzero"`
	SelfSigned bool      `json:"self_signed,omitempty"`
	// Key is the kind of key, "RSA", "ECDSA" or "Ed25519", and Bits its size.
	// Signature is the algorithm of the issuer's signature, as "SHA256-RSA".
	Key       string `json:"key,omitempty"`
	Bits      int    `json:"bits,omitempty"`
	Signature string `json:"signature,omitempty"`
	// MustStaple: clients must be sent an OCSP response with it (RFC 7633).
	MustStaple bool `json:"must_staple,omitempty"`
}

// Trust is the result of verifying by hand, time and name set aside: dates and
// names are judged on their own, so that each cause is named.
type Trust struct {
	// Trusted: a path leads to a trusted root at some moment.
	Trusted bool `json:"trusted"`
	// Cause classes why no path does, and Why says it as a sentence.
	Cause Cause  `json:"cause,omitempty"`
	Why   string `json:"why,omitempty"`
	// Missing is the certificate at whose absence the chain breaks off; nil if none
	// is missed.
	Missing *Missing `json:"missing,omitempty"`
	// Path are the places in Chain of the certificates on the best path, leaf first;
	// the root is not among them. The leaf alone if there is no path.
	Path []int `json:"path,omitempty"`
	// NotBefore and NotAfter bound the validity of the best path, i.e. the latest
	// start and earliest end on it; of the leaf alone if there is no path.
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Starts and Ends are the subjects of the certificates that begin last and end
	// first on that path.
	Starts string `json:"starts,omitempty"`
	Ends   string `json:"ends,omitempty"`
	// NameMatches: the leaf is valid for the host.
	NameMatches bool `json:"name_matches"`
}

// Cause classes why no path leads to a trusted root.
type Cause string

// The causes.
const (
	// Incomplete: the certificate of an authority on the way was not sent, which
	// says itself where to get it.
	Incomplete Cause = "incomplete"
	// WeakSignature: a signature on the way is made with MD5 or SHA-1.
	WeakSignature Cause = "weak-signature"
	// OtherRoot: it leads to a root, or to an authority, that is not trusted.
	OtherRoot Cause = "other-root"
	// WrongIssuer: a certificate of the issuer's name was sent, and another key signed.
	WrongIssuer Cause = "wrong-issuer"
	// Unfit: a certificate on the way must not be used so (constraints, key usage,
	// critical extensions).
	Unfit Cause = "unfit"
)

// Missing is a certificate that was not sent.
type Missing struct {
	// Subject is its name, as the certificate that it signed says.
	Subject string `json:"subject"`
	// URL is where the authority publishes it (caIssuers, RFC 5280 section 4.2.2.1),
	// as the certificate says: the word of whoever made that.
	URL string `json:"url,omitempty"`
	// Found: it was fetched from there, and the chain leads to a trusted root with it.
	Found bool `json:"found,omitempty"`
}

// Statement is what an authority says of its certificate, its signature verified.
type Statement struct {
	Says Word `json:"says"`
	// Why says what is wrong with an unusable statement.
	Why string `json:"why,omitempty"`
	// Revoked is since when, and Reason why (RFC 5280 section 5.3.1).
	Revoked time.Time `json:"revoked,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	// Until is when the statement has to be renewed; zero if it does not say.
	Until time.Time `json:"until,omitzero"`
}

// Word is what a statement says.
type Word string

// The words. A list on which a certificate does not stand says Good.
const (
	Good     Word = "good"
	Revoked  Word = "revoked"
	Unknown  Word = "unknown"
	Unusable Word = "unusable"
)

// Valid tells whether a client that comes at the moment accepts the
// certificate.
func (t TLS) Valid(now time.Time) bool {
	return t.Trust.Trusted && t.Trust.NameMatches && !now.Before(t.Trust.NotBefore) && now.Before(t.Trust.NotAfter)
}

// HTTP is what came back to the request; after redirects that were followed, to
// the last one.
type HTTP struct {
	Status int `json:"status"`
	// Protocol is the version that was spoken: "HTTP/1.1", "HTTP/2.0".
	Protocol string `json:"protocol,omitempty"`
	// Location, Server and RetryAfter are the response's headers of that name, cut at
	// 256 bytes.
	Location   string `json:"location,omitempty"`
	Server     string `json:"server,omitempty"`
	RetryAfter string `json:"retry_after,omitempty"`
	// Date is the server's clock, as its response says; zero if it does not.
	Date time.Time `json:"date,omitzero"`
	// BodyBytes is the number of body bytes read, at most the limit.
	BodyBytes int64 `json:"body_bytes"`
	// BodyMatched tells whether Expect.BodyRegex was found; nil if not asked.
	BodyMatched *bool `json:"body_matched,omitempty"`
	// NotJSON: Expect.JSON was asked, and the body is not JSON. JSONWrong are the
	// paths that are absent or do not match, with what is there, each cut at 256 bytes.
	NotJSON   bool     `json:"not_json,omitempty"`
	JSONWrong []string `json:"json_wrong,omitempty"`
	// HeadersMissing are the expected headers that are absent or do not match.
	HeadersMissing []string `json:"headers_missing,omitempty"`
	// Encoding is the body's content coding (RFC 9110 section 8.4) if it is one that is
	// not undone: what is searched is what was sent.
	Encoding string `json:"encoding,omitempty"`
	// PlainToTLS: the server says that plain HTTP came to a port of TLS.
	// WantsCertificate: it says that it refuses because of the client certificate.
	PlainToTLS       bool `json:"plain_to_tls,omitempty"`
	WantsCertificate bool `json:"wants_certificate,omitempty"`
	// Circular: the redirect leads to the very URL that was asked, and sets no cookie.
	Circular bool `json:"circular,omitempty"`
	// Hops are the redirects that were followed, FinalURL is where they ended.
	Hops     []Hop  `json:"hops,omitempty"`
	FinalURL string `json:"final_url,omitempty"`
	// FinalMatched tells whether FinalURL is as Expect.FinalURL wants it; nil if not
	// asked.
	FinalMatched *bool `json:"final_matched,omitempty"`
	// Stopped says why a redirect was not followed to its end, as a sentence.
	Stopped string `json:"stopped,omitempty"`
}

// Hop is one redirect: the status that sent us on, and whereto. The URL is cut at
// 256 bytes, Address is invalid if nothing was connected to.
type Hop struct {
	Status  int            `json:"status"`
	URL     string         `json:"url"`
	Address netip.AddrPort `json:"address,omitzero"`
}
