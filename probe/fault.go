package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"driftprobe/finding"
)

// known is an error whose kind and text the phase itself knows.
type known struct {
	kind Kind
	text string
}

// Error returns the text.
func (k known) Error() string { return k.text }

// classify turns an error of the network into a fault. The error's own text is
// not passed on: it holds addresses, and sometimes what the peer wrote.
func classify(phase Phase, doing string, at netip.AddrPort, err error) Fault {
	if own := (known{}); errors.As(err, &own) {
		return Fault{phase, own.kind, own.text}
	}
	name, alert := remoteAlert(err)
	header := tls.RecordHeaderError{}
	switch framed := errors.As(err, &header); {
	case alert && phase == PhaseTLS:
		return Fault{phase, alertKind(name), alertText(name)}
	case alert:
		return Fault{phase, Alert, fmt.Sprintf("the peer ended the TLS connection while we were %s (TLS alert %s)", doing, finding.Printable(name, 60))}
	case framed && phase == PhaseTLS:
		return Fault{phase, NotTLS, notTLSText(header.RecordHeader[:], at.Port())}
	case framed, phase == PhaseHTTP && locallyBroken(err):
		return Fault{phase, Malformed, fmt.Sprintf("the TLS connection broke while we were %s: what came is not what was agreed on", doing)}
	}
	if timedOut(err) {
		return Fault{phase, Timeout, timeoutText(phase, doing)}
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return errnoFault(phase, doing, at, errno)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return Fault{phase, Closed, closedText(phase, doing)}
	}
	switch phase {
	case PhaseTLS:
		return Fault{phase, Malformed, tlsErrorText(err)}
	case PhaseHTTP:
		return Fault{phase, Malformed, "the reply is not valid HTTP"}
	}
	return Fault{phase, Self, "the connection could not be attempted"}
}

func timedOut(err error) bool {
	var slow net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &slow) && slow.Timeout()
}

// midHandshake is what we are doing once the server has said something.
const midHandshake = "in the middle of the TLS handshake"

func timeoutText(phase Phase, doing string) string {
	switch phase {
	case PhaseConnect:
		return "timeout while connecting (a firewall, or nobody has this address)"
	case PhaseTLS:
		if doing == midHandshake {
			return "timeout in the TLS handshake, which the server began and did not bring to its end"
		}
		return "timeout in the TLS handshake (something accepts connections and says nothing)"
	}
	return "timeout while " + doing
}

func closedText(phase Phase, doing string) string {
	if phase == PhaseTLS && doing != midHandshake {
		return "the peer hung up in the TLS handshake without a word (a load balancer without a healthy backend, or one that expects PROXY protocol)"
	}
	return "the peer hung up while we were " + doing
}

// errnoFault classes the system's error numbers. Those from 10000 on are
// Winsock's, which the syscall package does not fold into the others.
func errnoFault(phase Phase, doing string, at netip.AddrPort, errno syscall.Errno) Fault {
	is := func(list ...syscall.Errno) bool { return slices.Contains(list, errno) }
	switch {
	case is(syscall.ECONNREFUSED, 10061):
		return Fault{phase, Refused, fmt.Sprintf("connection refused: nothing listens on port %d", at.Port())}
	case is(syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, 10053, 10054):
		return Fault{phase, Reset, "the connection was reset while " + doing}
	case is(syscall.ETIMEDOUT, 10060):
		return Fault{phase, Timeout, timeoutText(phase, doing)}
	case is(syscall.EHOSTUNREACH, 10065):
		return Fault{phase, NoRoute, "no route to the host from here"}
	// No source address for IPv6 means that this machine has no IPv6. For IPv4 the
	// same number means that our local ports are used up.
	case is(syscall.ENETUNREACH, syscall.EAFNOSUPPORT, 10047, 10051),
		is(syscall.EADDRNOTAVAIL, 10049) && at.Addr().Unmap().Is6():
		return Fault{phase, NoRoute, "the network cannot be reached from here"}
	case is(syscall.EPERM, syscall.EACCES, 10013):
		return Fault{phase, Self, "this machine does not permit the connection (its own firewall or policy)"}
	}
	return Fault{phase, Self, "this machine could not do it: " + finding.Printable(errno.Error(), 80)}
}

// locallyBroken tells whether crypto/tls gave up a connection by itself.
func locallyBroken(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "local error"
}

// remoteAlert returns the name of the alert that the peer sent. crypto/tls marks
// it with the operation "remote error"; the alert's own type is not exported.
func remoteAlert(err error) (string, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return "", false
	}
	return strings.TrimPrefix(op.Err.Error(), "tls: "), true
}

// alertKind singles out the alerts with one meaning.
func alertKind(name string) Kind {
	switch name {
	case protocolVersion:
		return OldProtocol
	case "certificate required":
		return NoCertificate
	}
	return Alert
}

const (
	protocolVersion = "protocol version not supported"
	noProtocol      = "no application protocol"
)

// alertText says what the usual alerts (RFC 8446 section 6.2) mean.
func alertText(name string) string {
	meaning := map[string]string{
		"unrecognized name":    "the server has no certificate for this name",
		"handshake failure":    "the server found nothing in common with us, or has no certificate for this name",
		"internal error":       "the server failed by itself, or has no certificate for this name",
		"access denied":        "the server refuses this name or this client",
		protocolVersion:        "the server speaks no TLS version from 1.0 to 1.3",
		"certificate required": "the server wants a client certificate",
		noProtocol:             "the server speaks none of the protocols that we offered by ALPN",
		"bad certificate":      "the server does not like our certificate, and we sent none",
	}[name]
	if meaning == "" {
		return "the server ended the handshake with the TLS alert " + finding.Printable(name, 60)
	}
	return fmt.Sprintf("%s (TLS alert %s)", meaning, name)
}

// notTLSText looks at the five bytes that came where a TLS record should begin.
func notTLSText(start []byte, port uint16) string {
	if strings.HasPrefix(string(start), "HTTP/") {
		return fmt.Sprintf("port %d speaks plain HTTP, not TLS", port)
	}
	if 20 <= start[0] && start[0] <= 24 && start[1] == 3 { // RFC 8446 section 5.1
		return "the server sends a TLS record that is longer than the protocol allows"
	}
	return fmt.Sprintf("port %d does not speak TLS (its answer begins with \"%s\")", port, finding.Printable(string(start), 20))
}

// tlsErrorText passes on what crypto/tls found wrong: constant sentences, but
// for a certificate that cannot be parsed, whose content the error would quote.
func tlsErrorText(err error) string {
	text := err.Error()
	if strings.Contains(text, "parse certificate") {
		return "the certificate cannot be parsed"
	}
	if strings.Contains(text, "invalid signature by the server certificate") {
		return "the server does not have the key of the certificate that it presents first (is another key installed, or is the chain in the wrong order?)"
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "local error: "), "tls: ")
	return "the handshake breaks the protocol: " + finding.Printable(text, 120)
}
