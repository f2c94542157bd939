package probe

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

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
}

// maxHeader bounds all that a peer may send before the body: the interim (1xx)
// responses and the response's own header together, in bytes.
const maxHeader = 64 << 10

// Prober makes observations. It is immutable and safe for concurrent use.
type Prober struct {
	settings Settings
	space    ipspace.Space
	// rootless: there is nothing to verify certificates against.
	rootless bool
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
	return &Prober{settings: s, space: ipspace.New(), rootless: s.Roots == nil && systemRootless()}
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
func (p *Prober) Observe(ctx context.Context, r Request) (o Observation) {
	o = Observation{
		Target:   r.Target.Key,
		Host:     r.Target.ProbeName(),
		Address:  r.Address,
		Stranger: r.Stranger, TLSOnly: r.Target.TLSOnly,
		Bypass: r.Bypass, At: time.Now().UTC().Round(0),
	}
	defer func() {
		if v := recover(); v != nil {
			o.Fault = Fault{after(o.Reached), Self, panicText(v)}
		}
	}()
	limited, cancel := context.WithTimeout(ctx, p.settings.Timeout)
	defer cancel()
	l := look{Prober: p, request: r, seen: &o}
	phase, err := l.run(limited)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		o.Fault = Fault{phase, Self, "the look was cut short by us while " + l.doing}
	default:
		o.Fault = classify(phase, l.doing, r.Address, err)
	}
	return o
}

// panicText tells of a panic. Only the runtime's own messages are repeated: any
// other value could hold something secret.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return "a bug in driftprobe ended this look: " + printable(err.Error(), 120)
	}
	return "a bug in driftprobe ended this look"
}

// after returns the phase that follows.
func after(reached Phase) Phase {
	switch reached {
	case PhaseNone:
		return PhaseConnect
	case PhaseConnect:
		return PhaseTLS
	default:
		return PhaseHTTP
	}
}

// look is one observation under way.
type look struct {
	*Prober
	request Request
	seen    *Observation
	want    wanted
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

	if err := l.introduce(conn); err != nil {
		return PhaseTLS, err
	}
	session, err := l.handshake(ctx, conn)
	if err != nil {
		return PhaseTLS, err
	}
	if l.request.Stranger || l.request.Target.TLSOnly || l.mustStop() {
		_ = session.Close() // a courtesy: close_notify instead of a bare hang-up
		return PhaseNone, nil
	}
	return PhaseHTTP, l.exchange(session)
}

// mustStop tells whether a client would have stopped at the certificate and
// there are secrets that must not go further. Without secrets the request is
// made all the same: that the application behind a bad certificate answers is
// worth knowing.
func (l *look) mustStop() bool {
	return len(l.request.Headers) > 0 && !l.seen.TLS.Valid(l.seen.At)
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
	return conn, nil
}

func (l *look) allowed(a netip.Addr) bool {
	for _, p := range l.settings.Allow {
		if p.Contains(a.WithZone("")) {
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
