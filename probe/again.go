package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// maxAgain bounds a second handshake, within what is left of the look.
const maxAgain = 3 * time.Second

// refine finds out more about a look that failed in TLS, where a second handshake
// can tell causes apart. It returns the error, or a better one.
func (l *look) refine(ctx context.Context, phase Phase, err error) error {
	name, alert := remoteAlert(err)
	switch {
	case err == nil || l.request.Stranger:
		return err
	case alert && l.held:
		return nil // as any look that ends at a certificate that is not valid
	case alert && l.seen.TLS != nil && l.seen.TLS.ClientCertificateSent:
		return known{NoCertificate, fmt.Sprintf("the server does not accept our client certificate (TLS alert %s)", finding.Printable(name, 60))}
	case alert && l.seen.TLS != nil && l.seen.TLS.ClientCertificate:
		return known{NoCertificate, fmt.Sprintf("the server wants a client certificate (TLS alert %s)", finding.Printable(name, 60))}
	case phase == PhaseHTTP && l.seen.Scheme == inventory.SchemeHTTP && l.seen.HTTP == nil && silentEnd(err) && l.request.Bypass == nil:
		return l.secured(ctx, err)
	case phase != PhaseTLS:
		return err
	case alert && refusesName(name):
		return l.nameless(ctx, name)
	case silentEnd(err) && l.request.Bypass == nil:
		return l.otherwise(ctx, err)
	}
	return err
}

// refusesName tells whether servers use an alert for a name that they do not know.
// RFC 6066 section 3 has one for it; most send another.
func refusesName(alert string) bool {
	return slices.Contains([]string{"unrecognized name", "handshake failure", "internal error", "access denied"}, alert)
}

// silentEnd tells whether the peer hung up instead of answering.
func silentEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// nameless looks what the server does without a name: that tells a name it does not
// know from a server that fails for all.
func (l *look) nameless(ctx context.Context, alert string) error {
	if clientConfig(l.seen.Host).ServerName == "" || net.ParseIP(l.seen.Host) != nil {
		return known{Alert, alertText(alert)} // no name was sent
	}
	s, err := l.again(ctx, attempt{})
	switch {
	case len(s.PeerCertificates) > 0:
		f := certificateFacts(s.PeerCertificates[0], true)
		names := "one without a name"
		if len(f.Names) > 0 {
			names = "one for " + few(f.Names)
		}
		return known{Alert, fmt.Sprintf("the server refuses this name and has no certificate for it (TLS alert %s); without a name it presents %s", alert, names)}
	case err == nil:
		return known{Alert, alertText(alert)}
	}
	if _, refused := remoteAlert(err); refused {
		return known{Alert, fmt.Sprintf("%s; without a name it fails too, so it has no certificate at all, or nothing in common with us", alertText(alert))}
	}
	return known{Alert, alertText(alert)}
}

// otherwise tries what a load balancer in front would do: some servers hang up on
// who does not begin with a PROXY protocol header. It holds our address and the
// server's own. Then it tries what clients of old do: some servers do not read a
// ClientHello that comes in two packets, which those of today do. Who hangs up by
// chance is not accused of that: the long one has to fail again.
func (l *look) otherwise(ctx context.Context, first error) error {
	as := attempt{name: l.seen.Host}
	if s, _ := l.again(ctx, attempt{name: as.name, proxied: true}); len(s.PeerCertificates) > 0 {
		return known{NotIntroduced, "the server expects PROXY protocol: it hangs up on plain TLS, and speaks TLS after a PROXY header"}
	}
	if s, _ := l.again(ctx, attempt{name: as.name, short: true}); len(s.PeerCertificates) > 0 {
		if s, err := l.again(ctx, as); len(s.PeerCertificates) == 0 && silentEnd(err) {
			return known{LongHello, "the server hangs up on a ClientHello of today's length (post-quantum key exchange, X25519MLKEM768), and speaks TLS when that is left out"}
		}
	}
	return first
}

// secured tries TLS where plain HTTP was asked for: some servers hang up on who does not
// begin with it.
func (l *look) secured(ctx context.Context, first error) error {
	if s, _ := l.again(ctx, attempt{name: l.seen.Host}); len(s.PeerCertificates) > 0 {
		return known{Malformed, speaksTLS(l.request.Address.Port())}
	}
	return first
}

// attempt is how one more handshake begins: with the name, after a PROXY protocol
// header, with a ClientHello that fits into one packet.
type attempt struct {
	name           string
	proxied, short bool
}

// again does one more handshake at the same address, and returns what it showed
// whether it came to its end or not.
func (l *look) again(ctx context.Context, as attempt) (shown tls.ConnectionState, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxAgain)
	defer cancel()
	at := netip.AddrPortFrom(l.request.Address.Addr().Unmap(), l.request.Address.Port())
	conn, err := (&net.Dialer{}).DialTCP(ctx, "tcp", netip.AddrPort{}, at)
	if err != nil {
		return shown, err
	}
	defer func() { _ = conn.Close() }() // nothing was written that could still be lost
	release := interrupt(ctx, conn)
	defer release()
	if as.proxied {
		from, err := netip.ParseAddrPort(conn.LocalAddr().String())
		if err != nil {
			return shown, err
		}
		if _, err := io.WriteString(conn, proxyHeader(from, at)); err != nil {
			return shown, err
		}
	}
	config := clientConfig(as.name)
	if as.short {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	}
	config.VerifyConnection = func(s tls.ConnectionState) error {
		shown = s
		return nil
	}
	return shown, tls.Client(conn, config).HandshakeContext(ctx)
}

// consult asks others about the certificate, after the connection was closed: where
// a missing one is published, and whether it was revoked. What they do not answer in
// what is left of the time is not known, and no finding.
func (l *look) consult(ctx context.Context) {
	if l.seen.TLS == nil || l.rootless || l.request.Stranger {
		return
	}
	l.complete(ctx)
	l.seen.TLS.List = l.listed(ctx)
}
