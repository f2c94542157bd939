package probe

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// Policy is what the operator considers acceptable. The zero value means the
// defaults.
type Policy struct {
	// ExpiringFraction is the share of a certificate's lifetime that must be left,
	// 0 < f < 1; default a third, which suits lifetimes of 90 days and of 6 alike.
	ExpiringFraction float64
	// UrgentFraction and UrgentTime make an ending certificate critical: less than
	// the smaller of the two is left. Default 5 % and 24 h.
	UrgentFraction float64
	UrgentTime     time.Duration
}

func (p Policy) withDefaults() Policy {
	return Policy{
		ExpiringFraction: cmp.Or(p.ExpiringFraction, 1.0/3),
		UrgentFraction:   cmp.Or(p.UrgentFraction, 0.05),
		UrgentTime:       cmp.Or(p.UrgentTime, 24*time.Hour),
	}
}

// Answers tells whether a client that comes at the moment is served here: a
// certificate that is valid then, and, unless it is a stranger or speaks only TLS
// (which was not asked), a complete HTTP response, whatever its status, but for one that
// lacks the proof that the target gave it. Without TLS nothing shows that a stranger is
// of the target.
func (o Observation) Answers(now time.Time) bool {
	if o.Unproven || o.Identity != nil && !*o.Identity {
		return false
	}
	switch o.Scheme {
	case inventory.SchemeTCP:
		return o.Fault == Fault{} && o.Reached == PhaseConnect && !o.Stranger
	case inventory.SchemeHTTP:
		return o.Fault == Fault{} && !o.Stranger && (o.TLSOnly || o.HTTP != nil)
	}
	return o.Fault == Fault{} && o.TLS != nil && o.TLS.Valid(now) && (o.Stranger || o.TLSOnly || o.HTTP != nil)
}

// Judge says what is wrong at the target's own addresses, given the newest
// observation of each. Strangers are passed over: what they are is a question
// of DNS, see Answers. So are addresses that were not connected to because they
// are special-purpose, and IPv6 addresses where we have no IPv6. Text from the
// peer is made printable. The result is sorted, whatever the order of os.
func Judge(p Policy, now time.Time, t inventory.Target, e inventory.Expected, os []Observation) []finding.Finding {
	var all []finding.Finding
	for i := range os {
		if os[i].Stranger {
			continue
		}
		j := newJudge(p, now, t, e, os[i])
		j.all = os
		all = append(all, j.findings()...)
	}
	if differ(os) {
		j := newJudge(p, now, t, e, Observation{})
		all = append(all, j.differing(os))
	}
	finding.Sort(all)
	return all
}

// judge looks at one observation.
type judge struct {
	policy   Policy
	now      time.Time
	target   inventory.Target
	expected inventory.Expected
	seen     Observation
	// all are the observations of the target, seen among them.
	all []Observation
	// host and at are for text, subject for findings.
	host    string
	at      string
	subject finding.Subject
}

func newJudge(p Policy, now time.Time, t inventory.Target, e inventory.Expected, o Observation) judge {
	addr := o.Address.Addr().Unmap()
	at := addr.String()
	if port := o.Address.Port(); port != 443 {
		at = net.JoinHostPort(at, strconv.Itoa(int(port)))
	}
	return judge{
		policy: p.withDefaults(), now: now, target: t, expected: e, seen: o,
		host: finding.Printable(t.ProbeName(), maxText), at: at,
		subject: finding.Subject{Host: t.Host, Address: at},
	}
}

func (j *judge) findings() []finding.Finding {
	if j.unlikeClients() {
		return []finding.Finding{j.bypassed()}
	}
	var all []finding.Finding
	if f, ok := j.fault(); ok {
		f.Fault = string(j.seen.Fault.Kind)
		all = append(all, f)
	}
	// Our own fault in the TLS phase that left facts is a lack of roots to judge them by.
	if j.seen.TLS != nil && (j.seen.Fault.Phase != PhaseTLS || j.seen.Fault.Kind != Self) {
		all = append(all, j.certificate(*j.seen.TLS)...)
	}
	complete := j.seen.HTTP != nil && j.seen.Fault == (Fault{})
	switch {
	case j.seen.Identity != nil && !*j.seen.Identity: // what somebody else says is of no interest
		all = append(all, j.imposter())
	case complete && j.seen.Unproven && j.seen.HTTP.Stopped == "":
		if !j.refusesUs() { // that is said already
			all = append(all, j.unproven(*j.seen.HTTP))
		}
	case complete:
		all = append(all, j.response(*j.seen.HTTP)...)
	}
	switch {
	case len(all) == 0 && j.silentByChoice():
		all = append(all, j.unasked())
	}
	if f, ok := j.slow(); ok && j.seen.Fault == (Fault{}) {
		all = append(all, f)
	}
	return j.meant(all)
}

// silentByChoice tells whether we asked nothing although the target speaks HTTP.
func (j *judge) silentByChoice() bool {
	return j.seen.HTTP == nil && !j.seen.TLSOnly && j.seen.Scheme != inventory.SchemeTCP && j.seen.Fault == (Fault{})
}

func (j *judge) finding(code finding.Code, severity finding.Severity, summary string) finding.Finding {
	at := j.at
	if j.seen.Bypass != nil {
		at += past
	}
	return finding.Finding{
		Code: code, Severity: severity, Subject: j.subject, Summary: summary, SeenAt: []string{at},
		Targets: []string{j.target.Key},
	}
}

// fault judges what ended the look early.
func (j *judge) fault() (finding.Finding, bool) {
	f := j.seen.Fault
	switch f.Kind {
	case "", Forbidden:
		return finding.Finding{}, false
	case Self:
		return j.self(), true
	case NotTLS, NotIntroduced, LongHello:
		return j.handshake(), true
	case OldProtocol:
		return j.oldProtocol(), true
	case NoCertificate:
		return j.clientCertificate(), true
	case NoRoute:
		if j.seen.Address.Addr().Unmap().Is6() {
			return finding.Finding{}, false
		}
	case Malformed, Alert:
		if f.Phase == PhaseTLS {
			return j.handshake(), true
		}
	}
	return j.unreachable(), true
}

func (j *judge) self() finding.Finding {
	f := j.finding(finding.SelfNotObserved, finding.Unknown,
		fmt.Sprintf("%s could not be looked at on %s: %s", j.host, j.at, j.faultText()))
	f.Expected = "a look that comes to an end"
	f.Observed = "a fault of this probe; nothing is known about the target"
	f.Hint = "see this probe's own log; it is tried again at the next round"
	return f
}

// unasked is a look that stopped at the certificate, which was bad at that time
// and is no longer: the silence must not read as health.
func (j *judge) unasked() finding.Finding {
	f := j.finding(finding.SelfNotObserved, finding.Unknown,
		fmt.Sprintf("%s was not asked on %s, because its certificate was not valid when we looked", j.host, j.at))
	f.Expected = "a response"
	f.Observed = "no request was sent"
	f.Hint = "look again"
	return f
}

func (j *judge) handshake() finding.Finding {
	f := j.finding(finding.TLSHandshake, finding.Critical,
		fmt.Sprintf("TLS with %s fails at %s: %s", j.host, j.at, j.faultText()))
	f.Expected = "a TLS handshake for " + j.host
	f.Observed = j.faultText()
	f.Hint = j.handshakeHint()
	return f
}

func (j *judge) unreachable() finding.Finding {
	f := j.finding(finding.HTTPUnreachable, finding.Critical,
		fmt.Sprintf("%s does not answer at %s: %s", j.host, j.at, j.faultText()))
	f.Expected = "an HTTP response"
	if b := j.seen.Bypass; b != nil {
		f.Expected = "an HTTP response from the ingress controller behind " + finding.Printable(b.Service.String(), maxText)
	} else if s := j.expected.Service.String(); s != "" && j.expected.Has(j.seen.Address.Addr().Unmap()) {
		f.Expected = "an HTTP response from the load balancer of " + finding.Printable(s, maxText)
	}
	f.Observed = j.faultText()
	if h := j.seen.HTTP; h != nil {
		f.Observed = j.responseText(*h) + ", then: " + j.faultText()
	}
	f.Hint = j.unreachableHint()
	return f
}

func (j *judge) unreachableHint() string {
	port := j.seen.Address.Port()
	if b := j.seen.Bypass; b != nil {
		return fmt.Sprintf("see whether the ingress controller runs and is ready (kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s): this probe goes straight to it",
			quote(finding.Printable(b.Service.Namespace, maxText)), quote(finding.Printable(b.Service.Name, maxText)))
	}
	switch j.seen.Fault.Kind {
	case Refused:
		return fmt.Sprintf("check that the load balancer forwards port %d and that the ingress controller runs", port)
	case Timeout:
		if j.seen.Reached == PhaseNone {
			return "check that a load balancer still has this address, then its firewall"
		}
		return "check the backend behind the load balancer: it accepts connections and does not answer in time"
	case NotHTTP2:
		return "the server wants HTTP/1.1 for this: leave expect.protocol out, or let it speak HTTP/2 here"
	case Limited: // HAProxy says so of each request that a rule rejects
		return "see the server's rules: it limits how often we may ask (let it except the probe, or ask less often), or one rejects the request (HAProxy: http-request reject)"
	case Closed, Reset:
		return "check that the load balancer has a healthy backend, and that both sides agree on PROXY protocol"
	case NoRoute:
		return "check the route from here to this address, then whether anything still has it"
	}
	return "compare with: " + j.curl()
}

func (j *judge) faultText() string {
	return finding.Printable(cmp.Or(j.seen.Fault.Text, string(j.seen.Fault.Kind)), 200)
}

// openssl and curl repeat the look by hand.
func (j *judge) openssl() string {
	return fmt.Sprintf("openssl s_client -connect %s -servername %s", j.seen.Address, quote(j.host))
}

func (j *judge) curl() string { return j.curlWith("") }

// alongByHand goes all the way that redirects lead.
func (j *judge) alongByHand() string { return "follow it by hand: " + j.curlWith("L") }

func (j *judge) curlWith(flags string) string {
	a := netip.AddrPortFrom(j.seen.Address.Addr().Unmap(), j.seen.Address.Port())
	name := a.Addr().String()
	if a.Addr().Is6() {
		name = "[" + name + "]"
	}
	url := cmp.Or(j.target.Scheme, "https") + "://" + hostHeader(j.host, a.Port(), inventory.DefaultPort(j.target.Scheme)) + finding.Printable(j.target.Path, 200)
	method := "-i" + flags + " "
	switch m := j.target.Method; m {
	case "", http.MethodGet:
	case http.MethodHead: // with -X it would wait for a body
		method = "-I" + flags + " "
	default:
		method += "-X " + quote(finding.Printable(m, 20)) + " "
	}
	return fmt.Sprintf("curl "+method+"--resolve %s %s", quote(fmt.Sprintf("%s:%d:%s", j.host, a.Port(), name)), quote(url))
}

// quote makes one word of a shell command. Hints are pasted, and hosts and paths
// can come from objects that others wrote.
func quote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._:/@%+,=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
