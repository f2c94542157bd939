package lab

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Hello is one TLS ClientHello received.
type Hello struct {
	At   time.Time
	From netip.AddrPort
	SNI  string
	ALPN []string
}

// BalancerMode is how a balancer treats new connections.
type BalancerMode int

// The modes. A balancer that refuses is one that was stopped.
const (
	ModeServe  BalancerMode = iota // TLS, then HTTP
	ModeSilent                     // accept and say nothing
	ModeReset                      // accept and reset
	// ModePROXY serves whom a PROXY protocol header (version 1) introduces, and hangs up
	// on others: what stands behind a load balancer that speaks it, seen past that.
	ModePROXY
)

// Balancer is a TLS and HTTP server at one address, in front of any number of
// hosts. It serves HTTP/1.1 and HTTP/2.
type Balancer struct {
	HTTPPart

	// Conns has each TCP connection accepted, Hellos each ClientHello.
	Conns  Log[netip.AddrPort]
	Hellos Log[Hello]

	handshakes atomic.Int64

	state    sync.Mutex
	mode     BalancerMode
	certs    []tls.Certificate
	fallback *tls.Certificate
	handlers map[string]http.Handler
	held     []net.Conn // connections kept silent
}

// NewBalancer starts a balancer; port 0 picks a free one. A certificate is
// chosen by SNI among certs; for other names the first is served, until
// SetDefault says otherwise. Every host answers 200 "ok" until SetHandler.
func NewBalancer(at netip.AddrPort, certs ...tls.Certificate) (*Balancer, error) {
	b := &Balancer{handlers: map[string]http.Handler{}}
	b.SetCertificates(certs...)
	b.handler = http.HandlerFunc(b.route)
	b.wrap = func(ln net.Listener) net.Listener { return &modeListener{ln, b} }
	b.tls = &tls.Config{
		GetConfigForClient: b.hello,
		GetCertificate:     b.choose,
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"h2", "http/1.1"},
		VerifyConnection: func(tls.ConnectionState) error {
			b.handshakes.Add(1)
			return nil
		},
	}
	if err := b.startAt(at); err != nil {
		return nil, err
	}
	return b, nil
}

// Handshakes counts the TLS handshakes that reached a certificate and a cipher.
func (b *Balancer) Handshakes() int { return int(b.handshakes.Load()) }

// SetCertificates replaces all certificates; the first becomes the default.
func (b *Balancer) SetCertificates(certs ...tls.Certificate) {
	b.state.Lock()
	defer b.state.Unlock()
	b.certs, b.fallback = certs, nil
	if len(certs) > 0 {
		b.fallback = &certs[0]
	}
}

// SetDefault sets the certificate for names that no other covers; nil makes such
// handshakes fail.
func (b *Balancer) SetDefault(cert *tls.Certificate) {
	b.state.Lock()
	defer b.state.Unlock()
	b.fallback = cert
}

// SetHandler sets who answers for a host (without port); the host "" stands for
// all others. nil restores the 200 "ok".
func (b *Balancer) SetHandler(host string, h http.Handler) {
	b.state.Lock()
	defer b.state.Unlock()
	if h == nil {
		delete(b.handlers, strings.ToLower(host))
		return
	}
	b.handlers[strings.ToLower(host)] = h
}

// SetMode changes what happens to new connections; those open live on.
func (b *Balancer) SetMode(m BalancerMode) {
	b.state.Lock()
	defer b.state.Unlock()
	b.mode = m
}

func (b *Balancer) hello(h *tls.ClientHelloInfo) (*tls.Config, error) {
	entry := Hello{At: time.Now(), SNI: h.ServerName, ALPN: h.SupportedProtos}
	entry.From = addrPortOf(h.Conn)
	b.Hellos.add(entry)
	return nil, nil // the server's own configuration
}

func addrPortOf(c net.Conn) netip.AddrPort {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{} // not an IP connection; cannot be here
	}
	return from
}

func (b *Balancer) choose(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	b.state.Lock()
	defer b.state.Unlock()
	if h.ServerName != "" {
		for i := range b.certs {
			if b.certs[i].Leaf.VerifyHostname(h.ServerName) == nil {
				return &b.certs[i], nil
			}
		}
	}
	if b.fallback == nil {
		return nil, errors.New("no certificate for this name")
	}
	return b.fallback, nil
}

func (b *Balancer) route(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(r.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	b.state.Lock()
	h := b.handlers[host]
	if h == nil {
		h = b.handlers[""]
	}
	b.state.Unlock()
	if h == nil {
		_, _ = io.WriteString(w, "ok") // the client may be gone: its affair
		return
	}
	h.ServeHTTP(w, r)
}

// Stop closes the port and every connection, the silent ones too.
func (b *Balancer) Stop() error {
	err := b.HTTPPart.Stop()
	b.state.Lock()
	defer b.state.Unlock()
	for _, c := range b.held {
		_ = c.Close()
	}
	b.held = nil
	return err
}

// Close is Stop.
func (b *Balancer) Close() error { return b.Stop() }

// modeListener lets through only the connections that are to be served.
type modeListener struct {
	net.Listener
	b *Balancer
}

func (l *modeListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.b.Conns.add(addrPortOf(c))
		l.b.state.Lock()
		mode := l.b.mode
		if mode == ModeSilent {
			l.b.held = append(l.b.held, c)
		}
		l.b.state.Unlock()
		switch mode {
		case ModeServe:
			return c, nil
		case ModePROXY:
			return &introduced{Conn: c}, nil
		case ModeReset:
			if t, ok := c.(*net.TCPConn); ok {
				_ = t.SetLinger(0) // close sends RST
			}
			_ = c.Close()
		}
	}
}
