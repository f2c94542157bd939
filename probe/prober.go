package probe

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/ipspace"
)

// Settings are what all observations of a Prober share. The zero value works.
type Settings struct {
	// Timeout bounds one observation, all of it; default 10 s.
	Timeout time.Duration
	// Roots are the trusted authorities; nil means the system's.
	Roots *x509.CertPool
	// Allow are special-purpose addresses that may be connected to although only
	// DNS names them.
	Allow []netip.Prefix
	// UserAgent is "driftprobe/VERSION"; default "driftprobe".
	UserAgent string
	// MaxBody is how much of a body is read, in bytes after inflating; default
	// 1 MiB.
	MaxBody int64
	// FetchIssuers allows to fetch the certificate that a chain lacks from where the
	// presented one says it is published. SkipLists forbids to fetch the revocation
	// lists of trusted authorities.
	FetchIssuers, SkipLists bool
	// Lookup finds the addresses of a host that redirects lead to and may lead to, and
	// tells whether anybody who knows has answered; nil means that none is found.
	Lookup func(ctx context.Context, host string) (found []netip.Addr, told bool)
}

// maxHeader bounds all that a peer may send before the body: the interim (1xx)
// responses and the response's own header together, in bytes.
const maxHeader = 64 << 10

// Prober makes observations. It is safe for concurrent use. What it remembers saves
// work, and changes nothing that is seen but one thing: a certificate that was on a
// revocation list stays revoked when the list is gone.
type Prober struct {
	settings Settings
	space    ipspace.Space
	// rootless: there is nothing to verify certificates against.
	rootless bool
	// What was found out before, see each.
	chains  *chains
	lists   *lists
	issuers *remembered[string, *x509.Certificate]
}

// New returns a Prober. It opens nothing; the system's roots are read once.
func New(s Settings) *Prober {
	if s.Timeout <= 0 {
		s.Timeout = 10 * time.Second
	}
	if s.MaxBody <= 0 {
		s.MaxBody = 1 << 20
	}
	if s.UserAgent == "" {
		s.UserAgent = "driftprobe"
	}
	return &Prober{
		settings: s, space: ipspace.New(), rootless: s.Roots == nil && systemRootless(),
		chains: newChains(), lists: &lists{}, issuers: &remembered[string, *x509.Certificate]{most: maxIssuers},
	}
}

// systemRootless finds the image or machine without ca-certificates. Without
// this every certificate in the world would be called untrusted.
func systemRootless() bool {
	pool, err := x509.SystemCertPool()
	return err != nil || pool.Equal(x509.NewCertPool())
}

// Observe goes to the address and says what happened. It returns when all is
// said, at the latest at Settings.Timeout (Fault Timeout) or when ctx ends
// (Fault Self), has closed the connection then and left no goroutine. It never
// panics: a bug of ours is a Fault of kind Self.
//
// If the target has a page that proves its identity, that is asked for first, and
// if redirects are followed, those come last; all within the same time.
func (p *Prober) Observe(ctx context.Context, r Request) (o Observation) {
	o = blank(r)
	defer ownUp(&o)
	ctx, cancel := context.WithTimeoutCause(ctx, p.settings.Timeout, timeIsUp{})
	defer cancel()
	if page := r.Target.Expect.Identity.Path; page != "" && !r.Stranger && !r.Target.Wildcard() {
		asked := proving(r, page)
		proof, to := p.visit(ctx, asked)
		if proof.HTTP == nil || proof.Fault != (Fault{}) || !found(proof.HTTP.BodyMatched) {
			return unproved(proof, asked.Target, to)
		}
	}
	var next *url.URL
	o, next = p.visit(ctx, r)
	if r.Target.Expect.Identity.Path != "" && o.HTTP != nil {
		proved := true
		o.Identity = &proved
	}
	if r.Target.Redirects.Follow && o.Fault == (Fault{}) && o.HTTP != nil && redirects(o.HTTP.Status) && !o.HTTP.Circular {
		p.follow(ctx, r, &o, next)
	}
	if re, err := pattern("expect.final_url", r.Target.Expect.FinalURL); err == nil && re != nil && o.HTTP != nil && !r.Target.Wildcard() {
		o.HTTP.FinalURL = cmp.Or(o.HTTP.FinalURL, clip(urlOf(r.Target)))
		matched := re.MatchString(o.HTTP.FinalURL)
		o.HTTP.FinalMatched = &matched
	}
	return o
}

// proving is the request for the page that only the target has: nothing secret is
// in it but the page's path, and the answer decides about the rest.
func proving(r Request, page string) Request {
	r.Target.Path, r.Target.Method, r.Target.SendsBody = page, "", false
	r.Target.Expect = inventory.Expect{BodyRegex: r.Target.Expect.Identity.Regex, Protocol: r.Target.Expect.Protocol}
	r.Headers, r.Body = nil, nil
	return r
}

// unproved turns the look for the proof into that of the target. A response that
// lacks the proof is not the target's, unless it says nothing of who gave it.
func unproved(proof Observation, asked inventory.Target, to *url.URL) Observation {
	switch {
	case proof.Fault != (Fault{}) || proof.HTTP == nil:
	case anybodys(asked, proof.HTTP.Status, to):
		proof.Unproven = true
	default:
		proof.Identity, proof.HTTP = new(bool), nil
	}
	return proof
}

// anybodys tells whether a response says nothing of who is there, because whatever stands
// in front says it, too: that it cannot read the request or does not serve the name (400,
// 408, 421), wants to be asked less (429), has an error of the server (RFC 9110 section
// 15.6), or wants https for this very host or page.
func anybodys(asked inventory.Target, status int, to *url.URL) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 || to != nil && asked.Scheme == inventory.SchemeHTTP && to.Scheme == "https" &&
		(to.Hostname() == asked.ProbeName() || to.RequestURI() == asked.Path)
}

func found(b *bool) bool { return b != nil && *b }

// visit does one request, and returns where its response redirects to, if it does.
func (p *Prober) visit(ctx context.Context, r Request) (o Observation, next *url.URL) {
	o = blank(r)
	defer ownUp(&o)
	l := look{Prober: p, request: r, seen: &o}
	phase, err := l.run(ctx)
	if phase == PhaseTLS && l.wire.spoken() {
		l.doing = midHandshake
	}
	err = l.refine(ctx, phase, err)
	switch {
	case err == nil:
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), timeIsUp{}):
		o.Fault = Fault{phase, Self, "the look was cut short by us while " + l.doing}
	default:
		o.Fault = classify(phase, l.doing, r.Address, err)
	}
	l.consult(ctx)
	return o, l.next
}

// blank is an observation in which nothing has been seen yet.
func blank(r Request) Observation {
	return Observation{
		Target: r.Target.Key, Host: r.Target.ProbeName(), Address: r.Address, Stranger: r.Stranger, Scheme: r.Target.Scheme,
		TLSOnly: r.Target.TLSOnly || r.Target.SendsBody && r.Body == nil,
		Bypass:  r.Bypass, At: time.Now().UTC().Round(0),
	}
}

// ownUp turns a panic into a fault of ours.
func ownUp(o *Observation) {
	if v := recover(); v != nil {
		o.Fault = Fault{after(*o), Self, panicText(v)}
	}
}

// timeIsUp is why our own time ended, and not that of whoever asked.
type timeIsUp struct{}

// Error says so.
func (timeIsUp) Error() string { return "the time of the look is up" }

// panicText tells of a panic. Only the runtime's own messages are repeated: any
// other value could hold something secret.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return "a bug in driftprobe ended this look: " + finding.Printable(err.Error(), 120)
	}
	return "a bug in driftprobe ended this look"
}

// after returns the phase that follows the last that succeeded.
func after(o Observation) Phase {
	switch {
	case o.Reached == PhaseNone:
		return PhaseConnect
	case o.Reached == PhaseConnect && o.Scheme == "":
		return PhaseTLS
	}
	return PhaseHTTP
}

// look is one observation under way.
type look struct {
	*Prober
	request Request
	seen    *Observation
	want    wanted
	wire    *wire
	// next is where the response redirects to; nil if it does not.
	next *url.URL
	// chain is what was presented, at most MaxChain, and verified what it is worth.
	chain    []*x509.Certificate
	verified verified
	// held: our client certificate was asked for, and kept back.
	held bool
	// doing completes "timeout while …".
	doing string
}

// run goes through the phases and returns the one that failed.
func (l *look) run(ctx context.Context) (Phase, error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return PhaseConnect, err
	}
	defer func() { _ = conn.Close() }() // nothing was written that could still be lost
	release := interrupt(ctx, conn)
	defer release()

	first := PhaseTLS
	if l.request.Target.Scheme != "" {
		first = PhaseHTTP
	}
	if err := l.introduce(conn); err != nil {
		return first, err
	}
	if first == PhaseHTTP {
		if l.request.Stranger || l.request.Target.Scheme == inventory.SchemeTCP || l.seen.TLSOnly {
			return PhaseNone, nil
		}
		return PhaseHTTP, l.exchange(conn)
	}
	session, err := l.handshake(ctx, conn)
	if err != nil {
		return PhaseTLS, err
	}
	switch {
	case l.request.Stranger || l.seen.TLSOnly || l.mustStop():
		_ = session.Close() // a courtesy: close_notify instead of a bare hang-up
		return PhaseNone, nil
	case l.seen.TLS.ALPN == "h2":
		return PhaseHTTP, l.exchange2(ctx, session)
	}
	return PhaseHTTP, l.exchange(session)
}

// mustStop tells whether a client would have stopped at the certificate and
// there are secrets that must not go further. Without secrets the request is
// made all the same: that the application behind a bad certificate answers is
// worth knowing.
func (l *look) mustStop() bool {
	secret := len(l.request.Headers) > 0 || l.request.Body != nil || l.request.Certificate != nil
	return secret && !l.seen.TLS.Valid(l.seen.At)
}

// connect opens the TCP connection, if this address may be connected to at all.
func (l *look) connect(ctx context.Context) (net.Conn, error) {
	l.doing = "connecting"
	var err error
	if l.want, err = compile(l.request); err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(l.request.Address.Addr().Unmap(), l.request.Address.Port())
	if !at.IsValid() { // net would take it for this machine
		return nil, known{Self, "there is no address to go to"}
	}
	if purpose := l.space.Special(at.Addr()); purpose != "" && !l.request.Pinned && !l.allowed(at.Addr()) {
		return nil, known{Forbidden, fmt.Sprintf(
			"not connected: the address is special-purpose (%s) and neither pinned nor allowed", purpose)}
	}
	began := time.Now()
	conn, err := (&net.Dialer{}).DialTCP(ctx, "tcp", netip.AddrPort{}, at)
	if err != nil {
		return nil, err
	}
	l.seen.Took.Connect = time.Since(began)
	l.seen.Reached = PhaseConnect
	l.wire = newWire(conn)
	return l.wire, nil
}

func (p *Prober) allowed(a netip.Addr) bool {
	for _, allow := range p.settings.Allow {
		if allow.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// interrupt makes every read and write fail once ctx ends: one deadline for the
// handshake, the header and a body that drips. release undoes it and waits.
func interrupt(ctx context.Context, conn net.Conn) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = conn.SetDeadline(time.Unix(1, 0)) // fails only on a closed connection
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}
